"""A grid of square cells on the map: rows from south to north, columns from west to east."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely
from shapely import Geometry

from workers.geometry import F64, Bools

SMALLEST_SHARE = 0.02
"""A cell of which less lies in the area is rounding, not ground."""


@dataclass(frozen=True)
class Grid:
    """``x0``, ``y0``: lower left corner (map frame, metres); ``cell_m``: side; ``rows``, ``columns``."""

    x0: float
    y0: float
    cell_m: float
    rows: int
    columns: int

    @staticmethod
    def over(bounds: tuple[float, float, float, float], cell_m: float) -> Grid:
        """The grid over (west, south, east, north), its corners on multiples of the cell."""
        west, south, east, north = bounds
        x0, y0 = math.floor(west / cell_m + 1e-9) * cell_m, math.floor(south / cell_m + 1e-9) * cell_m
        columns = max(1, math.ceil((east - x0) / cell_m - 1e-9))
        rows = max(1, math.ceil((north - y0) / cell_m - 1e-9))
        return Grid(x0, y0, cell_m, rows, columns)

    def centres(self) -> F64:
        """Cell centres (rows, columns, 2)."""
        x = self.x0 + (np.arange(self.columns) + 0.5) * self.cell_m
        y = self.y0 + (np.arange(self.rows) + 0.5) * self.cell_m
        return np.stack(np.meshgrid(x, y), axis=-1)

    def window(self, rows: slice, columns: slice) -> Grid:
        """The part of the grid in these rows and columns."""
        return Grid(
            self.x0 + columns.start * self.cell_m,
            self.y0 + rows.start * self.cell_m,
            self.cell_m,
            rows.stop - rows.start,
            columns.stop - columns.start,
        )

    def touching(self, area: Geometry) -> Bools:
        """Which cells share ground with an area (map frame), (rows, columns): its edges are not rounded off."""
        centres = self.centres()
        shapely.prepare(area)
        found: Bools = shapely.contains_xy(area, centres[..., 0], centres[..., 1])
        reach = shapely.buffer(shapely.boundary(area), self.cell_m * 0.75)
        shapely.prepare(reach)
        row, column = np.nonzero(shapely.contains_xy(reach, centres[..., 0], centres[..., 1]) & ~found)
        west, south = self.x0 + column * self.cell_m, self.y0 + row * self.cell_m
        boxes = shapely.box(west, south, west + self.cell_m, south + self.cell_m)
        shared = shapely.area(shapely.intersection(boxes, area))
        found[row, column] = shared > SMALLEST_SHARE * self.cell_m**2
        return found

    def cell_of(self, xy: F64) -> tuple[F64, F64]:
        """Row and column (as floats, unclipped floor) of points (N,2)."""
        return np.floor((xy[:, 1] - self.y0) / self.cell_m), np.floor((xy[:, 0] - self.x0) / self.cell_m)
