"""The area of interest: polygons from GeoJSON, KML or CSV, checked before anything is measured against them."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import shapely
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from shapely.geometry import MultiPolygon, Polygon, mapping
from shapely.geometry.base import BaseGeometry

from workers.contract.errors import AoiUnreadable, NavUnreadable
from workers.media.nav_columns import NavMapping
from workers.media.nav_table import numbers_of, read_table

MIN_AREA_M2 = 0.01
MAX_AREA_M2 = 10e6
"""Three vehicles film about 0.1 km2 in a day; at cells of 17 cm, 10 km2 are 360 million cells."""

MAX_DISTANCE_M = 20_000.0
_METRES_PER_DEGREE = 111_195.0

_Ring = list[tuple[float, float]]


def read_aoi(path: Path) -> Polygon | MultiPolygon:
    """The union of all polygons of a file, in lon/lat (WGS 84).

    Raises:
        AoiUnreadable: no polygon, or one that cannot be meant.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        cause = f"{path} cannot be read: {error.strerror or error}."
        raise AoiUnreadable(cause, "Check the path.") from error
    text = content.decode("utf-8-sig", "replace").lstrip()
    if text.startswith(("{", "[")):
        polygons = list(_geojson_polygons(path, text))
    elif text.startswith("<"):
        polygons = list(_kml_polygons(path, content))
    elif content.startswith(b"PK"):
        cause = f"{path} is a packed file (KMZ or shapefile)."
        raise AoiUnreadable(cause, "Unpack it and give the KML inside, or save it as GeoJSON.")
    else:
        polygons = [_csv_polygon(path)]
    if not polygons:
        cause = f"{path} holds no polygon."
        raise AoiUnreadable(cause)
    return _checked(path, [_polygon(path, shell, holes) for shell, holes in polygons])


def to_geojson(area: Polygon | MultiPolygon) -> str:
    """The file that the later stages read: a FeatureCollection of one feature."""
    feature = {"type": "Feature", "properties": {"name": "AOI"}, "geometry": mapping(area)}
    return json.dumps({"type": "FeatureCollection", "features": [feature]})


def area_m2(area: BaseGeometry) -> float:
    """Area of a lon/lat geometry, to about a per cent."""
    if area.is_empty:
        return 0.0
    shrink = math.cos(math.radians(area.centroid.y))
    return float(area.area * _METRES_PER_DEGREE**2 * shrink)


def check_near(path: Path, area: BaseGeometry, lon_deg: float, lat_deg: float) -> None:
    """Is the area where the vehicle was?

    Raises:
        AoiUnreadable: it lies elsewhere, maybe because longitude and latitude are swapped.
    """
    away_m = _distance_m(area, lon_deg, lat_deg)
    if away_m <= MAX_DISTANCE_M:
        return
    if _distance_m(area, lat_deg, lon_deg) <= MAX_DISTANCE_M:
        cause = (
            f"{path}: longitude and latitude are swapped (the track is at {lon_deg:.4f} E, {lat_deg:.4f} N)."
        )
        raise AoiUnreadable(cause, "Write each point as longitude, latitude.")
    cause = f"{path} lies {away_m / 1000:.0f} km from the vehicle's track."
    raise AoiUnreadable(cause, "Check that area and nav log belong to the same site.")


def _distance_m(area: BaseGeometry, lon_deg: float, lat_deg: float) -> float:
    shrink = math.cos(math.radians(min(abs(lat_deg), 89.0)))
    nearest = area.centroid
    return math.hypot((nearest.x - lon_deg) * shrink, nearest.y - lat_deg) * _METRES_PER_DEGREE


def _geojson_polygons(path: Path, text: str) -> Iterator[tuple[_Ring, list[_Ring]]]:
    try:
        document = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        cause = f"{path} is not valid GeoJSON: {error}."
        raise AoiUnreadable(cause) from error
    crs = str(_get(_get(_get(document, "crs"), "properties"), "name") or "")
    if crs and not crs.upper().endswith(("CRS84", "4326")):
        cause = f"{path} is in the coordinate system {crs}, not in lon/lat."
        raise AoiUnreadable(cause, "Save it as GeoJSON in WGS 84 (EPSG:4326).")
    yield from _geometry_polygons(path, document, depth=0)


