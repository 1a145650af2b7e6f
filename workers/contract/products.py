"""``products/verdict.json``, as other programs read it; and the names of the products."""

import math

from pydantic import Field, JsonValue

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

_SHARED_ARRAYS = {
    "origin": "(2,) easting and northing of the map frame's zero, metres",
    "epsg": "EPSG code of the map frame plus origin; 0: local frame without a place",
    "provenance": "JSON text: verdict, scale, software, params, inputs, what was left out",
    "segment_names": "names of the segment numbers",
}

CLOUD_VIEW_ARRAYS = _SHARED_ARRAYS | {
    "xyz": "(M,3) float32, map frame; points in random order, so that any prefix is a fair sample",
    "rgb": "(M,3) uint8",
    "vehicle": "(M,) int32, number in vehicle_names",
    "segment": "(M,) int32, number in segment_names",
    "views": "(M,) uint16, reconstructed views of the cell under the point, 0 outside the grid",
    "height": "(M,) float32, height in the map frame, metres",
    "vehicle_names": "names of the vehicle numbers",
}
"""What ``cloud_view.npz`` holds."""

MAP_ARRAYS = _SHARED_ARRAYS | {
    "x0": "west edge of the grid, map frame, metres",
    "y0": "south edge of the grid",
    "cell_m": "side of a cell",
    "inside": "(rows, columns) bool, cell in the area of interest; rows from south to north; (0, 0) without a grid",
    "footprint_views": "(rows, columns) uint16",
    "filmed_views": "(rows, columns) uint16",
    "reconstructed_views": "(rows, columns) uint16",
    "passes": "(rows, columns) bool",
    "passes_worst": "(rows, columns) bool",
    "cause": "(rows, columns) uint8: 0 none, then in the order of words.Cause",
    "gap": "(rows, columns) int32, id of the cell's gap, 0 none",
    "aoi_xy": "(P,2) points of the area's rings, closed, map frame, metres",
    "aoi_ring": "(P,) int32, ring of the point; outer rings counter-clockwise, holes clockwise",
    "gap_id": "(G,) int32, in the verdict's order",
    "gap_cause": "(G,) text",
    "gap_certainty": "(G,) text",
    "gap_area_m2": "(G,) float64",
    "gap_xy": "(P,2) points of all gaps' rings",
    "gap_ring": "(P,) int32, ring of the point",
    "ring_gap_id": "(R,) int32, the gap of each ring",
    "track_xy": "(P,2) points of all lines",
    "track_line": "(P,) int32, line of the point",
    "track_kind": "(T,) text: nav, or camera (centres of registered frames)",
    "track_vehicle": "(T,) text",
    "track_camera": "(T,) text, empty for nav",
    "frame_id": "(F,) text, sampled frames with a known place",
    "frame_xy": "(F,2) camera centres",
    "frame_segment": "(F,) int32, number in segment_names",
    "frame_registered": "(F,) bool",
    "frame_usable": "(F,) bool",
}
"""What ``map.npz`` holds."""


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
    shares: dict[str, float] = Field(default_factory=dict)
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

    @property
    def sentence(self) -> str:
        """The answer in one line, for a banner or a terminal.

        For example: "NOT COMPLETE — 91 % of the area passes (worst case 86 %), 1 gap of 6.1 m², not filmed".
        Percentages are rounded down. "Cannot tell" says first why.
        """
        parts = []
        if self.verdict is VerdictWord.CANNOT_TELL and self.reasons:
            parts.append(self.reasons[0].text.rstrip(". "))
        if self.coverage.best is not None:
            worst = self.coverage.worst
            worst_text = "" if worst is None else f" (worst case {_percent(worst)})"
            parts.append(f"{_percent(self.coverage.best)} of the area passes{worst_text}")
        certain = [gap for gap in self.gaps if gap.certainty is Certainty.CERTAIN]
        if certain:
            number = "1 gap of" if len(certain) == 1 else f"{len(certain)} gaps, together"
            causes = dict.fromkeys(_CAUSE_WORDS[gap.cause] for gap in certain)
            parts.append(f"{number} {sum(gap.area_m2 for gap in certain):.1f} m², {' and '.join(causes)}")
        elif self.verdict is VerdictWord.COMPLETE:
            parts.append("no certain gap")
        word = self.verdict.replace("_", " ").upper()
        return f"{word} — {', '.join(parts)}" if parts else word

    def to_json(self) -> str:
        """The file's text; the field is named ``schema`` there."""
        text = self.model_dump_json(indent=2)
        return text.replace('"schema_":', '"schema":', 1)


_CAUSE_WORDS = {
    Cause.NOT_FILMED: "not filmed",
    Cause.UNUSABLE: "filmed but unusable",
    Cause.NOT_RECONSTRUCTED: "not reconstructed",
    Cause.STITCH_DOUBTFUL: "stitch doubtful",
}


def _percent(share: float) -> str:
    """Rounded down: 99.9 % of an area is not all of it."""
    return f"{math.floor(share * 100.0 + 1e-6)} %"
