"""Which frames of a dive are usable, ranked within the dive; and the footage grade of each segment.

Two questions, in this order. Can the ground in the frame be found again in the frame before or after, down to fine
detail? That is physical, so a dive that is milky throughout does not pass for good by being uniform. Is the frame
much worse than the dive's better ones? Sharpness is set against the frame's own contrast first: bland sand has
little of both, and is as good a view as reef; blur takes the fine part alone.

Calling a bad frame usable hides a hole, so a frame must pass every test.
"""

import csv
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from workers.contract.params import QualityParams
from workers.contract.words import Grade


@dataclass(frozen=True)
class QualityRow:
    """One frame's measures, as in ``QUALITY_COLUMNS`` of the contract."""

    frame_id: str
    sharpness: float
    brightness: float
    contrast: float
    haze: float
    matches: int
    detail: float

    @property
    def crispness(self) -> float:
        """Sharpness for its contrast: falls with blur, not with bland ground or less light."""
        return self.sharpness / max(self.contrast, 0.1) ** 2

    @property
    def detail_at_best(self) -> float:
        """``detail`` plus two standard deviations of a share counted on so many matches."""
        share = self.detail
        return share + 2 * math.sqrt(share * (1 - share) / max(self.matches, 1))


@dataclass(frozen=True)
class SegmentGrade:
    """Footage grade of a segment, the ids of its usable frames in order, and why others are not."""

    grade: Grade
    usable: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Reference:
    """What the better frames of the dive reach."""

    brightness: float
    contrast: float
    clearness: float
    crispness: float
    detail: float


def read_quality(path: Path) -> tuple[QualityRow, ...]:
    """The rows of a ``quality.csv``."""
    with path.open(newline="", encoding="utf-8") as file:
        return tuple(
            QualityRow(
                frame_id=row["frame_id"],
                sharpness=float(row["sharpness"]),
                brightness=float(row["brightness"]),
                contrast=float(row["contrast"]),
                haze=float(row["haze"]),
                matches=int(row["matches"]),
                detail=float(row["detail"]),
            )
            for row in csv.DictReader(file)
        )


def grade_dive(quality: Mapping[str, Sequence[QualityRow]], params: QualityParams) -> dict[str, SegmentGrade]:
    """Grade all segments of one vehicle against each other.

    Args:
        quality: rows by segment id. A frame that two segments share is judged once, by the better of its links.
        params: the fractions of the dive's reference that a usable frame must reach.
    """
    frames = _merged(row for rows in quality.values() for row in rows)
    faults = _faults(frames, params)
    return {segment: _grade(rows, faults, params) for segment, rows in quality.items()}


def _merged(rows: Iterable[QualityRow]) -> dict[str, QualityRow]:
    """One row a frame, with the better of its links."""
    frames: dict[str, QualityRow] = {}
    for row in rows:
        known = frames.get(row.frame_id)
        if known is None or row.matches > known.matches:
            frames[row.frame_id] = (
                row if known is None else replace(known, matches=row.matches, detail=row.detail)
            )
    return frames


NOT_FOUND_AGAIN = "not found again in the frames beside them"


def _faults(frames: Mapping[str, QualityRow], params: QualityParams) -> dict[str, str]:
    """What is wrong with each unusable frame, in a word."""
    lost = [r for r in frames.values() if r.matches < params.min_matches or r.detail < params.min_detail]
    faults = {row.frame_id: NOT_FOUND_AGAIN for row in lost}
    found = [row for row in frames.values() if row.frame_id not in faults]
    if not found:
        return faults
    reference = _reference(found, params)
    faults |= {row.frame_id: fault for row in found if (fault := _light_fault(row, reference, params))}
    # noise stands in for sharpness in dark and milky frames: they have no say in what is sharp
    lit = [row for row in found if row.frame_id not in faults]
    reference = _reference(lit or found, params)
    faults |= {row.frame_id: fault for row in lit if (fault := _blur_fault(row, reference, params))}
    for row in lost:
        faults[row.frame_id] = (
            _light_fault(row, reference, params) or _blur_fault(row, reference, params) or NOT_FOUND_AGAIN
        )
    return faults


def _reference(rows: Sequence[QualityRow], params: QualityParams) -> Reference:
    """The ``reference_quantile`` of every measure."""

    def high(measure: Callable[[QualityRow], float]) -> float:
        values = sorted(measure(row) for row in rows)
        return values[min(len(values) - 1, int(params.reference_quantile * len(values)))]

    return Reference(
        brightness=high(lambda row: row.brightness),
        contrast=high(lambda row: row.contrast),
        clearness=high(lambda row: 1 - row.haze),
        crispness=high(lambda row: row.crispness),
        detail=high(lambda row: row.detail),
    )


def _light_fault(row: QualityRow, reference: Reference, params: QualityParams) -> str | None:
    """Too dark or too milky against the dive."""
    if row.brightness < params.brightness_fraction * reference.brightness:
        return "dark"
    if row.contrast < params.contrast_fraction * reference.contrast:
        return "milky"
    if 1 - row.haze < params.contrast_fraction * reference.clearness:
        return "milky"
    return None


def _blur_fault(row: QualityRow, reference: Reference, params: QualityParams) -> str | None:
    """Too blurred against the dive."""
    if row.crispness < params.sharpness_fraction * reference.crispness:
        return "blurred"
    if row.detail_at_best < params.detail_fraction * reference.detail:
        return "blurred"
    return None


def _grade(rows: Sequence[QualityRow], faults: Mapping[str, str], params: QualityParams) -> SegmentGrade:
    """One segment's grade from its frames' faults."""
    usable = tuple(row.frame_id for row in rows if row.frame_id not in faults)
    counted = Counter(faults[row.frame_id] for row in rows if row.frame_id in faults)
    reasons = [f"{n} of {len(rows)} frames {fault}" for fault, n in counted.most_common()]
    if len(usable) < params.fail_below_frames:
        reasons.insert(0, f"{len(usable)} usable frames; {params.fail_below_frames} are needed")
        return SegmentGrade(Grade.FAIL, usable, tuple(reasons))
    worn = len(usable) < params.degraded_below * len(rows)
    return SegmentGrade(Grade.DEGRADED if worn else Grade.PASS, usable, tuple(reasons))
