"""The area of interest in the map frame: from the file, or the hull of the tracks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import shapely
from shapely import Geometry, MultiPoint
from shapely.geometry import shape

from workers.contract.survey import MapFrame
from workers.contract.words import AoiSource
from workers.geometry import F64
from workers.geometry.place import Place


def area_of_interest(path: Path | None, frame: MapFrame, centres: F64) -> tuple[Geometry | None, AoiSource]:
    """What "100 %" refers to, in the map frame, and where it comes from.

    Args:
        path: the mission's AOI (GeoJSON, lon/lat), or None.
        frame: the map frame; a local one cannot hold a lon/lat AOI, so the hull is taken.
        centres: (N,2) camera centres of the tracks.

    Returns:
        A polygon or None when there is neither an AOI nor a track.
    """
    if path is not None and frame.epsg is not None:
        return _in_map(read_aoi(path), Place(frame)), AoiSource.FILE
    if len(centres) < 3:
        return None, AoiSource.TRACK_HULL
    hull = MultiPoint(centres).convex_hull
    return (hull if shapely.area(hull) > 0.0 else None), AoiSource.TRACK_HULL


def asked_area_m2(path: Path) -> float:
    """Area of an AOI file in its own UTM zone, square metres."""
    area = read_aoi(path)
    corners = shapely.get_coordinates(area)
    if not len(corners):
        return 0.0
    # A corner, not the centroid: corners either side of 180 degrees have their mean on the other side of the earth.
    return float(shapely.area(_in_map(area, Place.at(float(corners[0, 0]), float(corners[0, 1])))))


def read_aoi(path: Path) -> Geometry:
    """The union of the polygons of a GeoJSON file, lon/lat."""
    data = json.loads(path.read_text())
    features = data["features"] if data["type"] == "FeatureCollection" else [data]
    shapes = [shape(feature["geometry"] if feature["type"] == "Feature" else feature) for feature in features]
    return shapely.union_all([shapely.make_valid(one) for one in shapes])


def _in_map(area: Geometry, place: Place) -> Geometry:
    moved: Geometry = shapely.transform(area, lambda lonlat: place.to_map(lonlat[:, 0], lonlat[:, 1]))
    return moved


def bounds_of(area: Geometry) -> tuple[float, float, float, float]:
    """West, south, east, north in metres."""
    west, south, east, north = np.asarray(shapely.bounds(area), float)
    return float(west), float(south), float(east), float(north)
