"""07 coverage: three layers of views over the area of interest, pass or fail, causes and gaps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import shapely
from shapely import Geometry

from workers.contract.errors import BadInput
from workers.contract.events import Report
from workers.contract.job import CoverageInputs
from workers.contract.params import CoverageParams
from workers.contract.products import CoverageShares
from workers.contract.survey import (
    COVERAGE,
    COVERAGE_GRID,
    STITCH,
    STITCH_FRAMES,
    SURFACE,
    CoverageSummary,
    StitchSummary,
)
from workers.contract.words import AoiSource, ScaleSource
from workers.geometry import F64, AnyArray, Bools, Ints
from workers.geometry.grid import Grid
from workers.geometry.surface import Surface
from workers.geometry.views import Cameras
from workers.stages.coverage.area import area_of_interest, asked_area_m2, bounds_of
from workers.stages.coverage.gaps import find_gaps, worst_holes
from workers.stages.coverage.layers import (
    WORST_SIGMAS,
    Layers,
    Views,
    filmed_area_m2,
    make_layers,
    picture_area_m2,
)

MOST_CELLS = 20_000_000
FASTEST_M_S = 1.0
"""A vehicle is no faster over the ground than this: so far may a frame lie from one a second away."""


def run(inputs: CoverageInputs, params: CoverageParams, out: Path, report: Report) -> None:
    """Cover the mission: see :mod:`workers.contract.survey` for what is written to ``out``.

    Raises:
        BadInput: an area of interest that is empty, elsewhere on the earth, or of too many cells.
    """
    stitch = StitchSummary.model_validate_json((inputs.stitch / STITCH).read_text())
    frames = np.load(inputs.stitch / STITCH_FRAMES)
    posed = frames["source"] != "none"
    centres = frames["camera_to_map"][posed][:, :2, 3]
    area, source = area_of_interest(inputs.aoi, stitch.frame, centres)
    if stitch.scale.source is ScaleSource.NONE or area is None:
        why = "no track to make an area from" if area is None else "there is no scale"
        (out / COVERAGE).write_text(_nothing(source, params, why).model_dump_json(indent=1))
        return
    grid = _grid_over(area, params)
    seabed = _read_surface(inputs.stitch / SURFACE)
    views = views_of(frames, posed)
    report(1, of=3)
    layers = make_layers(grid, grid.touching(area), seabed, views, params.views)
    report(2, of=3)
    lost = views.lost * picture_area_m2(views, seabed) if views.lost else 0.0
    gaps, gap_of = find_gaps(layers, params.views, centres, area, lost_m2=lost)
    summary = CoverageSummary(
        aoi_source=source,
        aoi_area_m2=float(shapely.area(area)),
        shares=shares_of(layers, params.views),
        cell_m=params.cell_m,
        gaps=gaps,
        doubtful_cells=int((layers.cause == 4).sum()),
        asked_area_m2=asked_area_m2(inputs.aoi) if inputs.aoi is not None else None,
        filmed_area_m2=filmed_area_m2(params.cell_m, seabed, views, frames["component"]),
        worst_holes=worst_holes(layers),
    )
    (out / COVERAGE).write_text(summary.model_dump_json(indent=1))
    _write_grid(out / COVERAGE_GRID, layers, gap_of)
    report(3, of=3)


def _nothing(source: AoiSource, params: CoverageParams, why: str) -> CoverageSummary:
    return CoverageSummary(
        aoi_source=source,
        aoi_area_m2=None,
        shares=CoverageShares(best=None, worst=None, filmed=None),
        cell_m=params.cell_m,
        gaps=(),
        doubtful_cells=0,
        warnings=(f"no coverage was computed: {why}",),
    )


def _grid_over(area: Geometry, params: CoverageParams) -> Grid:
    """The cells of an area.

    Raises:
        BadInput: there are none, or too many.
    """
    if shapely.area(area) <= 0.0:
        raise BadInput("The area of interest is empty.", "Give it as a polygon.")
    bounds = bounds_of(area)
    cells = (bounds[2] - bounds[0]) * (bounds[3] - bounds[1]) / params.cell_m**2
    if not math.isfinite(cells) or cells > MOST_CELLS:
        raise BadInput(
            f"The area of interest has {cells / 1e6:.0f} million cells of {params.cell_m:.2f} m.",
            "Raise coverage.smallest_hole_m, or give a smaller area of interest at the place of the dive.",
        )
    return Grid.over(bounds, params.cell_m)


def views_of(frames: Mapping[str, AnyArray], posed: Bools) -> Views:
    """The layers' cameras, from ``frames.npz``."""
    sigma = np.nan_to_num(frames["place_sigma_m"], nan=1.0)
    cameras = Cameras(frames["camera_to_map"], frames["pinhole"], frames["size"], sigma)
    loose = frames["usable"] & ~posed
    number, away_s, lost = _nearest_posed(frames, posed, loose)
    near = cameras.take_numbers(number)
    near_sigma = near.place_sigma_m + FASTEST_M_S * away_s / WORST_SIGMAS
    return Views(
        cameras=cameras,
        posed=posed,
        usable=frames["usable"],
        registered=frames["registered"] & (frames["source"] == "registered"),
        doubtful=frames["doubtful"],
        near=Cameras(near.camera_to_map, near.pinhole, near.size, near_sigma),
        lost=lost,
    )


