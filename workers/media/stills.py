"""A folder of stills as one recording: order, times, sizes, and what their EXIF says."""

import math
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from natsort import natsorted, ns
from PIL import ExifTags, Image, UnidentifiedImageError

from workers.contract.dive import Problem
from workers.contract.errors import ErrorCode, FootageUnreadable

F64 = npt.NDArray[np.float64]

TAIL_BYTES = 65536
"""Where a JPEG's end marker must be; cameras append previews behind it."""

_TURNED = frozenset({5, 6, 7, 8})
"""EXIF orientations that swap width and height; decoders apply them."""

_NAME_TIME = re.compile(
    r"(?<!\d)((?:19|20)\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)"
    r"[-_T. ]?([0-2]\d)[-_:.]?([0-5]\d)[-_:.]?([0-5]\d)(?:[.,](\d{1,6}))?"
)


@dataclass(frozen=True)
class Still:
    """One picture. ``taken_s`` is POSIX seconds, the camera's clock taken as UTC unless EXIF has its offset.

    ``altitude_m`` is above sea level. ``exposure_s`` and ``iso`` are None where EXIF lacks them.
    """

    path: Path
    width: int
    height: int
    taken_s: float | None = None
    lat_deg: float | None = None
    lon_deg: float | None = None
    altitude_m: float | None = None
    serial: str | None = None
    model: str | None = None
    firmware: str | None = None
    exposure_s: float | None = None
    iso: float | None = None


@dataclass(frozen=True, eq=False)
class StillsFolder:
    """The usable stills in order; ``times_s`` (N,) from 0, strictly increasing; ``start_utc_s`` of the first."""

    stills: tuple[Still, ...]
    times_s: F64
    start_utc_s: float | None
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]

    @property
    def rate(self) -> float:
        """Mean pictures per second."""
        return float((len(self.times_s) - 1) / self.times_s[-1]) if len(self.times_s) > 1 else 1.0


def read_folder(paths: Sequence[Path]) -> StillsFolder:
    """The stills of one folder, in natural order (``_2`` before ``_10``), or by time where that contradicts it."""
    problems: list[Problem] = []
    stills: list[Still] = []
    for path in natsorted(paths, alg=ns.PATH | ns.IGNORECASE):
        try:
            stills.append(read_still(path))
        except FootageUnreadable as error:
            problems.append(Problem(subject=str(path), code=error.code, cause=error.cause, hint=error.hint))
    stills, odd = _of_one_size(stills)
    stills, times_s, start_utc_s, notes = _timed(stills)
    return StillsFolder(tuple(stills), times_s, start_utc_s, (*problems, *odd), notes)


def read_still(path: Path) -> Still:
    """Size and EXIF of one picture, without decoding it.

    Raises:
        FootageUnreadable: it is empty, cut off, or no picture.
    """
    hint = "Copy it again from the card."
    if path.stat().st_size == 0:
        cause = f"{path} is empty (0 bytes)."
        raise FootageUnreadable(cause, hint, ErrorCode.FILE_EMPTY)
    try:
        with warnings.catch_warnings(), Image.open(path, formats=("JPEG", "PNG", "TIFF", "MPO")) as image:
            warnings.simplefilter("ignore")  # of damaged EXIF, what can be read is used
            width, height, kind = image.width, image.height, image.format
            exif = image.getexif()
            details = dict(exif) | exif.get_ifd(ExifTags.IFD.Exif)
            gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        cause = f"{path} is not a picture."
        raise FootageUnreadable(cause, hint, ErrorCode.FILE_UNREADABLE) from error
    except (OSError, ValueError, SyntaxError, ArithmeticError, LookupError, TypeError) as error:
        cause = f"{path} is damaged: {error}."
        raise FootageUnreadable(cause, hint, ErrorCode.FILE_UNREADABLE) from error
    if not _is_whole(path, kind):
        cause = f"{path} is cut off: its end marker is missing."
        raise FootageUnreadable(cause, hint, ErrorCode.FILE_TRUNCATED)
    if details.get(ExifTags.Base.Orientation) in _TURNED:
        width, height = height, width
    lat_deg, lon_deg, altitude_m = _position(gps)
    return Still(
        path=path,
        width=width,
        height=height,
        taken_s=_exif_time(details) or _name_time(path.stem),
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        altitude_m=altitude_m,
        serial=_text(details.get(ExifTags.Base.BodySerialNumber)),
        model=_text(details.get(ExifTags.Base.Model)),
        firmware=_text(details.get(ExifTags.Base.Software)),
        exposure_s=_number(details.get(ExifTags.Base.ExposureTime)),
        iso=_number(details.get(ExifTags.Base.ISOSpeedRatings)),
    )


def _is_whole(path: Path, kind: str | None) -> bool:
    """Does it end as its format does? Inside JPEG data FF D9 cannot occur (FF is always followed by 00)."""
    marker = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND"}.get(kind or "")
    if marker is None:
        return True
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - TAIL_BYTES))
        return marker in stream.read()


