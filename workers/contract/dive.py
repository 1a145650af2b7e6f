"""What was filmed: files, chapters, recordings, segments, cameras, nav logs; the inventory of a mission."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from workers.contract.errors import ErrorCode
from workers.contract.words import AoiSource, Side


class Frozen(BaseModel):
    """A value that crosses a boundary: immutable, and closed to unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Problem(Frozen):
    """Something that was found wrong and did not stop the rest.

    ``subject`` is the file (or recording) spoken of.
    """

    subject: str
    code: ErrorCode
    cause: str
    hint: str


class FootageFile(Frozen):
    """One file of footage as it was when its checksum was taken.

    ``path`` is relative to the mission folder when the file lies inside it, else absolute. ``checksum`` is the
    xxh64 of the content, 16 hex digits. ``device``, ``inode``, ``size_bytes``, ``mtime_ns`` tell cheaply whether
    it is still the same file.
    """

    path: Path
    size_bytes: int
    checksum: str
    device: int
    inode: int
    mtime_ns: int


class Chapter(Frozen):
    """One MP4 as the camera splits it, or, for stills, all images of one folder as one chapter.

    ``start_s`` is the chapter's start in its recording's time: the sum of the durations (frames / rate) of the
    chapters before it, never the container's clock, which has whole seconds only. ``checksum`` is the file's; for
    stills, that of the list of image checksums. ``creation_time`` is ISO 8601 as written by the camera (GoPro
    labels local time ``Z``), or None. For stills ``files`` are in natural order and ``times_s`` are the times of the
    images in recording time, ``fps`` is their mean rate.
    """

    number: int
    files: tuple[FootageFile, ...]
    checksum: str
    width: int
    height: int
    fps: float
    frame_count: int
    start_s: float
    duration_s: float
    codec: str
    creation_time: str | None = None
    times_s: tuple[float, ...] = ()

    @property
    def end_s(self) -> float:
        """End in recording time, seconds."""
        return self.start_s + self.duration_s


class Recording(Frozen):
    """All chapters of one press of the shutter, in order; or one folder of stills.

    ``id`` is ``<camera>_<number>``; ``number`` the camera's 4-digit file number, or a safe form of the file name
    where there is none. ``start_utc_s`` is what the camera's clock says for recording time 0, as POSIX seconds
    with the clock taken as UTC, or None; it can be wrong by hours.
    """

    id: str
    camera: str
    number: str
    stills: bool
    chapters: tuple[Chapter, ...]
    missing_chapters: tuple[int, ...] = ()
    start_utc_s: float | None = None

    @property
    def duration_s(self) -> float:
        """Length in recording time, seconds."""
        return self.chapters[-1].end_s if self.chapters else 0.0


class Camera(Frozen):
    """One camera: ``id`` (safe for file names) never changes; vehicle and side may be corrected later."""

    id: str
    vehicle: str
    side: Side
    serial: str | None = None
    model: str | None = None


class Segment(Frozen):
    """A fixed slice of a recording, the unit of the queue and the grid.

    ``id`` is ``<camera>_<number>_<chapter>_<slice>``, e.g. ``AUV01-PORT_0012_01_000``. It owns recording times
    [start_s, own_end_s) and reads up to ``end_s``, shared with the next segment. ``chapters`` are the numbers of
    the chapters it reads (one, or two where the overlap reaches into the next).
    """

    id: str
    camera: str
    recording: str
    chapter: int
    slice: int
    start_s: float
    own_end_s: float
    end_s: float
    chapters: tuple[int, ...]


class NavLog(Frozen):
    """One vehicle's nav log inside the mission, as understood at ingest.

    ``path`` is relative to the mission. ``columns`` maps our field names to the file's header. ``refused`` says
    why it cannot give scale or place (None: it can); ``notes`` what was assumed or left out.
    """

    vehicle: str
    path: Path
    checksum: str
    rows: int
    distinct_positions: int
    start_utc_s: float
    end_utc_s: float
    columns: dict[str, str]
    refused: str | None = None
    notes: tuple[str, ...] = ()


class Aoi(Frozen):
    """The area of interest: ``path`` (GeoJSON, lon/lat WGS 84) relative to the mission."""

    path: Path
    checksum: str
    source: AoiSource


class CameraMount(Frozen):
    """How a camera sits on its vehicle, from a rig file.

    ``lever_m`` is the camera centre in the body frame (x forward, y to port, z up), metres; ``yaw_deg``,
    ``pitch_deg``, ``roll_deg`` turn a nadir camera whose image x points to starboard.
    """

    camera: str
    lever_m: tuple[float, float, float]
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0


class Rig(Frozen):
    """Mounts of a mission's cameras, known baselines, typed-in altitude."""

    mounts: tuple[CameraMount, ...] = ()
    altitude_m: float | None = None


class Inventory(Frozen):
    """All that a mission holds: the result of 01 ingest, merged over every scan."""

    cameras: tuple[Camera, ...] = ()
    recordings: tuple[Recording, ...] = ()
    nav: tuple[NavLog, ...] = ()
    aoi: Aoi | None = None
    rig: Rig | None = None
    problems: tuple[Problem, ...] = ()

    def camera(self, camera_id: str) -> Camera:
        """The camera of that id; KeyError when there is none."""
        for camera in self.cameras:
            if camera.id == camera_id:
                return camera
        raise KeyError(camera_id)

    def recording(self, recording_id: str) -> Recording:
        """The recording of that id; KeyError when there is none."""
        for recording in self.recordings:
            if recording.id == recording_id:
                return recording
        raise KeyError(recording_id)


def frame_id(chapter_checksum: str, pts_us: int) -> str:
    """A frame's name: (checksum of its chapter or image, presentation time in microseconds)."""
    return f"{chapter_checksum}_{pts_us:012d}"
