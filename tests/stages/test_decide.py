"""The four lines of the verdict, in order, and every reason."""

from __future__ import annotations

from typing import Any

import pytest

from workers.contract.params import VerdictParams
from workers.contract.products import ClockOffset, CoverageShares, Reason, Scale
from workers.contract.survey import Component, CoverageSummary, GapShape, MapFrame, StitchSummary
from workers.contract.words import AoiSource, Cause, Certainty, ScaleSource, VerdictWord
from workers.stages.verdict.decide import Evidence, decide

SURE = ClockOffset(recording="r", camera="c", offset_s=1.0, drift_ppm=0.0, sigma_s=0.05, ambiguous=False)


def gap(cause: Cause = Cause.NOT_FILMED, **changes: Any) -> GapShape:
    plain = GapShape(
        id=1,
        certainty=Certainty.CERTAIN,
        cause=cause,
        shares={cause.value: 1.0},
        cells=40,
        area_m2=2.0,
        width_m=2.5,
        centre=(0.0, 0.0),
        polygons=(),
        distance_to_track_m=1.0,
        stays=cause in (Cause.NOT_FILMED, Cause.UNUSABLE),
    )
    return plain.model_copy(update=changes)


def part(reason: str) -> Component:
    return Component(
        id=0,
        segments=("s0",),
        cameras=("c",),
        frames=60,
        placed=True,
        doubtful=True,
        reasons=(reason,),
        scale=1.0,
        residual_m=0.1,
        sigma_m=0.1,
        weak_direction=None,
        weak_sigma_m=None,
    )


def answer(*, params: VerdictParams | None = None, **changes: Any) -> tuple[VerdictWord, tuple[Reason, ...]]:
    """The answer to a good survey, changed; fields of both summaries by name."""
    stitch = StitchSummary(
        frame=MapFrame(epsg=32631),
        placed=True,
        scale=Scale(source=ScaleSource.NAV, relative_uncertainty=0.01, detail="nav"),
        clock_offsets=(SURE,),
        components=(),
        seams=(),
        loops=(),
    )
    coverage = CoverageSummary(
        aoi_source=AoiSource.FILE,
        aoi_area_m2=50.0,
        shares=CoverageShares(best=1.0, worst=0.99, filmed=1.0),
        cell_m=1 / 6,
        gaps=(),
        doubtful_cells=0,
        filmed_area_m2=200.0,
        asked_area_m2=50.0,
    )
    rest = {name: changes.pop(name) for name in ("unfinished", "unread") if name in changes}
    mine = {name: value for name, value in changes.items() if name in StitchSummary.model_fields}
    theirs = {name: value for name, value in changes.items() if name in CoverageSummary.model_fields}
    assert set(mine) | set(theirs) == set(changes)
    evidence = Evidence(
        stitch.model_copy(update=mine),
        coverage.model_copy(update=theirs),
        rest.get("unfinished", 0),
        rest.get("unread", ()),
        {1: ("s0", "s1")},
    )
    return decide(evidence, params or VerdictParams())


def codes(reasons: tuple[Reason, ...]) -> list[str]:
    return [reason.code for reason in reasons]


def test_a_covered_area_is_complete() -> None:
    word, reasons = answer()
    assert (word, codes(reasons)) == (VerdictWord.COMPLETE, ["covered"])


@pytest.mark.parametrize("cause", [Cause.NOT_FILMED, Cause.UNUSABLE])
def test_a_hole_that_stays_is_not_complete_whatever_else_is_in_doubt(cause: Cause) -> None:
    doubts: dict[str, Any] = {
        "doubtful_cells": 9,
        "components": (part("its clock"),),
        "aoi_source": AoiSource.TRACK_HULL,
    }
    word, reasons = answer(gaps=(gap(cause),), **doubts)
    assert word is VerdictWord.NOT_COMPLETE
    assert codes(reasons) == [f"gap_{cause.value}", "no_aoi", "stitch_doubtful"]
    assert reasons[0].segments == ("s0", "s1")


@pytest.mark.parametrize("cause", list(Cause))
def test_a_certain_gap_that_may_close_is_cannot_tell(cause: Cause) -> None:
    word, reasons = answer(gaps=(gap(cause, stays=False),))
    assert (word, codes(reasons)) == (VerdictWord.CANNOT_TELL, [f"gap_{cause.value}"])


