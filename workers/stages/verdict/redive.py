"""The shortest re-dive over a gap: lawn-mower legs along its longest axis, and the minutes they take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from shapely import MultiPolygon, affinity, box, get_coordinates, minimum_rotated_rectangle

from workers.contract.params import VerdictParams
from workers.contract.products import Gap, Verdict
from workers.contract.survey import GapShape
from workers.contract.words import Cause, Certainty
from workers.geometry import F64
from workers.stages.verdict.outlines import gap_outline
from workers.stages.verdict.survey import Survey

OVERLAP = 0.3
"""Share of the footprint's width that neighbouring legs have in common."""
SETTLE_S = 4.0
"""Time on the leg's heading before the gap begins: an AUV swings when it comes out of a turn."""
TURN_FACTOR = math.pi / 2
"""A half circle from one leg's end to the next one's start, against the straight line."""

DIVE_CAUSES = (Cause.NOT_FILMED, Cause.UNUSABLE)

Leg = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Footprint:
    """What one picture covers on the seabed at the survey's usual altitude, metres."""

    across_m: float
    along_m: float
    altitude_m: float


@dataclass(frozen=True)
class Redive:
    """``waypoints``: start and end of every leg in turn, map frame, metres; ``minutes`` from the first to the last."""

    waypoints: tuple[tuple[float, float], ...]
    minutes: float
    footprint: Footprint


def needs_dive(gap: Gap) -> bool:
    """Whether only another dive closes the gap."""
    return gap.redive_minutes is not None or (gap.certainty is Certainty.CERTAIN and gap.cause in DIVE_CAUSES)


def redives(survey: Survey, verdict: Verdict) -> list[tuple[Gap, Redive]]:
    """The re-dive of every gap that needs one, in the verdict's order (largest first)."""
    speed = _survey_speed(verdict)
    found = []
    for gap in verdict.gaps:
        shape = survey.gap_shape(gap.id)
        plan = redive_for(shape, survey, speed) if shape is not None and shape.stays else None
        if plan is not None:
            found.append((gap, plan))
    return found


def redive_for(gap: GapShape, survey: Survey, speed_m_s: float) -> Redive | None:
    """The shortest re-dive over a gap at the survey's altitude and speed.

    Legs lie along the longest axis, spaced by the footprint's width less the overlap; the outer ones reach past the gap
    by twice nav's standard deviation. Each leg begins and ends half a footprint and :data:`SETTLE_S` outside the gap.
    The way to and from the site is not in the minutes.

    Returns:
        None when no camera's pose is known (so neither is the footprint), or the gap has no outline.
    """
    outline, footprint = gap_outline(survey, gap.id), footprint_of(survey)
    if outline.is_empty or footprint is None:
        return None
    reach = 2.0 * (survey.stitch.nav_sigma_m or 0.0)
    lead = footprint.along_m / 2 + SETTLE_S * speed_m_s
    legs = _legs(outline, footprint.across_m * (1.0 - OVERLAP), reach, lead)
    length = sum(math.dist(a, b) for a, b in legs)
    turns = sum(math.dist(a[1], b[0]) for a, b in pairwise(legs)) * TURN_FACTOR
    waypoints = tuple(point for leg in legs for point in leg)
    return Redive(waypoints, (length + turns) / speed_m_s / 60.0, footprint)


def footprint_of(survey: Survey) -> Footprint | None:
    """The usual picture on the ground: median over all frames with a known pose; None when there are none.

    Whether the picture's width lies across or along the track is read from the way the camera moves.
    """
    frames, posed = survey.frames, survey.posed
    if not posed.any():
        return None
    altitude = float(np.median(_altitudes_m(survey)))
    if not (math.isfinite(altitude) and altitude > 0.05):
        return None
    width, height = np.median(frames.size[posed] / frames.pinhole[posed, :2], axis=0) * altitude
    if _moves_along_x(survey):
        width, height = height, width
    return Footprint(float(width), float(height), altitude)


def _altitudes_m(survey: Survey) -> F64:
    """Height (N,) of the posed cameras above the seabed under them, or above its median where it is unknown."""
    centres, surface = survey.frames.centres[survey.posed], survey.surface
    if surface is None:
        return np.full(len(centres), np.nan)
    rows, columns = surface.height_m.shape
    row = np.clip((centres[:, 1] - surface.y0) // surface.cell_m, 0, rows - 1).astype(int)
    column = np.clip((centres[:, 0] - surface.x0) // surface.cell_m, 0, columns - 1).astype(int)
    ground = surface.height_m[row, column]
    found: F64 = centres[:, 2] - np.where(np.isfinite(ground), ground, np.nanmedian(surface.height_m))
    return found


def _moves_along_x(survey: Survey) -> bool:
    """Whether the cameras move along their picture's x axis more than along y."""
    frames = survey.frames
    pairs = survey.posed[1:] & survey.posed[:-1] & (frames.recording[1:] == frames.recording[:-1])
    if not pairs.any():
        return False
    moved = np.diff(frames.centres, axis=0)[pairs]
    axes = frames.camera_to_map[1:, :3, :2][pairs]
    along_x, along_y = np.abs(np.einsum("ni,nij->nj", moved, axes)).sum(axis=0)
    return bool(along_x > along_y)


def _legs(outline: MultiPolygon, spacing_m: float, reach_m: float, lead_m: float) -> list[Leg]:
    """Legs over the outline, flown to and fro; each only as long as the gap is in its strip."""
    angle, centre = _longest_axis(outline), outline.centroid
    level = affinity.rotate(outline, -angle, origin=centre, use_radians=True)
    west, south, east, north = level.bounds
    south, north = south - reach_m, north + reach_m
    count = max(1, math.ceil((north - south) / spacing_m - 1e-9))
    strip = (north - south) / count
    legs: list[Leg] = []
    for n in range(count):
        low = south + n * strip
        found = level.intersection(box(west, low - reach_m, east, low + strip + reach_m))
        if found.is_empty:
            continue
        ends = np.array(
            [[found.bounds[0] - lead_m, low + strip / 2], [found.bounds[2] + lead_m, low + strip / 2]]
        )
        turned = _rotate(ends[:: 1 if len(legs) % 2 == 0 else -1], angle, (centre.x, centre.y))
        start, end = ((float(x), float(y)) for x, y in turned)
        legs.append((start, end))
    return legs


def _longest_axis(outline: MultiPolygon) -> float:
    """Direction of the long side of the smallest rectangle around the outline, radians from east."""
    corners = get_coordinates(minimum_rotated_rectangle(outline))
    sides = np.diff(corners[:3], axis=0)
    longest = sides[int(np.argmax(np.hypot(sides[:, 0], sides[:, 1])))]
    return math.atan2(longest[1], longest[0]) % math.pi


def _rotate(points: F64, angle: float, centre: tuple[float, float]) -> F64:
    """Points (N,2) turned about a centre, counter-clockwise."""
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    found: F64 = (points - centre) @ turn.T + centre
    return found


def _survey_speed(verdict: Verdict) -> float:
    """The survey speed that the verdict was made with, m/s."""
    params = verdict.params.get("verdict")
    speed = params.get("survey_speed_m_s") if isinstance(params, dict) else None
    return float(speed) if isinstance(speed, int | float) and speed > 0 else VerdictParams().survey_speed_m_s