def _of_one_size(stills: list[Still]) -> tuple[list[Still], list[Problem]]:
    """The stills of the most frequent size; the others named."""
    if not stills:
        return [], []
    (width, height), _ = Counter((still.width, still.height) for still in stills).most_common(1)[0]
    problems = [
        Problem(
            subject=str(still.path),
            code=ErrorCode.FILE_UNREADABLE,
            cause=f"{still.path} is {still.width} x {still.height} pixels; most here are {width} x {height}.",
            hint="Put pictures of another camera into a folder of their own.",
        )
        for still in stills
        if (still.width, still.height) != (width, height)
    ]
    return [still for still in stills if (still.width, still.height) == (width, height)], problems


def _timed(stills: list[Still]) -> tuple[list[Still], F64, float | None, tuple[str, ...]]:
    """Order and times in seconds from the first; one second apart where nothing tells."""
    taken = np.array([math.nan if still.taken_s is None else still.taken_s for still in stills])
    known = np.isfinite(taken)
    if len(stills) < 2 or known.sum() < max(2, len(stills) / 2):
        note = "The stills carry no times; they are taken as one second apart, in the order of their names."
        start = float(taken[0]) if len(stills) == 1 and known[0] else None
        return stills, np.arange(len(stills), dtype=np.float64), start, (note,) if len(stills) > 1 else ()
    notes: tuple[str, ...] = ()
    index = np.arange(len(stills), dtype=np.float64)
    taken = np.interp(index, index[known], taken[known])
    if (~known).any():
        notes += (f"{(~known).sum()} stills carry no time; theirs lies between their neighbours'.",)
    if (np.diff(taken) < 0).any():
        order = np.argsort(taken, kind="stable")
        stills, taken = [stills[i] for i in order], taken[order]
        notes += ("The stills are ordered by the time they were taken, which contradicts their names.",)
    spread = _spread(taken - taken[0])
    return stills, spread, float(taken[0]), notes


def _spread(times_s: F64) -> F64:
    """Strictly increasing times: pictures of the same second share the time to the next one, at most a second."""
    values, first, counts = np.unique(times_s, return_index=True, return_counts=True)
    room_s = np.append(np.minimum(np.diff(values), 1.0), 1.0)
    rank = np.arange(len(times_s)) - np.repeat(first, counts)
    return np.repeat(values, counts) + rank * np.repeat(room_s / counts, counts)


def _exif_time(details: dict[int, Any]) -> float | None:
    text = _text(details.get(ExifTags.Base.DateTimeOriginal)) or _text(
        details.get(ExifTags.Base.DateTimeDigitized)
    )
    if text is None:
        return None
    try:
        moment = datetime.strptime(text[:19], "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    offset = _text(details.get(ExifTags.Base.OffsetTimeOriginal)) or ""
    if match := re.fullmatch(r"([+-])(\d\d):(\d\d)", offset):
        shift = timedelta(hours=int(match[2]), minutes=int(match[3]))
        if shift < timedelta(hours=24):
            moment = moment.replace(tzinfo=timezone(-shift if match[1] == "-" else shift))
    digits = _text(details.get(ExifTags.Base.SubsecTimeOriginal)) or ""
    return moment.timestamp() + (float(f"0.{digits}") if digits.isascii() and digits.isdigit() else 0.0)


def _name_time(stem: str) -> float | None:
    """A time in a file name, such as 2024_10_08_10-39-58."""
    match = _NAME_TIME.search(stem)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return moment.timestamp() + (float(f"0.{match[7]}") if match[7] else 0.0)


def _position(gps: dict[int, Any]) -> tuple[float | None, float | None, float | None]:
    lat = _degrees(gps.get(ExifTags.GPS.GPSLatitude), gps.get(ExifTags.GPS.GPSLatitudeRef), 90.0)
    lon = _degrees(gps.get(ExifTags.GPS.GPSLongitude), gps.get(ExifTags.GPS.GPSLongitudeRef), 180.0)
    if lat is None or lon is None or (lat == 0.0 and lon == 0.0):
        return None, None, None
    return lat, lon, _number(gps.get(ExifTags.GPS.GPSAltitude))


def _degrees(parts: object, reference: object, limit: float) -> float | None:
    if not isinstance(parts, (tuple, list)) or len(parts) != 3:
        return None
    numbers = [_number(part) for part in parts]
    if any(number is None for number in numbers):
        return None
    degrees = sum((number or 0.0) / 60.0**power for power, number in enumerate(numbers))
    return (-degrees if _text(reference) in ("S", "W") else degrees) if abs(degrees) <= limit else None


def _number(value: object) -> float | None:
    """A finite number; EXIF fractions may divide by zero, lists hold the value first."""
    try:
        number = float(value[0] if isinstance(value, (tuple, list)) and value else value)  # type: ignore[arg-type]
    except (TypeError, ValueError, ArithmeticError):
        return None
    return number if math.isfinite(number) else None


def _text(value: object) -> str | None:
    """Text without the zero bytes that cameras pad it with."""
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if not isinstance(value, str):
        return None
    clean = "".join(letter for letter in value if letter.isprintable()).strip()
    return clean[:64] or None
