"""Cutting recordings into segments."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmaqc_gui.core.segments import slice_recording
from tests.core.footage import recording, stills
from workers.contract.params import IngestParams

PARAMS = IngestParams()


def spans(seconds: list[float], numbers: list[int] | None = None) -> list[tuple[float, float, float]]:
    return [(s.start_s, s.own_end_s, s.end_s) for s in slice_recording(recording(seconds, numbers), PARAMS)]


def test_that_slices_share_their_overlap_with_the_next() -> None:
    assert spans([180]) == [(0, 60, 64), (60, 120, 124), (120, 180, 180)]


def test_that_an_overlap_reaches_into_the_next_chapter() -> None:
    segments = slice_recording(recording([60, 60]), PARAMS)
    assert [(s.end_s, s.chapters) for s in segments] == [(64, (1, 2)), (120, (2,))]


def test_that_an_overlap_does_not_reach_across_a_missing_chapter() -> None:
    segments = slice_recording(recording([60, 60], numbers=[1, 3]), PARAMS)
    assert [(s.id, s.end_s, s.chapters) for s in segments] == [
        ("AUV01-PORT_0012_01_000", 60, (1,)),
        ("AUV01-PORT_0012_03_000", 120, (3,)),
    ]


def test_that_a_short_rest_joins_the_slice_before_it() -> None:
    assert spans([70]) == [(0, 70, 70)]
    assert spans([75]) == [(0, 60, 64), (60, 75, 75)]


def test_that_a_short_chapter_is_a_segment_of_its_own() -> None:
    assert spans([5, 60]) == [(0, 5, 9), (5, 65, 65)]


def test_that_an_overlap_ends_with_a_next_chapter_that_is_shorter_than_it() -> None:
    assert spans([60, 2, 60])[0] == (0, 60, 62)


@given(
    seconds=st.lists(st.floats(0.5, 900), min_size=1, max_size=5),
    segment_s=st.floats(5, 200),
    overlap_s=st.floats(0, 10),
)
def test_that_segments_own_every_moment_of_a_recording_once(
    seconds: list[float], segment_s: float, overlap_s: float
) -> None:
    filmed = recording(seconds)
    segments = slice_recording(filmed, IngestParams(segment_s=segment_s, overlap_s=overlap_s))
    assert segments[0].start_s == 0
    assert segments[-1].own_end_s == filmed.duration_s == segments[-1].end_s
    assert len({s.id for s in segments}) == len(segments)
    for one, next_one in pairwise(segments):
        assert one.own_end_s == next_one.start_s
        assert one.end_s >= one.own_end_s > one.start_s


def test_that_stills_are_cut_by_number_and_share_some() -> None:
    segments = slice_recording(stills(300), PARAMS)
    assert [(s.start_s, s.own_end_s, s.end_s) for s in segments] == [
        (0, 120, 128),
        (120, 240, 248),
        (240, 300, 300),
    ]


@pytest.mark.parametrize("count", [1, 7, 120, 140])
def test_that_a_small_folder_of_stills_is_one_segment(count: int) -> None:
    (only,) = slice_recording(stills(count), PARAMS)
    assert only.start_s == 0
    assert only.end_s == count
