"""The three layers, pass or fail, and the cause of every failing cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workers.geometry import F64, AnyArray, Bools
from workers.geometry.grid import Grid
from workers.geometry.surface import Surface
from workers.geometry.views import Cameras, count_views

WORST_SIGMAS = 2.0
"""Worst case and best chance: the map shifted by two standard deviations of its place."""


@dataclass(frozen=True)
class Views:
    """Which cameras count in which layer, (N,) masks over the same cameras."""

    cameras: Cameras
    posed: Bools
    usable: Bools
    registered: Bools
    doubtful: Bools


@dataclass(frozen=True)
class Layers:
    """Per cell (rows, columns): views of the layers, pass in the best and the worst case, and what could be filmed.

    ``filmed_at_best``: views by usable frames with every picture grown by its place's uncertainty; where these are too
    few, no shift of the map within its uncertainty fills the gap.
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
    height = seabed.at(grid.centres())

    def count(which: Bools, sigmas: float = 0.0) -> AnyArray:
        return count_views(views.cameras.take(which), grid, height, sigmas)

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
        filmed_at_best=count(filmed_by, -WORST_SIGMAS),
        cause=cause,
    )


def filmed_area_m2(grid_cell_m: float, seabed: Surface, views: Views, component: AnyArray) -> float:
    """At most so much ground was filmed by usable frames, wherever the components lie: the sum of their areas.

    Overlaps between components count several times and frames without a pose count as a whole picture each, so this
    is an upper bound that needs the scale but no place.
    """
    usable = views.usable & views.posed
    total, pictures = 0.0, []
    for number in np.unique(component[usable]):
        mine = usable & (component == number)
        corners = _ground_bounds(views.cameras.camera_to_map[mine, :3, 3], seabed)
        grid = Grid.over(corners, grid_cell_m)
        seen = count_views(views.cameras.take(mine), grid, seabed.at(grid.centres()), -WORST_SIGMAS)
        total += float((seen > 0).sum()) * grid_cell_m**2
    for n in np.flatnonzero(usable)[:200]:
        fx, fy = views.cameras.pinhole[n, :2]
        width, height = views.cameras.size[n]
        above = float(views.cameras.camera_to_map[n, 2, 3] - seabed.height_m.mean())
        pictures.append(above**2 * width * height / (fx * fy))
    without = int((views.usable & ~views.posed).sum())
    return total + without * (float(np.median(pictures)) if pictures else float("inf"))


def _ground_bounds(centres: F64, seabed: Surface) -> tuple[float, float, float, float]:
    reach = 4.0 * max(float(np.median(centres[:, 2]) - np.median(seabed.height_m)), 0.1)
    low, high = centres[:, :2].min(0) - reach, centres[:, :2].max(0) + reach
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])
