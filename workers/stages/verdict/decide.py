"""The four lines of the verdict, in order; the first that holds is the answer.

1. **not complete**: a certain gap that was not filmed, or filmed unusably, and stays when the map is shifted by its
   uncertainty; or so little was filmed that it cannot fill the area wherever it lies.
2. **cannot tell**: scale or place unknown; no area of interest and nobody said that the hull of the tracks is the site;
   work unfinished; a doubtful stitch touches the area; other certain gaps; or the worst case is below the limit.
3. **complete**: the best estimate reaches the limit, and there is no certain gap.
4. **not complete** otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

from workers.contract.params import VerdictParams
from workers.contract.products import Reason
from workers.contract.survey import CoverageSummary, GapShape, StitchSummary
from workers.contract.words import AoiSource, Cause, Certainty, ScaleSource, VerdictWord


@dataclass(frozen=True)
class Evidence:
    """What the answer rests on.

    ``unfinished``: segments still to be looked at. ``unread``: segments whose frames could not be taken, so nobody
    knows what they show. ``segments_of_gap``: segments whose pictures reach into a gap, by gap id.
    """

    stitch: StitchSummary
    coverage: CoverageSummary
    unfinished: int
    unread: tuple[str, ...]
    segments_of_gap: dict[int, tuple[str, ...]]


def decide(evidence: Evidence, params: VerdictParams) -> tuple[VerdictWord, tuple[Reason, ...]]:
    """The answer and its reasons, the deciding ones first."""
    holes = _holes(evidence, params)
    doubts = _doubts(evidence, params)
    if holes:
        return VerdictWord.NOT_COMPLETE, (*holes, *doubts)
    if doubts:
        return VerdictWord.CANNOT_TELL, doubts
    best = evidence.coverage.shares.best
    certain = [gap for gap in evidence.coverage.gaps if gap.certainty is Certainty.CERTAIN]
    if best is not None and best >= params.complete_fraction and not certain:
        text = (
            f"{_percent(best)} of the area passes, and no gap is as large as the smallest hole that matters."
        )
        return VerdictWord.COMPLETE, (Reason(code="covered", text=text),)
    share = "An unknown share" if best is None else _percent(best)
    text = f"{share} of the area passes; {_percent(params.complete_fraction)} are asked for."
    return VerdictWord.NOT_COMPLETE, (Reason(code="too_little", text=text),)


def _holes(evidence: Evidence, params: VerdictParams) -> tuple[Reason, ...]:
    """Line 1. While footage is unread, a hole may be ground that was filmed and that nobody looked at yet."""
    if evidence.unfinished or evidence.unread or evidence.coverage.shares.best is None:
        return ()
    # Without a place the pieces lie side by side: the ground between them is not a hole in the site.
    gaps = evidence.coverage.gaps if evidence.stitch.placed else ()
    reasons = [_gap_reason(gap, evidence) for gap in gaps if gap.stays]
    return (*reasons, *_too_little_filmed(evidence.coverage, evidence.stitch, params))


def _gap_reason(gap: GapShape, evidence: Evidence) -> Reason:
    why = "was not filmed" if gap.cause is Cause.NOT_FILMED else "was filmed, but the frames are unusable"
    text = f"Gap {gap.id}: {gap.area_m2:.1f} m2, up to {gap.width_m:.1f} m across, {why}."
    return Reason(code=f"gap_{gap.cause.value}", text=text, segments=evidence.segments_of_gap.get(gap.id, ()))


def _too_little_filmed(
    coverage: CoverageSummary, stitch: StitchSummary, params: VerdictParams
) -> tuple[Reason, ...]:
    """All usable pictures side by side do not fill the area: no place and no stitch can mend that."""
    asked, filmed = coverage.asked_area_m2, coverage.filmed_area_m2
    if asked is None or filmed is None or stitch.scale.relative_uncertainty is None:
        return ()
    most = filmed * (1.0 + 2.0 * stitch.scale.relative_uncertainty) ** 2
    if most >= params.complete_fraction * asked:
        return ()
    text = (
        f"All usable pictures together show at most {most:.1f} m2 of the {asked:.1f} m2 that were asked for."
    )
    return (Reason(code="too_little_filmed", text=text),)


def _has_site(source: AoiSource, params: VerdictParams) -> bool:
    return source is not AoiSource.TRACK_HULL or params.hull_is_site


def _doubts(evidence: Evidence, params: VerdictParams) -> tuple[Reason, ...]:
    """Line 2: everything that keeps the answer from being yes."""
    return (
        *_unknown_scale_or_place(evidence.stitch),
        *_not_there(evidence.coverage),
        *_no_site(evidence.coverage.aoi_source, params),
        *_unfinished(evidence),
        *_doubtful_stitch(evidence),
        *_open_gaps(evidence),
        *_worst_case(evidence.coverage, params),
        *_no_coverage(evidence),
    )


def _unknown_scale_or_place(stitch: StitchSummary) -> tuple[Reason, ...]:
    reasons = []
    if stitch.scale.source is ScaleSource.NONE:
        reasons.append(Reason(code="no_scale", text=f"There are no metres: {stitch.scale.detail}."))
    elif not stitch.placed or stitch.scale.relative_uncertainty is None:
        reasons.append(
            Reason(code="no_place", text=f"The place on the map is unknown: {stitch.scale.detail}.")
        )
    elif stitch.frame.epsg is None:
        reasons.append(
            Reason(code="no_place", text="Nav is in local metres: the place on the earth is unknown.")
        )
    ambiguous = [
        offset for offset in stitch.clock_offsets if offset.ambiguous and offset.offset_s is not None
    ]
    if ambiguous:
        names = ", ".join(offset.recording for offset in ambiguous)
        text = f"The camera clock could not be tied to nav for sure: {names} ({ambiguous[0].detail})."
        reasons.append(Reason(code="clock_ambiguous", text=text))
    return tuple(reasons)


def _not_there(coverage: CoverageSummary) -> tuple[Reason, ...]:
    if coverage.shares.filmed != 0.0 or coverage.aoi_source is AoiSource.TRACK_HULL:
        return ()
    text = "No cell of the area was filmed: is it the right area, and is the nav log that of this dive?"
    return (Reason(code="area_not_touched", text=text),)


def _no_site(source: AoiSource, params: VerdictParams) -> tuple[Reason, ...]:
    if _has_site(source, params):
        return ()
    text = (
        "There is no area of interest: the hull of the tracks stands for it, and strips missed at its edge "
        "cannot be seen."
    )
    return (Reason(code="no_aoi", text=text),)


def _unfinished(evidence: Evidence) -> tuple[Reason, ...]:
    reasons = []
    if evidence.unfinished:
        text = f"{evidence.unfinished} segments are still to be looked at."
        reasons.append(Reason(code="unfinished", text=text))
    if evidence.unread:
        text = (
            f"The frames of {len(evidence.unread)} segments could not be taken: nobody knows what they show."
        )
        reasons.append(Reason(code="unread", text=text, segments=evidence.unread))
    return tuple(reasons)


def _doubtful_stitch(evidence: Evidence) -> tuple[Reason, ...]:
    if not evidence.coverage.doubtful_cells:
        return ()
    doubtful = [part for part in evidence.stitch.components if part.doubtful]
    segments = tuple(dict.fromkeys(segment for part in doubtful for segment in part.segments))
    why = next((reason for part in doubtful for reason in part.reasons), "its place is uncertain")
    area = evidence.coverage.doubtful_cells * evidence.coverage.cell_m**2
    text = f"{area:.1f} m2 of the area rest on a stitch in doubt: {why}."
    return (Reason(code="stitch_doubtful", text=text, segments=segments),)


def _open_gaps(evidence: Evidence) -> tuple[Reason, ...]:
    reasons = []
    for gap in evidence.coverage.gaps:
        if gap.certainty is not Certainty.CERTAIN or gap.stays:
            continue
        if gap.cause in (Cause.NOT_FILMED, Cause.UNUSABLE):
            why = "looks like a hole, but the map is too uncertain to be sure"
        elif gap.cause is Cause.NOT_RECONSTRUCTED:
            why = "was filmed with usable frames, but not reconstructed; a replay may close it"
        else:
            why = "is reconstructed, but its place is in doubt; a new stitch may close it"
        text = f"Gap {gap.id}: {gap.area_m2:.1f} m2 {why}."
        segments = evidence.segments_of_gap.get(gap.id, ())
        reasons.append(Reason(code=f"gap_{gap.cause.value}", text=text, segments=segments))
    return tuple(reasons)


def _worst_case(coverage: CoverageSummary, params: VerdictParams) -> tuple[Reason, ...]:
    worst = coverage.shares.worst
    if worst is not None and worst < params.complete_fraction:
        asked = _percent(params.complete_fraction)
        text = f"In the worst case {_percent(worst)} of the area passes; {asked} are asked for."
        return (Reason(code="worst_case", text=text),)
    if coverage.worst_holes:
        text = "The map is not certain enough to rule out a hole as large as the smallest that matters."
        return (Reason(code="worst_case", text=text),)
    return ()


def _no_coverage(evidence: Evidence) -> tuple[Reason, ...]:
    coverage = evidence.coverage
    if coverage.shares.best is not None or evidence.stitch.scale.source is ScaleSource.NONE:
        return ()
    why = "; ".join(coverage.warnings) or "the area of interest holds no cell of the grid"
    return (Reason(code="no_coverage", text=f"{why[0].upper()}{why[1:]}."),)


def _percent(share: float) -> str:
    """Whole per cent, never rounded up to a better answer."""
    return f"{int(share * 100.0 + 1e-9)} %"
