"""Which column of a nav log holds what, in which unit: by its name, or by a small TOML file beside the log.

::

    # AUV01_nav.toml, beside AUV01_nav.csv; every line may be left out
    delimiter = ";"
    time_zone = "Europe/Paris"            # or "UTC", "+02:00"
    time_format = "%d/%m/%Y %H:%M:%S"     # as for Python's strptime
    epsg = 32631                          # of x and y, to give them a place
    [columns]                             # time date lat lon x y depth altitude heading pitch roll speed vehicle
    time = "Stamp"
    [units]                               # m mm cm ft deg rad m/s kn s ms us ns %
    depth = "ft"
"""

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, ValidationError

from workers.contract.dive import Frozen
from workers.contract.errors import NavUnreadable

_LENGTH = {
    "m": 1.0,
    "metre": 1.0,
    "metres": 1.0,
    "meters": 1.0,
    "mm": 1e-3,
    "cm": 1e-2,
    "ft": 0.3048,
    "feet": 0.3048,
}
_ANGLE = {"deg": 1.0, "degrees": 1.0, "dd": 1.0, "rad": math.degrees(1.0), "radians": math.degrees(1.0)}
_SPEED = {
    "m/s": 1.0,
    "mps": 1.0,
    "kn": 1852 / 3600,
    "kt": 1852 / 3600,
    "kts": 1852 / 3600,
    "knots": 1852 / 3600,
}
_TIME = {
    "s": 1.0,
    "sec": 1.0,
    "seconds": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "ns": 1e-9,
    "utc": 1.0,
    "gmt": 1.0,
    "z": 1.0,
}
_SHARE = {"%": 1.0, "percent": 1.0}

NAMES: dict[str, tuple[str, ...]] = {
    "time": (
        *(
            "timestamp",
            "time stamp",
            "datetime",
            "date time",
            "utc",
            "utc time",
            "time utc",
            "unix time",
            "epoch",
        ),
        *("unix", "gps time", "ts", "time", "clock current time", "t"),
    ),
    "date": ("date", "date utc", "utc date", "clock current date"),
    "lat": (
        "latitude",
        "lat",
        "gps lat",
        "gps latitude",
        "nav lat",
        "position lat",
        "lat dec",
        "latitude dec",
    ),
    "lon": (
        *(
            "longitude",
            "lon",
            "long",
            "lng",
            "gps lon",
            "gps longitude",
            "nav lon",
            "position lon",
            "lon dec",
        ),
        "longitude dec",
    ),
    "x": ("x", "east", "easting", "x east", "pos x", "position x", "local x"),
    "y": ("y", "north", "northing", "y north", "pos y", "position y", "local y"),
    "depth": ("depth", "vehicle depth", "auv depth", "rov depth", "pressure depth", "depth below surface"),
    "altitude": (
        *("altitude", "alt", "altitude above seabed", "altitude above bottom", "height above bottom", "hab"),
        *("height above seabed", "dvl altitude", "altimeter", "avg dist", "distance", "range to bottom"),
        *("rangefinder distance", "apm sub info rangefinder distance"),
    ),
    "confidence": ("avg conf", "confidence", "altitude confidence", "altimeter confidence"),
    "heading": ("heading", "hdg", "yaw", "true heading", "heading true", "vehicle heading"),
    "pitch": ("pitch", "vehicle pitch"),
    "roll": ("roll", "vehicle roll"),
    "speed": ("speed", "ground speed", "speed over ground", "sog"),
    "vehicle": ("vehicle", "vehicle id", "vehicle name", "auv", "platform"),
}
UNITS: dict[str, Mapping[str, float]] = {
    "time": _TIME,
    "lat": _ANGLE,
    "lon": _ANGLE,
    "x": _LENGTH,
    "y": _LENGTH,
    "depth": _LENGTH,
    "altitude": _LENGTH,
    "confidence": _SHARE,
    "heading": _ANGLE,
    "pitch": _ANGLE,
    "roll": _ANGLE,
    "speed": _SPEED,
}
_BRACKETS = re.compile(r"[\[(]\s*([^\])]*?)\s*[\])]")
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