def _nearest_posed(frames: Mapping[str, AnyArray], posed: Bools, loose: Bools) -> tuple[Ints, F64, int]:
    """For frames without a pose: the nearest with one in their recording, seconds to it; and how many have none."""
    recording, time_s = frames["recording"], frames["recording_time_s"]
    numbers, seconds, lost = [np.zeros(0, int)], [np.zeros(0)], 0
    for name in np.unique(recording[loose]):
        here = recording == name
        known, asked = np.flatnonzero(here & posed), np.flatnonzero(here & loose)
        if not len(known):
            lost += len(asked)
            continue
        after = np.clip(np.searchsorted(time_s[known], time_s[asked]), 1, max(len(known) - 1, 1))
        pair = np.stack([known[after - 1], known[np.minimum(after, len(known) - 1)]])
        away = np.abs(time_s[pair] - time_s[asked][None])
        nearer = np.argmin(away, axis=0)
        numbers.append(pair[nearer, np.arange(len(asked))])
        seconds.append(away.min(0))
    return np.concatenate(numbers), np.concatenate(seconds), lost


def shares_of(layers: Layers, needed: int) -> CoverageShares:
    """Fractions of the area's cells: best estimate, worst case, filmed only; None for an area without a cell."""
    cells = int(layers.inside.sum())
    if cells == 0:
        return CoverageShares(best=None, worst=None, filmed=None)
    return CoverageShares(
        best=float(layers.passes.sum()) / cells,
        worst=float(layers.passes_worst.sum()) / cells,
        filmed=float((layers.inside & (layers.filmed >= needed)).sum()) / cells,
    )


def _read_surface(path: Path) -> Surface:
    data = np.load(path)
    height: F64 = data["height_m"]
    grid = Grid(float(data["x0"]), float(data["y0"]), float(data["cell_m"]), *height.shape)
    return Surface(grid, height, data["known"])


def _write_grid(path: Path, layers: Layers, gap_of: F64) -> None:
    np.savez_compressed(
        path,
        x0=layers.grid.x0,
        y0=layers.grid.y0,
        cell_m=layers.grid.cell_m,
        inside=layers.inside,
        footprint_views=layers.footprint,
        filmed_views=layers.filmed,
        reconstructed_views=layers.reconstructed,
        passes=layers.passes,
        passes_worst=layers.passes_worst,
        cause=layers.cause,
        gap=gap_of,
    )
