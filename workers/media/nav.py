"""Read a vehicle's nav log (CSV) as arrays in fixed units."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from workers.contract.errors import NavUnreadable
from workers.media.nav_columns import Column, NavMapping, read_mapping
from workers.media.nav_table import numbers_of, read_table
from workers.media.nav_times import Clock, posix_seconds, zone_of

F64 = npt.NDArray[np.float64]

METRES_PER_DEGREE = 111_195.0
"""Mean of a sphere of the Earth's volume: enough to judge a log, not to place one."""

MIN_CONFIDENCE = 50.0
"""Per cent; an altimeter's answers below this are often echoes from elsewhere."""

MAX_ALTITUDE_M = 30.0
"""No camera sees the seabed from higher; a higher "altitude" is above sea level."""

_DATED = re.compile(r"\d[-/T.]\d+[-/T.]")
_FIELDS = {
    "lat": "lat_deg",
    "lon": "lon_deg",
    "x": "x_m",
    "y": "y_m",
    "depth": "depth_m",
    "altitude": "altitude_m",
    "heading": "heading_deg",
    "pitch": "pitch_deg",
    "roll": "roll_deg",
    "speed": "speed_m_s",
}


@dataclass(frozen=True, eq=False)
class NavTrack:
    """A nav log, sorted by strictly increasing ``utc_s``; all arrays are (N,).

    Rows without a valid time, or without a valid position where there are position columns, are gone. Either
    ``lat_deg`` and ``lon_deg`` (WGS 84) are given, or ``x_m`` (local east) and ``y_m`` (local north), or neither pair:
    an altimeter's log. The rest is None when there is no such column, and NaN in the rows that lack it.

    ``depth_m`` is positive downwards, ``altitude_m`` above the seabed, ``heading_deg`` clockwise from north in 0..360;
    ``pitch_deg`` and ``roll_deg`` have the file's signs. ``columns`` maps fields to the file's header, ``rows`` counts
    the file's data rows, ``dropped`` those left out by reason.
    """

    utc_s: F64
    lat_deg: F64 | None
    lon_deg: F64 | None
    x_m: F64 | None
    y_m: F64 | None
    depth_m: F64 | None
    altitude_m: F64 | None
    heading_deg: F64 | None
    pitch_deg: F64 | None
    roll_deg: F64 | None
    speed_m_s: F64 | None
    columns: dict[str, str]
    rows: int
    dropped: dict[str, int]
    clock: Clock
    notes: tuple[str, ...] = ()

    @property
    def has_position(self) -> bool:
        """False for an altimeter's log."""
        return self.lat_deg is not None or self.x_m is not None

    @property
    def distinct_positions(self) -> int:
        """Number of different positions; a log that repeats its last fix has few."""
        return len(np.unique(self.flat_m(), axis=0)) if self.has_position else 0

    def flat_m(self) -> F64:
        """Positions (N,2) in metres east and north of the first one, good enough to judge distances by."""
        if self.lat_deg is not None and self.lon_deg is not None:
            east = (self.lon_deg - self.lon_deg[0]) * np.cos(np.radians(self.lat_deg[0]))
            return np.column_stack([east, self.lat_deg - self.lat_deg[0]]) * METRES_PER_DEGREE
        if self.x_m is not None and self.y_m is not None:
            return np.column_stack([self.x_m - self.x_m[0], self.y_m - self.y_m[0]])
        return np.empty((len(self.utc_s), 0))


def read_nav(path: Path, vehicle: str | None = None) -> NavTrack:
    """Read a nav log.

    Args:
        path: the CSV file; a TOML file of the same stem beside it maps its columns.
        vehicle: keep only this vehicle's rows, where the log has a vehicle column that speaks of several.

    Raises:
        NavUnreadable: no times, no positions or altitudes could be made out.
    """
    mapping = read_mapping(path)
    columns, rows, decimal_comma = read_table(path, mapping)
    pair = _position_columns(path, columns)
    if "vehicle" in columns and vehicle is not None and len(set(rows["vehicle"])) > 1:
        keep = [row for row, name in enumerate(rows["vehicle"]) if name == vehicle]
        rows = {field: [texts[row] for row in keep] for field, texts in rows.items()}
    if not rows["time"]:
        cause = f"{path} has no rows" + (f" of the vehicle {vehicle!r}." if vehicle else ".")
        raise NavUnreadable(cause)
    times = _times(columns, rows, mapping)
    values = {
        field: numbers_of(texts, columns[field].factor, comma=decimal_comma)
        for field, texts in rows.items()
        if field in _FIELDS or field == "confidence"
    }
    for field in {"lat", "lon", "x", "y"} - set(pair or ()):
        values.pop(field, None)
    notes = (*times.notes, *_clean(values))
    order, dropped = _good_rows(path, times.utc_s, values, pair)
    arrays: dict[str, F64 | None] = {
        name: values[field][order] if field in values and np.isfinite(values[field][order]).any() else None
        for field, name in _FIELDS.items()
    }
    names = {name: columns[field].header for field, name in _FIELDS.items() if arrays[name] is not None}
    track = NavTrack(
        times.utc_s[order],
        **arrays,
        columns={"utc_s": times.header, **names},
        rows=len(times.utc_s),
        dropped=dropped,
        clock=times.clock,
        notes=notes,
    )
    return _placed(track, mapping)


def vehicles_in(path: Path) -> tuple[str, ...]:
    """Names in a log's vehicle column, in the order they appear; empty when it has none.

    Raises:
        NavUnreadable: the file is no CSV with a header.
    """
    columns, rows, _ = read_table(path, read_mapping(path))
    if "vehicle" not in columns:
        return ()
    return tuple(dict.fromkeys(name.strip() for name in rows["vehicle"] if name.strip()))


