"""``coverage.tif``: the coverage grid for a GIS."""

from pathlib import Path

import numpy as np
import rasterio
from rasterio.crs import CRS

from workers.contract.products import Verdict
from workers.contract.survey import MapFrame
from workers.stages.verdict.provenance import provenance_json
from workers.stages.verdict.survey import Coverage

NODATA = 65535
BANDS = ("footprint_views", "filmed_views", "reconstructed_views", "pass")
LOCAL_CRS = 'LOCAL_CS["COSMA QC local frame",UNIT["metre",1],AXIS["Easting",EAST],AXIS["Northing",NORTH]]'
"""A metric frame without a place: GIS programs show it, and put it nowhere on the earth."""


def crs_of(frame: MapFrame) -> CRS:
    """The coordinate reference system of a map frame plus its origin."""
    return CRS.from_epsg(frame.epsg) if frame.epsg is not None else CRS.from_wkt(LOCAL_CRS)


def write_coverage_tif(path: Path, grid: Coverage, frame: MapFrame, verdict: Verdict) -> None:
    """Write the three layers and ``pass`` (1/0), uint16, north up, 65535 outside the area of interest."""
    layers = (grid.footprint_views, grid.filmed_views, grid.reconstructed_views, grid.passes)
    west, _, _, north = grid.extent
    rows, columns = grid.inside.shape
    profile = {
        "driver": "GTiff",
        "width": columns,
        "height": rows,
        "count": len(BANDS),
        "dtype": "uint16",
        "nodata": NODATA,
        "crs": crs_of(frame),
        "transform": rasterio.Affine(
            grid.cell_m, 0.0, west + frame.origin[0], 0.0, -grid.cell_m, north + frame.origin[1]
        ),
        "compress": "deflate",
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "interleave": "band",
    }
    with rasterio.open(path, "w", **profile) as file:
        for band, (name, layer) in enumerate(zip(BANDS, layers, strict=True), start=1):
            values = np.where(grid.inside, np.minimum(layer, NODATA - 1), NODATA).astype(np.uint16)
            file.write(np.flipud(values), band)
            file.set_band_description(band, name)
        file.update_tags(COSMAQC_PROVENANCE=provenance_json(verdict))
