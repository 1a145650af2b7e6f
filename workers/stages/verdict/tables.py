"""``frames.csv``, ``gaps.geojson`` and ``tracks.geojson``."""

from __future__ import annotations

import csv
import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from shapely import MultiPolygon

from workers.contract.products import FRAMES_CSV_COLUMNS, Gap, Verdict
from workers.geometry import F64
from workers.stages.verdict.outlines import gap_outline, rings_of, tracks_of
from workers.stages.verdict.provenance import printable, provenance
from workers.stages.verdict.survey import Survey

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_PLACE = "no place on the earth is known; coordinates are local metres, in the properties"


def utc_text(utc_s: float) -> str:
    """ISO 8601 with milliseconds and offset; empty for NaN."""
    if not math.isfinite(utc_s):
        return ""
    return (_EPOCH + timedelta(milliseconds=round(utc_s * 1000.0))).isoformat(timespec="milliseconds")


def write_frames_csv(path: Path, survey: Survey) -> None:
    """A row a sampled frame; lon/lat of the camera centre (WGS 84), its height in the map frame; empty: unknown."""
    frames, posed, place = survey.frames, survey.posed, survey.place
    lonlat = np.full((len(frames), 2), np.nan)
    if place is not None and posed.any():
        lonlat[posed] = place.to_lonlat(frames.centres[posed, :2])
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(FRAMES_CSV_COLUMNS)
        for n in range(len(frames)):
            row = {
                "file": printable(str(frames.footage_file[n])),
                "chapter_time_s": _number(frames.chapter_time_s[n], 6),
                "utc": utc_text(float(frames.utc_s[n])),
                "vehicle": printable(str(frames.vehicle[n])),
                "camera": printable(str(frames.camera[n])),
                "segment": printable(str(frames.segment[n])),
                "lon": _number(lonlat[n, 0], 9),
                "lat": _number(lonlat[n, 1], 9),
                "height_m": _number(frames.centres[n, 2] if posed[n] else math.nan, 4),
                "registered": int(frames.registered[n]),
                "usable": int(frames.usable[n]),
                "component": int(frames.component[n]) if frames.component[n] >= 0 else "",
            }
            writer.writerow(row[column] for column in FRAMES_CSV_COLUMNS)


def write_gaps_geojson(path: Path, survey: Survey, verdict: Verdict) -> None:
    """One feature a gap. Without a place the geometry is null (an unlocated feature, RFC 7946) and rings are local."""
    features = []
    for gap in verdict.gaps:
        outline = gap_outline(survey, gap.id)
        properties = gap_properties(gap)
        if survey.place is None:
            properties["local_rings_m"] = [np.round(ring, 4).tolist() for ring in rings_of(outline)]
        features.append(_feature(polygon_geometry(survey, outline), properties))
    write_geojson(path, survey, verdict, features)


def write_tracks_geojson(path: Path, survey: Survey, verdict: Verdict) -> None:
    """Nav lines and camera lines, one feature an unbroken line; null geometry without a place."""
    features = []
    for track in tracks_of(survey):
        properties: dict[str, Any] = {
            "kind": track.kind,
            "vehicle": printable(track.vehicle),
            "camera": printable(track.camera) or None,
            "recording": printable(track.recording) or None,
            "start_utc": utc_text(track.start_utc_s) or None,
            "end_utc": utc_text(track.end_utc_s) or None,
        }
        if survey.place is None:
            properties["local_line_m"] = np.round(track.xy, 4).tolist()
        features.append(_feature(line_geometry(survey, track.xy), properties))
    write_geojson(path, survey, verdict, features)


def write_geojson(path: Path, survey: Survey, verdict: Verdict, features: list[dict[str, Any]]) -> None:
    """A FeatureCollection in WGS 84 with the provenance as a foreign member."""
    document: dict[str, Any] = {"type": "FeatureCollection", "name": path.stem, "features": features}
    if survey.place is None:
        document["note"] = _NO_PLACE
    document["provenance"] = provenance(verdict)
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def gap_properties(gap: Gap) -> dict[str, Any]:
    """What is said of a gap beside its outline, plain JSON values."""
    found = gap.model_dump(mode="json", exclude={"centre_lonlat"})
    found["remedy"] = printable(gap.remedy)
    return found


def polygon_geometry(survey: Survey, outline: MultiPolygon) -> dict[str, Any] | None:
    """A GeoJSON MultiPolygon in WGS 84, or None without a place or an outline."""
    if survey.place is None or outline.is_empty:
        return None
    polygons = [
        [lonlat_of(survey, ring) for ring in rings_of(MultiPolygon([polygon]))] for polygon in outline.geoms
    ]
    return {"type": "MultiPolygon", "coordinates": polygons}


def line_geometry(survey: Survey, xy: F64) -> dict[str, Any] | None:
    """A GeoJSON LineString in WGS 84, or None without a place."""
    if survey.place is None:
        return None
    return {"type": "LineString", "coordinates": lonlat_of(survey, xy)}


def lonlat_of(survey: Survey, xy: F64) -> list[list[float]]:
    """Lon/lat pairs, 9 decimals (0.1 mm), of map coordinates (N,2)."""
    assert survey.place is not None
    found: list[list[float]] = np.round(survey.place.to_lonlat(np.asarray(xy, np.float64)), 9).tolist()
    return found


def _feature(geometry: dict[str, Any] | None, properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def _number(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}" if math.isfinite(value) else ""
