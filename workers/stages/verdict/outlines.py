"""Outlines on the map: gaps, the area of interest, and the tracks of vehicles and cameras."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import rasterio
from rasterio import features
from shapely import MultiPolygon, Polygon, get_coordinates, set_coordinates
from shapely.errors import GEOSException
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient
from shapely.ops import unary_union

from workers.contract.words import AoiSource
from workers.geometry import F64, AnyArray, Bools
from workers.stages.verdict.survey import Coverage, Survey

BREAK_INTERVALS = 3.5
"""A track breaks where its samples are further apart than so many of its usual intervals."""


def outline_of(mask: Bools, grid: Coverage) -> MultiPolygon:
    """The edge of a set of cells, holes included, in the map frame; exact, along the cells' sides."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return MultiPolygon()
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    west, south = grid.x0 + columns[0] * grid.cell_m, grid.y0 + rows[0] * grid.cell_m
    northward = rasterio.Affine(grid.cell_m, 0.0, west, 0.0, grid.cell_m, south)
    found = features.shapes(part.astype(np.uint8), mask=part, connectivity=4, transform=northward)
    return _as_multipolygon([shape(geometry) for geometry, _ in found])


def gap_outline(survey: Survey, gap_id: int) -> MultiPolygon:
    """A gap's outline in the map frame, with the covered islands in it cut out; empty when it is unknown."""
    if survey.grid is not None:
        mask = survey.grid.gap == gap_id
        if mask.any():
            return outline_of(mask, survey.grid)
    found = survey.gap_shape(gap_id)
    return _as_multipolygon([Polygon(ring) for ring in found.polygons if len(ring) >= 4] if found else [])


def aoi_outline(survey: Survey) -> MultiPolygon:
    """The area of interest in the map frame: its file's polygon, else the edge of the cells that were judged."""
    aoi, place = survey.inventory.aoi, survey.place
    if aoi is not None and place is not None and survey.coverage.aoi_source is not AoiSource.TRACK_HULL:
        try:
            area = _polygons_in(json.loads(aoi.path.read_bytes()))
            xy = get_coordinates(area)
            return _as_multipolygon([set_coordinates(area, place.to_map(xy[:, 0], xy[:, 1]))])
        except (OSError, ValueError, KeyError, TypeError, GEOSException):
            pass  # coverage judged these cells all the same
    return outline_of(survey.grid.inside, survey.grid) if survey.grid is not None else MultiPolygon()


def rings_of(area: MultiPolygon) -> list[F64]:
    """All rings (P,2) of an area, closed: outer ones counter-clockwise, holes clockwise."""
    rings = []
    for polygon in area.geoms:
        turned = orient(polygon)
        rings += [np.asarray(ring.coords)[:, :2] for ring in (turned.exterior, *turned.interiors)]
    return rings


@dataclass(frozen=True)
class Track:
    """One unbroken line: a vehicle's nav, or the centres of a camera's registered frames.

    ``kind`` is ``nav`` or ``camera``; ``xy`` (N,2) map frame, N >= 2; times are nav time, NaN when unknown.
    """

    kind: str
    vehicle: str
    camera: str
    recording: str
    xy: F64
    start_utc_s: float
    end_utc_s: float


def tracks_of(survey: Survey) -> list[Track]:
    """Nav lines of all vehicles, then the lines of all cameras, split where they break."""
    found = []
    for vehicle, nav in survey.nav.items():
        finite = np.isfinite(nav.xyz).all(axis=1)
        xy, utc_s = nav.xyz[finite, :2], nav.utc_s[finite]
        for part in _unbroken(utc_s, np.zeros(len(utc_s), np.int64)):
            times = utc_s[part]
            found.append(Track("nav", vehicle, "", "", xy[part], float(times[0]), float(times[-1])))
    frames = survey.frames
    on_map = frames.registered & survey.posed
    for recording in dict.fromkeys(frames.recording.tolist()):
        rows = np.flatnonzero((frames.recording == recording) & on_map)
        for part in _unbroken(frames.recording_time_s[rows], frames.component[rows]):
            own = rows[part]
            found.append(
                Track(
                    "camera",
                    str(frames.vehicle[own[0]]),
                    str(frames.camera[own[0]]),
                    str(recording),
                    frames.centres[own, :2],
                    float(frames.utc_s[own[0]]),
                    float(frames.utc_s[own[-1]]),
                )
            )
    return found


def _unbroken(time_s: F64, part: AnyArray) -> list[slice]:
    """Runs of two or more samples without a jump in time or a change of ``part``."""
    if len(time_s) < 2:
        return []
    step = np.diff(time_s)
    usual = float(np.median(step[step > 0])) if (step > 0).any() else 0.0
    breaks = np.flatnonzero((step > BREAK_INTERVALS * usual) | (np.diff(part) != 0)) + 1
    edges = [0, *breaks.tolist(), len(time_s)]
    return [slice(a, b) for a, b in pairwise(edges) if b - a >= 2]


def _polygons_in(document: object) -> MultiPolygon:
    """All polygons of a GeoJSON document, in its own coordinates."""
    if not isinstance(document, dict):
        raise ValueError("not a GeoJSON object")
    if document.get("type") == "FeatureCollection":
        geometries = [feature["geometry"] for feature in document["features"]]
    elif document.get("type") == "Feature":
        geometries = [document["geometry"]]
    else:
        geometries = [document]
    area = _as_multipolygon([shape(geometry) for geometry in geometries if geometry])
    if area.is_empty:
        raise ValueError("no polygon")
    return area


def _as_multipolygon(parts: Sequence[BaseGeometry]) -> MultiPolygon:
    """The union of polygons as one MultiPolygon; anything without an area is dropped."""
    whole = unary_union([part if part.is_valid else part.buffer(0) for part in parts])
    polygons = [
        part for part in getattr(whole, "geoms", [whole]) if isinstance(part, Polygon) and not part.is_empty
    ]
    return MultiPolygon(polygons)