class NavMapping(Frozen):
    """The TOML file beside a nav log."""

    delimiter: str | None = None
    time_zone: str | None = None
    time_format: str | None = None
    epsg: int | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    units: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """``factor`` turns the file's unit into metres, degrees, seconds or m/s; ``unit`` is None when not stated."""

    index: int
    header: str
    factor: float = 1.0
    unit: str | None = None


def mapping_file(path: Path) -> Path:
    """Where the TOML file of a nav log would be."""
    return path.with_suffix(".toml")


def read_mapping(path: Path) -> NavMapping:
    """The mapping beside a nav log; an empty one when there is none.

    Raises:
        NavUnreadable: the TOML file is broken or speaks of unknown fields or units.
    """
    beside = mapping_file(path)
    if not beside.is_file():
        return NavMapping()
    try:
        mapping = NavMapping.model_validate(tomllib.loads(beside.read_text(encoding="utf-8-sig")))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        cause = f"{beside} is not valid TOML: {error}."
        raise NavUnreadable(cause) from error
    except ValidationError as error:
        first = error.errors()[0]
        cause = f"{beside}: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}."
        raise NavUnreadable(cause) from error
    for field, unit in mapping.units.items():
        if unit.lower() not in UNITS.get(field, {}):
            cause = f"{beside}: the unit {unit!r} of {field!r} is not known."
            raise NavUnreadable(cause, f"Units of {field}: {', '.join(UNITS.get(field, {})) or 'none'}.")
    if unknown := sorted(set(mapping.columns) - set(NAMES)):
        cause = f"{beside}: there is no field {unknown[0]!r}."
        raise NavUnreadable(cause, f"Fields: {', '.join(NAMES)}.")
    return mapping


def recognise(header: Sequence[str], mapping: NavMapping, path: Path) -> dict[str, Column]:
    """Columns by field.

    Raises:
        NavUnreadable: the mapping names a column that is not there.
    """
    parsed = [_name_and_unit(name) for name in header]
    found: dict[str, Column] = {}
    for field, names in NAMES.items():
        if field in mapping.columns:
            found[field] = _named(header, mapping.columns[field], path)
            continue
        for name in names:
            index = next((i for i, (own, _) in enumerate(parsed) if own == name), None)
            if index is not None:
                found[field] = Column(index, header[index].strip(), unit=parsed[index][1])
                break
    if (
        "altitude" not in mapping.columns
        and "confidence" not in found
        and _is_distance(found.get("altitude"))
    ):
        del found["altitude"]  # distance travelled, not an altimeter's
    return {field: _with_unit(field, column, mapping) for field, column in found.items()}


def _is_distance(column: Column | None) -> bool:
    return column is not None and _name_and_unit(column.header)[0] == "distance"


def _named(header: Sequence[str], wanted: str, path: Path) -> Column:
    for index, name in enumerate(header):
        if name.strip() == wanted.strip():
            return Column(index, wanted.strip(), unit=_name_and_unit(name)[1])
    cause = f"{mapping_file(path)} names the column {wanted!r}, which {path.name} does not have."
    raise NavUnreadable(cause, f"Its columns are: {', '.join(header)[:400]}.")


def _with_unit(field: str, column: Column, mapping: NavMapping) -> Column:
    unit = mapping.units.get(field, column.unit)
    factors = UNITS.get(field, {})
    known = unit is not None and unit.lower() in factors
    factor = factors[unit.lower()] if unit is not None and known else 1.0
    return Column(column.index, column.header, factor, unit.lower() if unit is not None and known else None)


def _name_and_unit(header: str) -> tuple[str, str | None]:
    """``gps.lat`` -> (gps lat, None); ``distance [mm]`` -> (distance, mm); ``speed_m_s`` -> (speed, m/s)."""
    bracketed = _BRACKETS.search(header)
    words = [word.lower() for word in _WORDS.findall(_BRACKETS.sub(" ", header))]
    if bracketed:
        return " ".join(words), bracketed[1].lower() or None
    if len(words) > 2 and words[-2:] == ["m", "s"]:
        return " ".join(words[:-2]), "m/s"
    units = {unit for factors in UNITS.values() for unit in factors}
    if len(words) > 1 and words[-1] in units:
        return " ".join(words[:-1]), words[-1]
    return " ".join(words), None
