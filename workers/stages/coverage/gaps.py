"""Gaps: connected failing cells with their size, cause, and whether they stay when the map is shifted."""

from __future__ import annotations

import numpy as np
import shapely
from affine import Affine
from rasterio.features import shapes
from shapely import Geometry, MultiPoint
from shapely.geometry import shape

from workers.contract.survey import CAUSES, GapShape
from workers.contract.words import Cause, Certainty
from workers.geometry import F64, AnyArray, Bools
from workers.geometry.grid import Grid
from workers.geometry.holes import Hole, find_holes, has_box
from workers.stages.coverage.layers import Layers

DIVE_AGAIN = (Cause.NOT_FILMED, Cause.UNUSABLE)


def find_gaps(
    layers: Layers, needed: int, track_xy: F64, area: Geometry, *, lost_m2: float = 0.0
) -> tuple[tuple[GapShape, ...], AnyArray]:
    """Certain and possible gaps, largest first, and the gap id of every cell (0: none).

    Args:
        layers: of 07.
        needed: views a cell needs.
        track_xy: (N,2) camera centres, for the distance to the nearest track.
        area: the area of interest, by which gaps at its edge are cut.
        lost_m2: ground that usable frames without any place show: a gap no larger may be filled by them.
    """
    failing = layers.inside & ~layers.passes
    stays = layers.inside & (layers.filmed_at_best < needed)
    gap_of = np.zeros(failing.shape, np.int32)
    gaps: list[GapShape] = []
    for hole in find_holes(failing):
        if hole.certainty is None:
            continue
        number = len(gaps) + 1
        gap_of[hole.cells[:, 0], hole.cells[:, 1]] = number
        gap = _describe(number, hole, hole.certainty, layers, stays, track_xy, area)
        gaps.append(gap.model_copy(update={"stays": gap.stays and gap.area_m2 > lost_m2}))
    return tuple(gaps), gap_of


def worst_holes(layers: Layers) -> int:
    """Number of certain holes in the worst case that the best estimate does not show."""
    failing = layers.inside & ~layers.passes_worst
    holes = [hole for hole in find_holes(failing) if hole.certainty is Certainty.CERTAIN]
    sure = [has_box(np.pad(_box_mask(hole.cells, ~layers.passes)[1], 1)) for hole in holes]
    return sure.count(False)


def _box_mask(cells: AnyArray, among: Bools | None = None) -> tuple[AnyArray, Bools]:
    """Lowest row and column of cells (N,2), and the mask of those (also in ``among``) in their bounding box."""
    low = cells.min(0)
    mask = np.zeros(tuple(cells.max(0) - low + 1), bool)
    mask[cells[:, 0] - low[0], cells[:, 1] - low[1]] = (
        True if among is None else among[cells[:, 0], cells[:, 1]]
    )
    return low, mask


def _describe(
    number: int,
    hole: Hole,
    certainty: Certainty,
    layers: Layers,
    stays: AnyArray,
    track_xy: F64,
    area: Geometry,
) -> GapShape:
    rows, columns = hole.cells.T
    causes = layers.cause[rows, columns]
    shares = {
        cause.value: float((causes == n + 1).mean())
        for n, cause in enumerate(CAUSES)
        if (causes == n + 1).any()
    }
    cause = max(CAUSES, key=lambda one: shares.get(one.value, 0.0))
    outline = shapely.intersection(outline_of(layers.grid, hole.cells), area)
    core = _box_mask(hole.cells, stays)[1]
    centre = shapely.get_coordinates(shapely.centroid(outline))[0]
    return GapShape(
        id=number,
        certainty=certainty,
        cause=cause,
        shares=shares,
        cells=len(hole.cells),
        area_m2=float(shapely.area(outline)),
        width_m=longest_width_m(outline),
        centre=(float(centre[0]), float(centre[1])),
        polygons=rings_of(outline),
        distance_to_track_m=float(shapely.distance(MultiPoint(track_xy), outline)) if len(track_xy) else None,
        stays=certainty is Certainty.CERTAIN and cause in DIVE_AGAIN and has_box(np.pad(core, 1)),
    )


def outline_of(grid: Grid, cells: AnyArray) -> Geometry:
    """The union of cells (N,2: row, column) in the map frame, holes included."""
    low, mask = _box_mask(cells)
    place = Affine(
        grid.cell_m, 0.0, grid.x0 + low[1] * grid.cell_m, 0.0, grid.cell_m, grid.y0 + low[0] * grid.cell_m
    )
    found = [shape(outline) for outline, _ in shapes(mask.astype(np.uint8), mask=mask, transform=place)]
    return shapely.union_all(found)


def rings_of(outline: Geometry) -> tuple[tuple[tuple[float, float], ...], ...]:
    """Outer rings of a polygon or multipolygon."""
    parts = [part for part in shapely.get_parts(outline) if part.geom_type == "Polygon"]
    return tuple(
        tuple((float(x), float(y)) for x, y in shapely.get_coordinates(part.exterior)) for part in parts
    )


def longest_width_m(outline: Geometry) -> float:
    """Longer side of the smallest rotated rectangle about an outline, metres."""
    corners = shapely.get_coordinates(shapely.minimum_rotated_rectangle(outline))
    return float(np.linalg.norm(np.diff(corners, axis=0), axis=1).max(initial=0.0))