def _position_columns(path: Path, columns: Mapping[str, Column]) -> tuple[str, str] | None:
    """The pair of fields that gives positions; None for an altimeter's log."""
    if "time" in columns:
        if {"lat", "lon"} <= set(columns):
            return "lat", "lon"
        if {"x", "y"} <= set(columns):
            return "x", "y"
        if "altitude" in columns:
            return None
    known = ", ".join(column.header for column in columns.values()) or "none"
    cause = f"{path} has no time column with positions (lat/lon or x/y) or altitudes beside it; recognised: {known}."
    raise NavUnreadable(cause)


@dataclass(frozen=True)
class _Times:
    utc_s: F64
    clock: Clock
    notes: tuple[str, ...]
    header: str


def _times(columns: Mapping[str, Column], rows: Mapping[str, list[str]], mapping: NavMapping) -> _Times:
    texts, column = rows["time"], columns["time"]
    header = column.header
    if "date" in columns and not any(_DATED.search(text) for text in texts[:20]):
        texts = [f"{day} {time}" for day, time in zip(rows["date"], texts, strict=True)]
        header = f"{columns['date'].header} + {header}"
    stated = mapping.time_zone or ("UTC" if re.search(r"utc|gmt|zulu", header, re.IGNORECASE) else None)
    utc_s, clock, notes = posix_seconds(
        texts,
        factor=column.factor if column.unit in ("s", "sec", "seconds", "ms", "us", "ns") else None,
        zone=zone_of(stated) if stated else None,
        time_format=mapping.time_format,
    )
    return _Times(utc_s, clock, notes, header)


def _clean(values: dict[str, F64]) -> Iterator[str]:
    """Bring altitudes, depths and headings into order, in place; says what was done."""
    confidence = values.pop("confidence", None)
    if (altitude := values.get("altitude")) is not None:
        if confidence is not None:  # in per cent, or 0..1
            percent = confidence * (100.0 if np.nanmax(confidence, initial=0.0) <= 1.0 else 1.0)
            low = np.isfinite(altitude) & (percent < MIN_CONFIDENCE)
            altitude[low] = np.nan
            if low.any():
                yield f"{low.sum()} altitudes with a confidence below {MIN_CONFIDENCE:.0f} % are left out."
        altitude[altitude <= 0.0] = np.nan
        if np.isfinite(altitude).any() and np.nanmedian(altitude) > MAX_ALTITUDE_M:
            yield f"Altitudes around {np.nanmedian(altitude):.0f} m cannot be above the seabed; they are left out."
            altitude[:] = np.nan
    depth = values.get("depth")
    if (
        depth is not None
        and np.isfinite(depth).any()
        and np.nanpercentile(depth, 95) < 1.0
        and np.nanmedian(depth) < 0
    ):
        values["depth"] = -depth
        yield "Depths are negative in the file; the sign is turned."
    if "heading" in values:
        values["heading"] = np.mod(values["heading"], 360.0)


def _good_rows(
    path: Path, utc_s: F64, values: Mapping[str, F64], pair: tuple[str, str] | None
) -> tuple[npt.NDArray[np.intp], dict[str, int]]:
    """Numbers of the rows to keep, by time, and how many are dropped for which reason."""
    bad_time = ~np.isfinite(utc_s)
    bad_place = _bad_place(values, pair) & ~bad_time
    good = np.flatnonzero(~bad_time & ~bad_place)
    order = good[np.argsort(utc_s[good], kind="stable")]
    again = np.zeros(len(order), dtype=bool)
    again[1:] = np.diff(utc_s[order]) <= 0.0
    counts = {
        "no time": int(bad_time.sum()),
        "no position" if pair else "no altitude": int(bad_place.sum()),
        "same time twice": int(again.sum()),
    }
    dropped = {reason: count for reason, count in counts.items() if count}
    if len(order) == 0:
        said = ", ".join(f"{count} {reason}" for reason, count in dropped.items())
        cause = f"None of the {len(utc_s)} rows of {path} can be used ({said})."
        raise NavUnreadable(cause)
    return order[~again], dropped


def _bad_place(values: Mapping[str, F64], pair: tuple[str, str] | None) -> npt.NDArray[np.bool_]:
    if pair is None:
        return np.isnan(values["altitude"])
    first, second = values[pair[0]], values[pair[1]]
    bad = np.isnan(first) | np.isnan(second)
    if pair == ("lat", "lon"):
        bad |= (np.abs(first) > 90.0) | (np.abs(second) > 180.0) | ((first == 0.0) & (second == 0.0))
    return bad


def _placed(track: NavTrack, mapping: NavMapping) -> NavTrack:
    """Give x, y a place where the mapping names their coordinate system."""
    if track.x_m is None or track.y_m is None:
        return track
    if mapping.epsg is None:
        return replace(track, notes=(*track.notes, "x and y are taken as local metres east and north."))
    from pyproj import Transformer
    from pyproj.exceptions import ProjError

    try:
        to_lonlat = Transformer.from_crs(mapping.epsg, 4326, always_xy=True)
        lon, lat = to_lonlat.transform(track.x_m, track.y_m, errcheck=True)
    except ProjError as error:
        cause = f"x and y do not fit EPSG:{mapping.epsg}: {error}."
        raise NavUnreadable(cause) from error
    return replace(track, x_m=None, y_m=None, lat_deg=np.asarray(lat), lon_deg=np.asarray(lon))
