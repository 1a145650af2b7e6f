"""07 coverage: three layers of views over the area of interest, pass or fail, causes and gaps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import shapely

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
from workers.contract.words import ScaleSource
from workers.geometry import F64
from workers.geometry.grid import Grid
from workers.geometry.surface import Surface
from workers.geometry.views import Cameras
from workers.stages.coverage.area import area_of_interest, asked_area_m2, bounds_of
from workers.stages.coverage.gaps import find_gaps
from workers.stages.coverage.layers import Layers, Views, filmed_area_m2, make_layers

MOST_CELLS = 40_000_000


def run(inputs: CoverageInputs, params: CoverageParams, out: Path, report: Report) -> None:
    """Cover the mission: see :mod:`workers.contract.survey` for what is written to ``out``.

    Raises:
        BadInput: an area of interest of too many cells.
    """
    stitch = StitchSummary.model_validate_json((inputs.stitch / STITCH).read_text())
    frames = np.load(inputs.stitch / STITCH_FRAMES)
    posed = frames["source"] != "none"
    centres = frames["camera_to_map"][posed][:, :2, 3]
    area, source = area_of_interest(inputs.aoi, stitch.frame, centres)
    if stitch.scale.source is ScaleSource.NONE or area is None:
        why = (
            "there is no scale"
            if stitch.scale.source is ScaleSource.NONE
            else "no track to make an area from"
        )
        empty = CoverageSummary(
            aoi_source=source,
            aoi_area_m2=None,
            shares=CoverageShares(best=None, worst=None, filmed=None),
            cell_m=params.cell_m,
            gaps=(),
            doubtful_cells=0,
            warnings=(f"no coverage was computed: {why}",),
        )
        (out / COVERAGE).write_text(empty.model_dump_json(indent=1))
        return
    grid = Grid.over(bounds_of(area), params.cell_m)
    if grid.rows * grid.columns > MOST_CELLS:
        raise BadInput(
            f"The area of interest has {grid.rows * grid.columns / 1e6:.0f} million cells of {params.cell_m:.2f} m.",
            "Raise coverage.smallest_hole_m or give a smaller area of interest.",
        )
    seabed = _read_surface(inputs.stitch / SURFACE)
    views = Views(
        cameras=Cameras(
            frames["camera_to_map"],
            frames["pinhole"],
            frames["size"],
            np.nan_to_num(frames["place_sigma_m"], nan=1.0),
        ),
        posed=posed,
        usable=frames["usable"],
        registered=frames["registered"] & (frames["source"] == "registered"),
        doubtful=frames["doubtful"],
    )
    report(1, of=3)
    layers = make_layers(grid, grid.touching(area), seabed, views, params.views)
    report(2, of=3)
    gaps, gap_of = find_gaps(layers, params.views, centres, area)
    summary = CoverageSummary(
        aoi_source=source,
        aoi_area_m2=float(shapely.area(area)),
        shares=shares_of(layers, params.views),
        cell_m=params.cell_m,
        gaps=gaps,
        doubtful_cells=int((layers.cause == 4).sum()),
        asked_area_m2=asked_area_m2(inputs.aoi) if inputs.aoi is not None else None,
        filmed_area_m2=filmed_area_m2(params.cell_m, seabed, views, frames["component"]),
    )
    (out / COVERAGE).write_text(summary.model_dump_json(indent=1))
    _write_grid(out / COVERAGE_GRID, layers, gap_of)
    report(3, of=3)


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
