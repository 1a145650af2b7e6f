"""``redive.gpx``, ``.geojson``, ``.kml`` and ``.csv``: waypoints for the crew's own programs."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np

from workers.contract.products import Gap, Verdict
from workers.geometry import F64
from workers.stages.verdict.outlines import gap_outline
from workers.stages.verdict.provenance import printable, provenance_json
from workers.stages.verdict.redive import Redive
from workers.stages.verdict.survey import Survey
from workers.stages.verdict.tables import (
    gap_properties,
    line_geometry,
    lonlat_of,
    polygon_geometry,
    write_geojson,
)

CSV_COLUMNS = ("gap", "waypoint", "leg", "lon", "lat", "easting_m", "northing_m", "epsg")
_GPX = "http://www.topografix.com/GPX/1/1"
_KML = "http://www.opengis.net/kml/2.2"

Plans = Sequence[tuple[Gap, Redive]]


def write_redive(folder: Path, survey: Survey, verdict: Verdict, plans: Plans) -> None:
    """Write the four files; nothing when no gap needs a dive or the survey has no place on the earth."""
    if survey.place is None or not plans:
        return
    _write_gpx(folder / "redive.gpx", survey, verdict, plans)
    _write_kml(folder / "redive.kml", survey, verdict, plans)
    _write_csv(folder / "redive.csv", survey, plans)
    features: list[dict[str, Any]] = []
    for gap, plan in plans:
        line = line_geometry(survey, _points(plan))
        features.append({"type": "Feature", "properties": _properties(gap, plan), "geometry": line})
    write_geojson(folder / "redive.geojson", survey, verdict, features)


def _write_gpx(path: Path, survey: Survey, verdict: Verdict, plans: Plans) -> None:
    """GPX 1.1: a route a gap."""
    root = ET.Element("gpx", {"xmlns": _GPX, "version": "1.1", "creator": "COSMA QC"})
    metadata = ET.SubElement(root, "metadata")
    ET.SubElement(metadata, "name").text = "Re-dive"
    ET.SubElement(metadata, "desc").text = provenance_json(verdict)
    for gap, plan in plans:
        route = ET.SubElement(root, "rte")
        ET.SubElement(route, "name").text = f"Gap {gap.id}"
        ET.SubElement(route, "desc").text = describe(gap, plan)
        for n, (lon, lat) in enumerate(lonlat_of(survey, _points(plan)), start=1):
            point = ET.SubElement(route, "rtept", {"lat": f"{lat:.9f}", "lon": f"{lon:.9f}"})
            ET.SubElement(point, "name").text = _waypoint(gap, n)
    _write_xml(path, root)


def _write_kml(path: Path, survey: Survey, verdict: Verdict, plans: Plans) -> None:
    """KML 2.2: a folder a gap with its outline, the line to fly and the waypoints."""
    root = ET.Element("kml", {"xmlns": _KML})
    document = ET.SubElement(root, "Document")
    ET.SubElement(document, "name").text = "Re-dive"
    extended = ET.SubElement(ET.SubElement(document, "ExtendedData"), "Data", {"name": "provenance"})
    ET.SubElement(extended, "value").text = provenance_json(verdict)
    for gap, plan in plans:
        folder = ET.SubElement(document, "Folder")
        ET.SubElement(folder, "name").text = f"Gap {gap.id}"
        ET.SubElement(folder, "description").text = describe(gap, plan)
        _kml_outline(folder, survey, gap)
        points = lonlat_of(survey, _points(plan))
        line = _placemark(folder, f"Legs over gap {gap.id}", "LineString")
        ET.SubElement(line, "coordinates").text = _coordinates(points)
        for n, point in enumerate(points, start=1):
            spot = _placemark(folder, _waypoint(gap, n), "Point")
            ET.SubElement(spot, "coordinates").text = _coordinates([point])
    _write_xml(path, root)


def _kml_outline(folder: ET.Element, survey: Survey, gap: Gap) -> None:
    geometry = polygon_geometry(survey, gap_outline(survey, gap.id))
    if geometry is None:
        return
    multi = _placemark(folder, f"Outline of gap {gap.id}", "MultiGeometry")
    for outer, *holes in geometry["coordinates"]:
        polygon = ET.SubElement(multi, "Polygon")
        for tag, ring in (("outerBoundaryIs", outer), *(("innerBoundaryIs", hole) for hole in holes)):
            edge = ET.SubElement(ET.SubElement(polygon, tag), "LinearRing")
            ET.SubElement(edge, "coordinates").text = _coordinates(ring)


def _write_csv(path: Path, survey: Survey, plans: Plans) -> None:
    """A row a waypoint, in the order of flying."""
    frame = survey.stitch.frame
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(CSV_COLUMNS)
        for gap, plan in plans:
            places = lonlat_of(survey, _points(plan))
            for n, ((x, y), (lon, lat)) in enumerate(zip(plan.waypoints, places, strict=True), start=1):
                on_map = (f"{x + frame.origin[0]:.3f}", f"{y + frame.origin[1]:.3f}", frame.epsg)
                writer.writerow((gap.id, n, (n + 1) // 2, f"{lon:.9f}", f"{lat:.9f}", *on_map))


def describe(gap: Gap, plan: Redive) -> str:
    """One sentence for the crew."""
    legs = len(plan.waypoints) // 2
    return (
        f"{gap.area_m2:.1f} m², {gap.cause.replace('_', ' ')}: {legs} {'leg' if legs == 1 else 'legs'} "
        f"at {plan.footprint.altitude_m:.1f} m above the seabed, {minutes_text(plan.minutes)}. {printable(gap.remedy)}"
    )


def minutes_text(minutes: float) -> str:
    """Minutes for a person: never less than they take."""
    if minutes < 1.0:
        return "under 1 minute"
    whole = int(minutes + 0.999)
    return f"{whole} {'minute' if whole == 1 else 'minutes'}"


def _properties(gap: Gap, plan: Redive) -> dict[str, Any]:
    return gap_properties(gap) | {"minutes": round(plan.minutes, 2), "legs": len(plan.waypoints) // 2}


def _points(plan: Redive) -> F64:
    return np.asarray(plan.waypoints, np.float64)


def _waypoint(gap: Gap, n: int) -> str:
    return f"G{gap.id}-{n:02d}"


def _placemark(folder: ET.Element, name: str, geometry: str) -> ET.Element:
    mark = ET.SubElement(folder, "Placemark")
    ET.SubElement(mark, "name").text = name
    return ET.SubElement(mark, geometry)


def _coordinates(points: list[list[float]]) -> str:
    return " ".join(f"{lon:.9f},{lat:.9f}" for lon, lat in points)


def _write_xml(path: Path, root: ET.Element) -> None:
    ET.indent(root)
    path.write_bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")
