"""The three layers, pass or fail, and the cause of every failing cell."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from workers.geometry import F64, AnyArray, Bools
from workers.geometry.grid import Grid
from workers.geometry.surface import Surface
from workers.geometry.views import Cameras, count_views, seen_window

OWN_SIGMA_M = 0.1
WORST_SIGMAS = 2.0
"""Worst case and best chance: the map shifted by two standard deviations of its place."""


@dataclass(frozen=True)
class Views:
    """Which cameras count in which layer, (N,) masks over the same cameras.

    ``near``: usable frames without a pose, put where the nearest frame with one is and as uncertain as they are far
    from it in time; ``lost`` usable frames are of recordings without any pose: they may lie anywhere.
    """

    cameras: Cameras
    posed: Bools
    usable: Bools
    registered: Bools
    doubtful: Bools
    near: Cameras
    lost: int


@dataclass(frozen=True)
class Layers:
    """Per cell (rows, columns): views of the layers, pass in the best and the worst case, and what could be filmed.

    ``filmed_at_best``: views by usable frames with every picture grown by its place's uncertainty; where these are too
    few, no shift of the map within its uncertainty fills the gap. Frames of which only the time is known count there.
    """

    grid: Grid
    inside: Bools
    footprint: AnyArray
    filmed: AnyArray
    reconstructed: AnyArray
    passes: Bools
    passes_worst: Bools
    filmed_at_best: AnyArray
    cause: AnyArray


def make_layers(grid: Grid, inside: Bools, seabed: Surface, views: Views, needed: int) -> Layers:
    """Count views and name causes: the first that holds of not filmed, unusable, not reconstructed, stitch doubtful."""
    posed = views.cameras.take(views.posed)
    windows = [
        seen_window(part, grid, float(seabed.height_m.min()), WORST_SIGMAS) for part in (posed, views.near)
    ]
    filled = [(r, c) for r, c in windows if r.stop > r.start] or [(slice(0, 1), slice(0, 1))]
    rows = slice(min(r.start for r, _ in filled), max(r.stop for r, _ in filled))
    columns = slice(min(c.start for _, c in filled), max(c.stop for _, c in filled))
    part = grid.window(rows, columns)
    height = seabed.at(part.centres())

    def count_by(cameras: Cameras, sigmas: float) -> AnyArray:
        found = np.zeros(inside.shape, np.uint16)
        found[rows, columns] = count_views(cameras, part, height, sigmas)
        return found

    def count(which: Bools, sigmas: float = 0.0) -> AnyArray:
        return count_by(views.cameras.take(which), sigmas)

    filmed_by = views.posed & views.usable
    reconstructed_by = filmed_by & views.registered
    sure = reconstructed_by & ~views.doubtful
    footprint, filmed, reconstructed = count(views.posed), count(filmed_by), count(reconstructed_by)
    passes = inside & (count(sure) >= needed)
    cause = np.zeros(inside.shape, np.uint8)
    failing = inside & ~passes
    cause[failing] = 4
    cause[failing & (reconstructed < needed)] = 3
    cause[failing & (filmed < needed)] = 2
    cause[failing & (footprint < needed)] = 1
    return Layers(
        grid=grid,
        inside=inside,
        footprint=footprint,
        filmed=filmed,
        reconstructed=reconstructed,
        passes=passes,
        passes_worst=passes & (count(sure, WORST_SIGMAS) >= needed),
        filmed_at_best=count(filmed_by, -WORST_SIGMAS) + count_by(views.near, -WORST_SIGMAS),
        cause=cause,
    )


def filmed_area_m2(grid_cell_m: float, seabed: Surface, views: Views, component: AnyArray) -> float:
    """At most so much ground was filmed by usable frames, wherever the components lie: the sum of their areas.

    Overlaps between components count several times and frames without a pose count as a whole picture each, so this
    is an upper bound that needs the scale but no place.
    """
    usable = views.usable & views.posed
    total = 0.0
    for number in np.unique(component[usable]):
        mine = usable & (component == number)
        corners = _ground_bounds(views.cameras.camera_to_map[mine, :3, 3], seabed)
        grid = Grid.over(corners, grid_cell_m)
        cameras = views.cameras.take(mine)
        # Where the component lies does not matter here, only how its own pictures overlap.
        inner = replace(cameras, place_sigma_m=np.minimum(cameras.place_sigma_m, OWN_SIGMA_M))
        seen = count_views(inner, grid, seabed.at(grid.centres()), -WORST_SIGMAS)
        total += float((seen > 0).sum()) * grid_cell_m**2
    without = int((views.usable & ~views.posed).sum())
    return total + (without * picture_area_m2(views, seabed) if without else 0.0)


def picture_area_m2(views: Views, seabed: Surface) -> float:
    """Ground that one picture shows, as a median over those with a pose; infinite where there is none."""
    posed = np.flatnonzero(views.usable & views.posed)
    if not len(posed):
        return float("inf")
    cameras = views.cameras.take_numbers(posed)
    above = cameras.camera_to_map[:, 2, 3] - float(seabed.height_m.mean())
    area = above**2 * cameras.size.prod(1) / cameras.pinhole[:, :2].prod(1)
    return float(np.median(area))


def _ground_bounds(centres: F64, seabed: Surface) -> tuple[float, float, float, float]:
    reach = 4.0 * max(float(np.median(centres[:, 2]) - np.median(seabed.height_m)), 0.1)
    low, high = centres[:, :2].min(0) - reach, centres[:, :2].max(0) + reach
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])
