"""The seabed as a height grid made from points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.interpolate import RegularGridInterpolator

from workers.geometry import F64, Bools
from workers.geometry.grid import Grid


@dataclass(frozen=True)
class Surface:
    """``height_m`` (rows, columns) at the grid's cell centres, map frame; ``known``: measured there."""

    grid: Grid
    height_m: F64
    known: Bools

    def at(self, xy: F64) -> F64:
        """Heights (..., ) at places (..., 2): bilinear inside, the nearest edge's height outside."""
        grid = self.grid
        x = grid.x0 + (np.arange(grid.columns) + 0.5) * grid.cell_m
        y = grid.y0 + (np.arange(grid.rows) + 0.5) * grid.cell_m
        if grid.rows < 2 or grid.columns < 2:
            return np.full(xy.shape[:-1], float(self.height_m.mean()))
        field = RegularGridInterpolator((y, x), self.height_m)
        clipped = np.stack([np.clip(xy[..., 1], y[0], y[-1]), np.clip(xy[..., 0], x[0], x[-1])], axis=-1)
        heights: F64 = field(clipped)
        return heights


def flat(height_m: float, bounds: tuple[float, float, float, float], cell_m: float) -> Surface:
    """A level seabed over (west, south, east, north), nothing of it measured."""
    grid = Grid.over(bounds, cell_m)
    shape = (grid.rows, grid.columns)
    return Surface(grid, np.full(shape, height_m), np.zeros(shape, bool))


def from_points(points: F64, bounds: tuple[float, float, float, float], cell_m: float) -> Surface:
    """Median height of the points (N,3) of each cell; cells without points take the nearest measured one's.

    Filled ground is smoothed, so that a hole in the points does not get cliffs.
    """
    grid = Grid.over(bounds, cell_m)
    row, column = grid.cell_of(points[:, :2])
    inside = (row >= 0) & (row < grid.rows) & (column >= 0) & (column < grid.columns)
    index = (row[inside] * grid.columns + column[inside]).astype(int)
    z = points[inside, 2]
    if len(z) == 0:
        return flat(float(np.median(points[:, 2])) if len(points) else 0.0, bounds, cell_m)
    order = np.lexsort((z, index))
    cells, first, count = np.unique(index[order], return_index=True, return_counts=True)
    # Heights are sorted within a cell, so its median is the one in the middle.
    medians = z[order][first + (count - 1) // 2]
    sparse = np.full(grid.rows * grid.columns, np.nan)
    sparse[cells] = medians
    height = sparse.reshape(grid.rows, grid.columns)
    known = np.isfinite(height)
    nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
    filled = height[tuple(nearest)]
    smooth = ndimage.gaussian_filter(ndimage.median_filter(filled, 3, mode="nearest"), 1.0, mode="nearest")
    return Surface(grid, np.where(known, ndimage.median_filter(filled, 3, mode="nearest"), smooth), known)
