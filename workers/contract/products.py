"""``products/verdict.json``, as other programs read it; and the names of the products."""

from pydantic import JsonValue

from workers.contract.dive import Frozen, Problem
from workers.contract.words import AoiSource, Cause, Certainty, ScaleSource, VerdictWord

SCHEMA = 1
VERDICT = "verdict.json"
PRODUCT_FILES = (
    "coverage.tif",
    "coverage.png",
    "coverage.pgw",
    "frames.csv",
    "gaps.geojson",
    "tracks.geojson",
    "redive.gpx",
    "redive.geojson",
    "redive.kml",
    "redive.csv",
    "cloud.ply",
    "cloud_view.npz",
    "map.npz",
    "report.html",
    VERDICT,
)
"""Published one by one, the verdict last; those that need a place (GPX, KML) are absent when there is none."""

FRAMES_CSV_COLUMNS = (
    "file",
    "chapter_time_s",
    "utc",
    "vehicle",
    "camera",
    "segment",
    "lon",
    "lat",
    "height_m",
    "registered",
    "usable",
    "component",
)


class Reason(Frozen):
    """One reason of a verdict: a code to switch on, a sentence to read, the segments it speaks of."""

    code: str
    text: str
    segments: tuple[str, ...] = ()


class CoverageShares(Frozen):
    """Fractions of the AOI, 0..1: best estimate, worst case, filmed only."""

    best: float | None
    worst: float | None
    filmed: float | None


class Scale(Frozen):
    """Where metres come from and how far they can be trusted (relative, one sigma)."""

    source: ScaleSource
    relative_uncertainty: float | None
    detail: str


class Gap(Frozen):
    """One hole. ``centre_lonlat`` is WGS 84; None without a place. ``shares`` are the causes' shares of its cells."""

    id: int
    certainty: Certainty
    cause: Cause
    area_m2: float
    width_m: float
    centre_lonlat: tuple[float, float] | None
    remedy: str
    shares: dict[str, float] = {}
    distance_to_track_m: float | None = None
    redive_minutes: float | None = None


class ClockOffset(Frozen):
    """Camera clock to nav: nav time = camera time + offset_s (+ drift). ``ambiguous``: the track fits elsewhere too."""

    recording: str
    camera: str
    offset_s: float | None
    drift_ppm: float | None
    sigma_s: float | None
    ambiguous: bool
    detail: str = ""


class SegmentCounts(Frozen):
    """Numbers of segments by job state and by grade."""

    by_state: dict[str, int]
    by_grade: dict[str, int]


class Verdict(Frozen):
    """The answer and all that it rests on."""

    schema_: int = SCHEMA
    verdict: VerdictWord
    reasons: tuple[Reason, ...]
    coverage: CoverageShares
    aoi_source: AoiSource
    scale: Scale
    smallest_hole_m: float
    cell_m: float
    gaps: tuple[Gap, ...]
    segments: SegmentCounts
    clock_offsets: tuple[ClockOffset, ...]
    left_out: tuple[Problem, ...]
    software: dict[str, str]
    params: dict[str, JsonValue]
    inputs: dict[str, str]

    def to_json(self) -> str:
        """The file's text; the field is named ``schema`` there."""
        text = self.model_dump_json(indent=2)
        return text.replace('"schema_":', '"schema":', 1)
