"""How numbers and words are put for a reader: percentages never rounded up, units always there."""

from __future__ import annotations

import math

from workers.contract.survey import MapFrame
from workers.contract.words import AoiSource, Cause, Certainty, JobState, ScaleSource, VerdictWord

NOT_KNOWN = "not known"
NBSP = "\u00a0"
"""Keeps a number and its unit on one line."""

VERDICT_MEANING = {
    VerdictWord.COMPLETE: "The area that was asked for is covered.",
    VerdictWord.NOT_COMPLETE: "The area that was asked for is not all covered.",
    VerdictWord.CANNOT_TELL: "The material allows neither a yes nor a no. The reasons below say what is missing.",
}
CAUSE_MEANING = {
    Cause.NOT_FILMED: "no camera's footprint covered it often enough",
    Cause.UNUSABLE: "filmed, but the frames are blurred, dark or milky",
    Cause.NOT_RECONSTRUCTED: "usable frames, but the reconstruction failed there",
    Cause.STITCH_DOUBTFUL: "reconstructed, but its place on the map is uncertain",
}
SCALE_MEANING = {
    ScaleSource.NAV: "Metres come from the vehicle's navigation log.",
    ScaleSource.BASELINE: "Metres come from the known distance between two cameras.",
    ScaleSource.ALTITUDE: "Metres come from the vehicle's altitude.",
    ScaleSource.TYPED: "Metres come from an altitude typed in by the operator.",
    ScaleSource.NONE: "There is no scale: no metres, and nothing can be measured.",
}
AOI_MEANING = {
    AoiSource.FILE: "the polygon given as a file",
    AoiSource.DRAWN: "the polygon drawn on the map",
    AoiSource.TRACK_HULL: "the hull of the tracks: a strip missed at the edge cannot be seen",
}
STATE_GLYPH = {
    JobState.QUEUED: "·",
    JobState.RUNNING: "▸",
    JobState.SUCCEEDED: "✓",
    JobState.FAILED: "✗",
    JobState.SKIPPED: "/",
    JobState.CANCELLED: "–",
}
CERTAINTY_MEANING = {
    Certainty.CERTAIN: "certain",
    Certainty.POSSIBLE: "possible (narrower than the smallest hole)",
}


def spoken(word: str) -> str:
    """A compared word as people write it: ``not_filmed`` is "not filmed"."""
    return word.replace("_", " ")


def percent(share: float | None) -> str:
    """A share rounded down to whole per cent: 99.9 % of an area is not all of it."""
    return NOT_KNOWN if share is None else f"{math.floor(share * 100.0 + 1e-6)}{NBSP}%"


def percent_fine(share: float | None) -> str:
    """A share rounded down to a tenth of a per cent."""
    return NOT_KNOWN if share is None else f"{math.floor(share * 1000.0 + 1e-6) / 10:.1f}{NBSP}%"


def quantity(value: float | None, unit: str, decimals: int = 1) -> str:
    """A number with its unit; a dash when it is unknown."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{round(value, decimals) + 0.0:.{decimals}f}{NBSP}{unit}"  # + 0.0: no minus before a zero


def centimetres(metres: float | None) -> str:
    """A length in centimetres."""
    return quantity(None if metres is None else metres * 100.0, "cm", 0)


def plus_minus(share: float | None) -> str:
    """A relative uncertainty."""
    return NOT_KNOWN if share is None else f"±{NBSP}{share * 100.0:.2g}{NBSP}%"


def lat_lon(lonlat: tuple[float, float] | None) -> str:
    """A place for a chart plotter, latitude first; 6 decimals are 0.1 m."""
    if lonlat is None:
        return NOT_KNOWN
    lon, lat = lonlat
    north, east = "N" if lat >= 0 else "S", "E" if lon >= 0 else "W"
    return f"{abs(lat):.6f}°{NBSP}{north}, {abs(lon):.6f}°{NBSP}{east}"


def frame_name(frame: MapFrame) -> str:
    """The map frame in words."""
    if frame.epsg is None:
        return "a local frame; its place on the earth is not known"
    zone, south = frame.epsg % 100, frame.epsg // 100 == 327
    return f"UTM zone {zone} {'S' if south else 'N'} (EPSG:{frame.epsg})"


def direction(vector: tuple[float, float] | None, *, placed: bool) -> str:
    """A horizontal direction and its opposite: bearings from grid north, or components in a local frame."""
    if vector is None:
        return "–"
    east, north = vector
    if not placed:
        return f"x {east:.2f}, y {north:.2f}"
    bearing = round(math.degrees(math.atan2(east, north))) % 180
    return f"{bearing:03d}°/{bearing + 180:03d}°"