def test_a_possible_gap_changes_nothing() -> None:
    narrow = gap(certainty=Certainty.POSSIBLE, stays=False)
    assert answer(gaps=(narrow,))[0] is VerdictWord.COMPLETE


@pytest.mark.parametrize("waiting", [{"unfinished": 2}, {"unread": ("s4",)}])
def test_while_footage_is_unread_a_hole_is_not_certain(waiting: dict[str, Any]) -> None:
    word, reasons = answer(gaps=(gap(),), **waiting)
    assert word is VerdictWord.CANNOT_TELL
    assert codes(reasons) == [*({"unfinished": "unfinished", "unread": "unread"}[name] for name in waiting)]


def test_unread_segments_are_named() -> None:
    assert answer(unread=("s4", "s5"))[1][0].segments == ("s4", "s5")


NO_SCALE = Scale(source=ScaleSource.NONE, relative_uncertainty=None, detail="no nav log was given")
TYPED = Scale(source=ScaleSource.TYPED, relative_uncertainty=0.2, detail="typed-in altitude")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"scale": NO_SCALE}, "no_scale"),
        ({"scale": TYPED, "placed": False}, "no_place"),
        ({"frame": MapFrame(epsg=None)}, "no_place"),
        ({"clock_offsets": (SURE.model_copy(update={"ambiguous": True}),)}, "clock_ambiguous"),
        ({"aoi_source": AoiSource.TRACK_HULL}, "no_aoi"),
        ({"unfinished": 1}, "unfinished"),
        ({"unread": ("s1",)}, "unread"),
        ({"doubtful_cells": 1}, "stitch_doubtful"),
        ({"shares": CoverageShares(best=0.99, worst=0.94, filmed=1.0)}, "worst_case"),
        ({"worst_holes": 1}, "worst_case"),
        ({"shares": CoverageShares(best=None, worst=None, filmed=None)}, "no_coverage"),
    ],
)
def test_each_doubt_alone_is_cannot_tell(changes: dict[str, Any], code: str) -> None:
    word, reasons = answer(**changes)
    assert (word, codes(reasons)) == (VerdictWord.CANNOT_TELL, [code])


def test_the_hull_of_the_tracks_is_the_site_only_when_somebody_says_so() -> None:
    assert answer(aoi_source=AoiSource.TRACK_HULL)[0] is VerdictWord.CANNOT_TELL
    sure = VerdictParams(hull_is_site=True)
    assert answer(aoi_source=AoiSource.TRACK_HULL, params=sure)[0] is VerdictWord.COMPLETE


def test_ground_between_pieces_without_a_place_is_no_hole() -> None:
    word, reasons = answer(scale=TYPED, placed=False, gaps=(gap(),))
    assert word is VerdictWord.CANNOT_TELL
    assert codes(reasons)[0] == "no_place"


def test_too_little_film_for_the_area_is_not_complete_even_without_a_place() -> None:
    word, reasons = answer(scale=TYPED, placed=False, filmed_area_m2=10.0)
    assert word is VerdictWord.NOT_COMPLETE
    assert codes(reasons)[0] == "too_little_filmed"


def test_an_uncertain_scale_may_make_little_film_enough() -> None:
    word, _ = answer(scale=TYPED, placed=False, filmed_area_m2=30.0)
    assert word is VerdictWord.CANNOT_TELL


def test_small_holes_everywhere_are_not_complete() -> None:
    word, reasons = answer(shares=CoverageShares(best=0.949, worst=0.949, filmed=1.0))
    assert word is not VerdictWord.COMPLETE
    assert codes(reasons) == ["worst_case"]


def test_a_share_below_the_limit_without_any_doubt_is_not_complete() -> None:
    word, reasons = answer(shares=CoverageShares(best=0.94, worst=None, filmed=1.0))
    assert (word, codes(reasons)) == (VerdictWord.NOT_COMPLETE, ["too_little"])


def test_per_cents_are_never_rounded_up() -> None:
    assert "94 %" in answer(shares=CoverageShares(best=0.9499, worst=None, filmed=1.0))[1][0].text
