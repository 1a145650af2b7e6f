"""Ranking within the dive, on measures written down by hand."""

from dataclasses import replace
from pathlib import Path

import pytest

from cosmaqc_gui.core.grade import QualityRow, grade_dive, read_quality
from workers.contract.params import QualityParams
from workers.contract.words import Grade

GOOD = QualityRow("", sharpness=18.0, brightness=85.0, contrast=62.0, haze=0.64, matches=370, detail=0.5)
SAND = replace(GOOD, sharpness=2.3, contrast=22.0, haze=0.87, matches=340)
BLURRED = replace(GOOD, sharpness=1.7, contrast=53.0, detail=0.1)
MILKY = replace(GOOD, sharpness=0.6, contrast=17.0, haze=0.93, matches=360, detail=0.17)
MURK = replace(GOOD, sharpness=0.07, contrast=12.7, haze=0.93, matches=90, detail=0.0)
DARK = replace(GOOD, sharpness=0.4, brightness=9.0, contrast=7.0, haze=0.62, matches=220, detail=0.38)
LOST = replace(GOOD, matches=5)


def rows(*kinds: tuple[QualityRow, int], prefix: str = "f") -> tuple[QualityRow, ...]:
    """So many frames of each kind, with ids of their own."""
    measures = [kind for kind, count in kinds for _ in range(count)]
    return tuple(replace(row, frame_id=f"{prefix}{n:03d}") for n, row in enumerate(measures))


@pytest.mark.parametrize("bad", [BLURRED, MILKY, MURK, DARK, LOST])
@pytest.mark.parametrize(("good", "spoilt"), [(90, 10), (50, 50), (30, 70)])
def test_that_bad_frames_are_told_apart_even_when_they_are_the_most(
    bad: QualityRow, good: int, spoilt: int
) -> None:
    graded = grade_dive({"s": rows((GOOD, good), (bad, spoilt))}, QualityParams())["s"]
    assert graded.usable == tuple(f"f{n:03d}" for n in range(good))


def test_that_half_a_dive_over_sand_is_usable() -> None:
    graded = grade_dive({"s": rows((GOOD, 50), (SAND, 50))}, QualityParams())["s"]
    assert graded.grade is Grade.PASS
    assert len(graded.usable) == 100


def test_that_a_segment_that_is_bad_throughout_is_judged_by_the_rest_of_the_dive() -> None:
    dive = {"good": rows((GOOD, 60), prefix="g"), "bad": rows((BLURRED, 60), prefix="b")}
    graded = grade_dive(dive, QualityParams())
    assert graded["good"].grade is Grade.PASS
    assert graded["bad"].grade is Grade.FAIL
    assert graded["bad"].usable == ()
    assert "60 of 60 frames blurred" in graded["bad"].reasons


def test_that_a_dive_in_which_nothing_is_found_again_has_no_usable_frame() -> None:
    graded = grade_dive({"s": rows((MURK, 120))}, QualityParams())["s"]
    assert graded.grade is Grade.FAIL
    assert graded.usable == ()
    assert any("not found again" in reason for reason in graded.reasons)


def test_that_some_bad_frames_degrade_a_segment_and_a_few_do_not() -> None:
    params = QualityParams()
    assert grade_dive({"s": rows((GOOD, 95), (BLURRED, 5))}, params)["s"].grade is Grade.PASS
    graded = grade_dive({"s": rows((GOOD, 70), (BLURRED, 30))}, params)["s"]
    assert graded.grade is Grade.DEGRADED
    assert graded.reasons == ("30 of 100 frames blurred",)


def test_that_too_few_usable_frames_fail_a_segment_but_stay_usable_views() -> None:
    graded = grade_dive({"s": rows((GOOD, 5))}, QualityParams())["s"]
    assert graded.grade is Grade.FAIL
    assert len(graded.usable) == 5
    assert graded.reasons == ("5 usable frames; 8 are needed",)


def test_that_a_shared_frame_is_judged_alike_in_both_segments_by_its_better_link() -> None:
    one = rows((GOOD, 20))
    # the other segment starts with this frame, where its only neighbour is milky
    two = (replace(one[-1], matches=3, detail=0.0), *rows((MURK, 10), prefix="m"))
    graded = grade_dive({"one": one, "two": two}, QualityParams())
    assert one[-1].frame_id in graded["one"].usable
    assert graded["two"].usable == (one[-1].frame_id,)


def test_that_few_matches_leave_room_for_chance_in_their_detail() -> None:
    thin = replace(GOOD, matches=16, detail=0.2)
    assert len(grade_dive({"s": rows((GOOD, 50), (thin, 5))}, QualityParams())["s"].usable) == 55


def test_that_an_empty_dive_and_an_empty_segment_are_graded() -> None:
    assert grade_dive({}, QualityParams()) == {}
    assert grade_dive({"s": ()}, QualityParams())["s"].grade is Grade.FAIL


def test_that_rows_are_read_back_as_written(tmp_path: Path) -> None:
    file = tmp_path / "quality.csv"
    file.write_text("frame_id,sharpness,brightness,contrast,haze,matches,detail\na,18,85,62,0.64,370,0.5\n")
    assert read_quality(file) == (replace(GOOD, frame_id="a"),)
