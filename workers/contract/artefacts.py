"""What each stage leaves in its output folder: file names, columns, array shapes.

====================  =========================================================================================
01 ingest             ``inventory.json`` (:class:`workers.contract.dive.Inventory`), ``known.json`` (list of
                      :class:`workers.contract.job.KnownFile`)
02 telemetry          ``telemetry.json`` (:class:`Telemetry`); ``imu.npz`` when there is any: ``time_s`` (N,) in
                      recording time, ``gyro_rad_s`` (N,3), ``accel_m_s2`` (N,3)
03 frames             ``frames.csv`` (:data:`FRAME_COLUMNS`), ``images/<frame_id>.jpg`` undistorted at working
                      size, ``camera.json`` (:class:`WorkingCamera`)
04 quality            ``quality.csv`` (:data:`QUALITY_COLUMNS`), a row a frame in the order of ``frames.csv``
05 inference          ``poses.npz``: ``frame_id`` (N,) str, ``time_s`` (N,) recording time, ``camera_to_world``
                      (N,4,4), ``K`` (N,3,3), ``component`` (N,) int; ``overlap.npz``: ``frame_id`` (M,),
                      ``pixel`` (M,2), ``xyz`` (M,3), ``weight`` (M,), ``component`` (M,); ``cloud.ply`` (binary, xyz
                      float, rgb uchar) and ``cloud_component.npy`` (a component number a point);
                      ``reconstruction.json`` (:class:`Reconstruction`)
06 stitch             ``frames.npz``, ``components.json``, ``seams.json``, ``surface.npz``, ``cloud.npz``,
                      ``stitch.json`` (see workers.stages.stitch)
07 coverage           ``coverage.npz``, ``coverage.json`` (see workers.stages.coverage)
08 verdict            all files of ``products/``
====================  =========================================================================================

A recording's time starts at 0 with its first frame. Pixels have their origin at the centre of the top left pixel
plus (0.5, 0.5), as in COLMAP: the top left corner of the picture is (0, 0).
"""

from workers.contract.dive import Frozen
from workers.contract.words import Backend

INVENTORY = "inventory.json"
KNOWN = "known.json"
TELEMETRY = "telemetry.json"
IMU = "imu.npz"
FRAMES = "frames.csv"
IMAGES = "images"
CAMERA = "camera.json"
QUALITY = "quality.csv"
POSES = "poses.npz"
OVERLAP = "overlap.npz"
CLOUD = "cloud.ply"
CLOUD_COMPONENT = "cloud_component.npy"
RECONSTRUCTION = "reconstruction.json"

FRAME_COLUMNS = ("frame_id", "recording_time_s", "chapter", "chapter_time_s", "file", "image")
"""``chapter`` is the chapter's number; ``file`` the footage file's path; ``image`` relative to the output folder."""

QUALITY_COLUMNS = ("frame_id", "sharpness", "brightness", "contrast", "haze", "matches", "detail")
"""``sharpness``: variance of the Laplacian of the lightly smoothed picture at ``measure_width``; ``brightness``: mean
grey 0..255; ``contrast``: spread (p95 - p5) of the grey values once slow trends are taken off; ``haze``: 0 (clear) ..
1 (milky), one minus that spread over twice the mean grey; each but brightness a median over tiles. ``matches``:
geometrically verified feature matches with the better of the frame's neighbours in its segment; ``detail``: 0..1, the
share of them that is fine detail."""


class Telemetry(Frozen):
    """What a recording's GPMF says; None where the camera did not write it."""

    recording: str
    serial: str | None = None
    model: str | None = None
    firmware: str | None = None
    field_of_view: str | None = None
    stabilised: bool | None = None
    rolling_shutter_s: float | None = None
    imu_samples: int = 0
    gps_fix: bool = False
    exposure_s_median: float | None = None
    iso_median: float | None = None
    temperature_c_median: float | None = None
    notes: tuple[str, ...] = ()


class WorkingCamera(Frozen):
    """The pinhole camera of a segment's stored images: pixels; ``fixed`` when K was calibrated, not a prior."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    fixed: bool = False


class Reconstruction(Frozen):
    """Figures of a segment's reconstruction."""

    backend: Backend
    versions: dict[str, str]
    frames_in: int
    frames_registered: int
    components: tuple[int, ...]
    reprojection_error_px: float | None
    focal_px: float | None
    seconds: float
    peak_memory_mib: float
    warnings: tuple[str, ...] = ()
