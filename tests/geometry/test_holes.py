"""The hole finder, after the NOAA manual's example and at the edges of the area."""

from __future__ import annotations

import numpy as np

from workers.contract.words import Certainty
from workers.geometry import Bools
from workers.geometry.holes import find_holes, has_box, has_line


def noaa_example() -> Bools:
    """Holes of 12 (3 x 4), 7 (with three in a line, no box) and 2 nodes."""
    failing = np.zeros((14, 16), bool)
    failing[2:5, 2:6] = True
    failing[8, 3:7] = failing[9, 3:5] = failing[10, 3] = True
    failing[8, 12:14] = True
    return failing


def test_the_noaa_example_gives_three_two_and_one_holes() -> None:
    holes = find_holes(noaa_example())
    assert [len(hole.cells) for hole in holes] == [12, 7, 2]
    line = [hole for hole in holes if hole.certainty is not None]
    box = [hole for hole in holes if hole.certainty is Certainty.CERTAIN]
    assert (len(holes), len(line), len(box)) == (3, 2, 1)


def test_a_hole_at_the_edge_of_the_grid_is_found() -> None:
    failing = np.zeros((6, 6), bool)
    failing[:3, :3] = True
    failing[5, 3:] = True
    assert [hole.certainty for hole in find_holes(failing)] == [Certainty.CERTAIN, Certainty.POSSIBLE]


def test_cells_that_touch_by_a_corner_are_two_holes() -> None:
    failing = np.zeros((8, 8), bool)
    failing[:3, :3] = failing[3:6, 3:6] = True
    assert len(find_holes(failing)) == 2


def test_a_wide_hole_without_a_full_box_is_only_possible() -> None:
    failing = np.zeros((20, 20), bool)
    failing[4:6, 2:18] = True
    assert [hole.certainty for hole in find_holes(failing)] == [Certainty.POSSIBLE]


def test_cells_of_a_hole_are_those_of_the_grid() -> None:
    failing = noaa_example()
    rebuilt = np.zeros_like(failing)
    for hole in find_holes(failing):
        rebuilt[hole.cells[:, 0], hole.cells[:, 1]] = True
    np.testing.assert_array_equal(rebuilt, failing)


def test_a_box_and_a_line_may_fill_the_whole_mask() -> None:
    assert has_box(np.ones((3, 3), bool))
    assert not has_box(np.ones((2, 9), bool))
    assert has_line(np.ones((1, 3), bool))
    assert not has_line(np.ones((2, 2), bool))


def test_no_failing_cell_is_no_hole() -> None:
    assert find_holes(np.zeros((5, 5), bool)) == []
