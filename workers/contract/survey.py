"""What 06 stitch and 07 coverage leave for the stages after them: models and array shapes.

The **map frame** is metric, x east, y north, z up. With nav it is the site's UTM zone minus ``origin`` (whole
metres, so that single precision does); without a place it is a local frame in which the components only lie side by
side. ``camera_to_map`` are 4x4 matrices with OpenCV camera axes.

06 ``frames.npz``, a row a sampled frame, each frame once, ordered by recording and time: ``frame_id`` ``segment``
``recording`` ``camera`` ``vehicle`` ``footage_file`` ``image`` (str; image relative to the mission), ``chapter_time_s``
``recording_time_s`` ``utc_s`` (nav time; NaN when unknown), ``camera_to_map`` (N,4,4; NaN when unknown), ``pinhole``
(N,4: fx fy cx cy), ``size`` (N,2: width, height), ``registered`` ``usable`` ``doubtful`` (bool), ``source`` (str:
``registered`` ``nav`` ``interpolated`` ``none``: where the pose comes from), ``component`` (int, -1: none),
``place_sigma_m`` (one sigma of the horizontal place, NaN when unknown).

06 ``surface.npz``: ``x0`` ``y0`` ``cell_m`` (scalars: lower left corner), ``height_m`` (rows from south to north),
``known`` (bool: measured there rather than filled in).

06 ``cloud.npz``: ``xyz`` (M,3) map frame, ``rgb`` (M,3) uint8, ``segment`` ``vehicle`` ``component`` (M,) int indices
into ``segment_names``, ``vehicle_names`` (str arrays); component numbers are those of ``components``.

06 ``nav.npz``: for every vehicle with good nav ``<vehicle>/utc_s``, ``<vehicle>/xyz`` (map frame).

07 ``coverage.npz``: ``x0`` ``y0`` ``cell_m``; arrays (rows from south to north): ``inside`` (bool: the cell shares
ground with the AOI), ``footprint_views`` ``filmed_views`` ``reconstructed_views`` (uint16), ``passes``
``passes_worst`` (bool), ``cause`` (uint8: 0 passes or outside, 1 not_filmed, 2 unusable, 3 not_reconstructed,
4 stitch_doubtful), ``gap`` (int32: gap id of the cell, 0 none).
"""

from workers.contract.dive import Frozen
from workers.contract.products import ClockOffset, CoverageShares, Scale
from workers.contract.words import AoiSource, Cause, Certainty

STITCH = "stitch.json"
STITCH_FRAMES = "frames.npz"
SURFACE = "surface.npz"
STITCH_CLOUD = "cloud.npz"
NAV_TRACKS = "nav.npz"
COVERAGE = "coverage.json"
COVERAGE_GRID = "coverage.npz"

CAUSES = (Cause.NOT_FILMED, Cause.UNUSABLE, Cause.NOT_RECONSTRUCTED, Cause.STITCH_DOUBTFUL)
"""``cause`` value n is ``CAUSES[n - 1]``."""


class MapFrame(Frozen):
    """``epsg`` None: a local frame without a place. ``origin``: easting and northing of the map frame's zero."""

    epsg: int | None
    origin: tuple[float, float] = (0.0, 0.0)


class Component(Frozen):
    """Frames that lie rigidly together: one or more segments joined by accepted seams, placed as one.

    ``weak_direction`` is the unit vector (east, north) in which the place is least certain, ``weak_sigma_m`` how far
    (one sigma). ``residual_m`` is the RMS distance of its camera centres to nav.
    """

    id: int
    segments: tuple[str, ...]
    cameras: tuple[str, ...]
    frames: int
    placed: bool
    doubtful: bool
    reasons: tuple[str, ...]
    scale: float | None
    residual_m: float | None
    sigma_m: float | None
    weak_direction: tuple[float, float] | None
    weak_sigma_m: float | None


class Seam(Frozen):
    """The joint of two neighbouring segments: Sim(3) from correspondences; ``broken`` says why it was rejected."""

    a: str
    b: str
    component_a: int
    component_b: int
    correspondences: int
    inliers: float
    scale_ratio: float
    residual_relative: float
    broken: str | None = None


class Loop(Frozen):
    """Two components over the same ground, checked by their clouds.

    ``shift_m``: rigid correction that the clouds ask for; ``weak_cm``: one sigma along the direction in which the
    clouds could slide, from the point-to-plane Hessian's smallest horizontal eigenvalue, centimetres.
    """

    a: int
    b: int
    overlap_points: int
    shift_m: float
    rmse_m: float
    weak_cm: float
    applied: bool


class CameraSync(Frozen):
    """Two cameras of one vehicle tied by their gyros: time on a = time on b + ``offset_s``, both as stated."""

    a: str
    b: str
    offset_s: float
    drift_ppm: float
    peak_ratio: float
    detail: str


class StitchSummary(Frozen):
    """``stitch.json``. ``placed``: there is a place on the earth (UTM); False: local frame only."""

    frame: MapFrame
    placed: bool
    scale: Scale
    clock_offsets: tuple[ClockOffset, ...]
    components: tuple[Component, ...]
    seams: tuple[Seam, ...]
    loops: tuple[Loop, ...]
    warnings: tuple[str, ...] = ()
    nav_sigma_m: float | None = None
    syncs: tuple[CameraSync, ...] = ()


class GapShape(Frozen):
    """One gap of 07: cells, measures, and whether a dive is needed for sure.

    ``polygons``: outer rings in the map frame, metres. ``stays``: a certain not_filmed or unusable core remains when
    the map is shifted by its position uncertainty.
    """

    id: int
    certainty: Certainty
    cause: Cause
    shares: dict[str, float]
    cells: int
    area_m2: float
    width_m: float
    centre: tuple[float, float]
    polygons: tuple[tuple[tuple[float, float], ...], ...]
    distance_to_track_m: float | None
    stays: bool


class CoverageSummary(Frozen):
    """``coverage.json``; shares are None where there is no scale.

    ``filmed_area_m2``: at most so much ground was filmed by usable frames, wherever it lies. ``asked_area_m2``: area of
    the AOI file, place or no place. ``worst_holes``: holes of the smallest size that only the worst case shows.
    """

    aoi_source: AoiSource
    aoi_area_m2: float | None
    shares: CoverageShares
    cell_m: float
    gaps: tuple[GapShape, ...]
    doubtful_cells: int
    filmed_area_m2: float | None = None
    asked_area_m2: float | None = None
    worst_holes: int = 0
    warnings: tuple[str, ...] = ()