def _get(value: object, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _geometry_polygons(path: Path, value: object, depth: int) -> Iterator[tuple[_Ring, list[_Ring]]]:
    kind = _get(value, "type")
    if depth > 8:
        return
    for part in (*(_get(value, "features") or ()), *(_get(value, "geometries") or ())):
        yield from _geometry_polygons(path, part, depth + 1)
    if kind == "Feature":
        yield from _geometry_polygons(path, _get(value, "geometry"), depth + 1)
    coordinates = _get(value, "coordinates")
    polygons = [coordinates] if kind == "Polygon" else coordinates if kind == "MultiPolygon" else []
    try:
        for rings in polygons or ():
            shell, *holes = [[(float(point[0]), float(point[1])) for point in ring] for ring in rings]
            yield shell, holes
    except (TypeError, ValueError, IndexError, KeyError) as error:
        cause = f"{path}: the coordinates of a {kind} cannot be read."
        raise AoiUnreadable(cause) from error


def _kml_polygons(path: Path, content: bytes) -> Iterator[tuple[_Ring, list[_Ring]]]:
    try:
        root = fromstring(content, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        cause = f"{path} is not valid KML: {error}."
        raise AoiUnreadable(cause) from error
    for polygon in _children(root, "Polygon"):
        shells = [_kml_ring(path, ring) for ring in _children(polygon, "outerBoundaryIs")]
        holes = [_kml_ring(path, ring) for ring in _children(polygon, "innerBoundaryIs")]
        if shells:
            yield shells[0], holes


def _children(root: Element, name: str) -> Iterator[Element]:
    """All descendants of a name, whatever their namespace."""
    return (element for element in root.iter() if str(element.tag).rpartition("}")[2] == name)


def _kml_ring(path: Path, boundary: Element) -> _Ring:
    text = " ".join(element.text or "" for element in _children(boundary, "coordinates"))
    try:
        return [(float(p.split(",")[0]), float(p.split(",")[1])) for p in text.split()]
    except (ValueError, IndexError) as error:
        cause = f"{path}: the coordinates of a Polygon cannot be read."
        raise AoiUnreadable(cause) from error


def _csv_polygon(path: Path) -> tuple[_Ring, list[_Ring]]:
    try:
        columns, texts, comma = read_table(path, NavMapping())
    except NavUnreadable as error:
        raise AoiUnreadable(error.cause) from error
    if not {"lon", "lat"} <= set(columns):
        cause = f"{path} is neither GeoJSON nor KML, nor a CSV with lon and lat columns."
        raise AoiUnreadable(cause)
    if "time" in columns:
        cause = f"{path} has a time in every row: it is a log of positions, not the outline of an area."
        raise AoiUnreadable(cause)
    lon, lat = (
        numbers_of(texts[name], columns[name].factor, comma=comma).tolist() for name in ("lon", "lat")
    )
    if bad := [
        row for row, point in enumerate(zip(lon, lat, strict=True)) if not all(map(math.isfinite, point))
    ]:
        cause = f"{path}: row {bad[0] + 1} has no lon and lat."
        raise AoiUnreadable(cause)
    return list(zip(lon, lat, strict=True)), []


def _polygon(path: Path, shell: _Ring, holes: Sequence[_Ring]) -> Polygon:
    for lon, lat in (point for ring in (shell, *holes) for point in ring):
        if not (abs(lon) <= 180.0 and abs(lat) <= 90.0):
            if abs(lon) <= 90.0 and abs(lat) <= 180.0:
                cause = f"{path}: longitude and latitude are swapped ({lon}, {lat})."
                raise AoiUnreadable(cause, "Write each point as longitude, latitude.")
            cause = f"{path}: {lon}, {lat} is no longitude and latitude."
            raise AoiUnreadable(cause)
    if len(set(shell)) < 3 or shapely.convex_hull(shapely.MultiPoint(shell)).area == 0.0:
        cause = f"{path}: a polygon of {len(set(shell))} different points in a line has no area."
        raise AoiUnreadable(cause, "Give the points of a polygon that surrounds the site.")
    polygon = Polygon(shell, [hole for hole in holes if len(set(hole)) >= 3])
    reason = shapely.is_valid_reason(polygon)
    if reason.startswith("Self-intersection"):
        cause = f"{path}: the outline crosses itself at {reason.partition('[')[2].rstrip(']')} (lon lat)."
        raise AoiUnreadable(cause, "Put the points in order around the area.")
    return polygon


def _checked(path: Path, polygons: Sequence[Polygon]) -> Polygon | MultiPolygon:
    valid = [polygon if polygon.is_valid else shapely.make_valid(polygon) for polygon in polygons]
    union = shapely.union_all(valid)
    parts = [part for part in getattr(union, "geoms", [union]) if isinstance(part, Polygon)]
    area = parts[0] if len(parts) == 1 else MultiPolygon(parts)
    size_m2 = area_m2(area)
    if size_m2 < MIN_AREA_M2:
        cause = f"{path}: the area is {size_m2:.4f} m2."
        raise AoiUnreadable(cause, "Give the points of a polygon that surrounds the site.")
    if size_m2 > MAX_AREA_M2:
        cause = f"{path}: the area is {size_m2 / 1e6:.1f} km2; a day's dives film about 0.1 km2."
        raise AoiUnreadable(
            cause, f"Cut it to what this mission is to cover, at most {MAX_AREA_M2 / 1e6:.0f} km2."
        )
    return area
