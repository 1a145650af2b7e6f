"""Every error that an operator can meet, as one tree.

::

    CosmaError                     code, cause, hint
    +- BadInput                    the operator gave something that cannot be used
    |  +- UsageError               usage
    |  +- NoFootage                no_footage
    |  +- AoiUnreadable            aoi_unreadable
    |  +- NavUnreadable            nav_unreadable
    |  +- RigUnreadable            rig_unreadable
    |  +- FootageUnreadable        file_empty | file_truncated | file_no_moov | file_not_video | file_no_frames
    +- FootageMissing              footage_missing     (held until it is back)
    +- FootageChanged              footage_changed
    +- StageError                  a stage could not do its work
    |  +- TooFewFrames             too_few_frames
    |  +- ReconstructionFailed     reconstruction_failed
    |  +- BadJob                   bad_job
    +- ResourceError               the machine could not
    |  +- DiskFull                 disk_full           (held until there is room)
    |  +- OutOfMemory              out_of_memory
    |  +- WorkerDied               worker_died         (tried again)
    |  +- TimedOut                 timed_out
    +- MissionError
    |  +- MissionLocked            mission_locked
    |  +- MissionUnreadable        mission_unreadable
    +- Cancelled                   cancelled
    +- InternalError               internal            (a defect of this program)

A code is what programs switch on; the cause says what was found; the hint says what to do.
"""

from enum import StrEnum


class ErrorCode(StrEnum):
    """What code switches on; stable across versions."""

    USAGE = "usage"
    NO_FOOTAGE = "no_footage"
    AOI_UNREADABLE = "aoi_unreadable"
    NAV_UNREADABLE = "nav_unreadable"
    NAV_REFUSED = "nav_refused"
    RIG_UNREADABLE = "rig_unreadable"
    FILE_EMPTY = "file_empty"
    FILE_TRUNCATED = "file_truncated"
    FILE_NO_MOOV = "file_no_moov"
    FILE_NOT_VIDEO = "file_not_video"
    FILE_NO_FRAMES = "file_no_frames"
    FILE_UNREADABLE = "file_unreadable"
    FILE_DUPLICATE = "file_duplicate"
    CHAPTER_MISSING = "chapter_missing"
    FOOTAGE_MISSING = "footage_missing"
    FOOTAGE_CHANGED = "footage_changed"
    TOO_FEW_FRAMES = "too_few_frames"
    RECONSTRUCTION_FAILED = "reconstruction_failed"
    BAD_JOB = "bad_job"
    DISK_FULL = "disk_full"
    OUT_OF_MEMORY = "out_of_memory"
    WORKER_DIED = "worker_died"
    TIMED_OUT = "timed_out"
    MISSION_LOCKED = "mission_locked"
    MISSION_UNREADABLE = "mission_unreadable"
    CANCELLED = "cancelled"
    INTERNAL = "internal"


class CosmaError(Exception):
    """An error with a code, a cause and a hint that tells the operator what to do.

    Args:
        cause: what was found, naming the file or value.
        hint: what to do about it.
        code: overrides the class's code where one class has several.
    """

    code: ErrorCode = ErrorCode.INTERNAL
    hint: str = "Keep the mission folder and report this with its log."

    def __init__(self, cause: str, hint: str | None = None, code: ErrorCode | None = None) -> None:
        super().__init__(cause)
        self.cause = cause
        if hint is not None:
            self.hint = hint
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return f"{self.cause} {self.hint} [{self.code}]"


class BadInput(CosmaError):
    """The operator gave something that cannot be used."""


class UsageError(BadInput):
    """A command line or parameter that makes no sense."""

    code = ErrorCode.USAGE
    hint = "See 'cosmaqc run --help'."


class NoFootage(BadInput):
    """Nothing that can be filmed material was found."""

    code = ErrorCode.NO_FOOTAGE
    hint = "Give a card, a dive's, vehicle's or camera's folder, a video file or a folder of stills."


class AoiUnreadable(BadInput):
    """The area of interest could not be read."""

    code = ErrorCode.AOI_UNREADABLE
    hint = "Give one polygon in lon/lat (WGS 84) as GeoJSON, KML, or CSV with lon and lat columns."


class NavUnreadable(BadInput):
    """A nav log could not be understood at all."""

    code = ErrorCode.NAV_UNREADABLE
    hint = "Name the columns with their units in a small TOML file beside the CSV (same name, .toml)."


class RigUnreadable(BadInput):
    """The rig file could not be read."""

    code = ErrorCode.RIG_UNREADABLE
    hint = "See 'Rig file' in the README for the fields."


class FootageUnreadable(BadInput):
    """A file that looks like footage but cannot be decoded."""

    code = ErrorCode.FILE_UNREADABLE
    hint = "Keep the file. Put the card back in the camera: it repairs recordings that were not closed."


class FootageMissing(CosmaError):
    """A footage file is not there at the moment."""

    code = ErrorCode.FOOTAGE_MISSING
    hint = "Plug the drive back in; the work goes on by itself."


class FootageChanged(CosmaError):
    """A footage file no longer has the content that was ingested."""

    code = ErrorCode.FOOTAGE_CHANGED
    hint = "Somebody changed the file after it was ingested. Restore it, or run again to ingest it anew."


class StageError(CosmaError):
    """A stage could not do its work."""


class TooFewFrames(StageError):
    """Too few usable frames to go on with."""

    code = ErrorCode.TOO_FEW_FRAMES
    hint = "The footage of this segment is unusable; dive this stretch again with other settings."


class ReconstructionFailed(StageError):
    """No component of enough frames could be reconstructed."""

    code = ErrorCode.RECONSTRUCTION_FAILED
    hint = (
        "Replay inference for this segment with more features or more frames per second; no dive is needed."
    )


class BadJob(StageError):
    """A job whose inputs or params do not fit this worker."""

    code = ErrorCode.BAD_JOB
    hint = "The worker and the app are of different versions. Install the same version on both."


class ResourceError(CosmaError):
    """The machine could not."""


class DiskFull(ResourceError):
    """The disk has no room left."""

    code = ErrorCode.DISK_FULL
    hint = "Free space on the mission's disk; the work goes on by itself."


class OutOfMemory(ResourceError):
    """A worker needed more memory than it is allowed."""

    code = ErrorCode.OUT_OF_MEMORY
    hint = "Close other programs, or replay with fewer features or shorter segments."


class WorkerDied(ResourceError):
    """A worker process ended without a word."""

    code = ErrorCode.WORKER_DIED
    hint = "It is tried again by itself; if it keeps dying, see the log beside the output."


class TimedOut(ResourceError):
    """A worker went silent for too long."""

    code = ErrorCode.TIMED_OUT
    hint = "It is tried again by itself; if it keeps happening, see the log beside the output."


class MissionError(CosmaError):
    """The mission folder cannot be used."""


class MissionLocked(MissionError):
    """Another engine works on the mission."""

    code = ErrorCode.MISSION_LOCKED
    hint = "Wait for it or stop it; only one engine works on a mission."


class MissionUnreadable(MissionError):
    """The mission's files are damaged or of a newer version."""

    code = ErrorCode.MISSION_UNREADABLE
    hint = "Use the version of COSMA QC that made this mission, or a newer one."


class Cancelled(CosmaError):
    """The operator or the engine asked the stage to stop."""

    code = ErrorCode.CANCELLED
    hint = "Start it again whenever you like; finished work is kept."


class InternalError(CosmaError):
    """A defect of this program."""

    code = ErrorCode.INTERNAL
