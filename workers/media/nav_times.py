"""Times of a nav log as POSIX seconds, with the time zone that was stated or the admission that none was."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from workers.contract.errors import NavUnreadable

Clock = Literal["utc", "assumed_utc", "relative"]
"""``utc``: the zone is stated; ``assumed_utc``: not stated, taken as UTC; ``relative``: seconds from somewhere."""

F64 = npt.NDArray[np.float64]
_EPOCH_FROM = 1e8
"""Smaller numbers (before March 1973) are seconds from the start of something."""

_UNIT_OF_MAGNITUDE = ((1e17, 1e-9), (1e14, 1e-6), (1e11, 1e-3), (0.0, 1.0))
_DATE_FORMATS = ("%Y/%m/%d", "%d.%m.%Y", "%Y%m%d", "%d-%b-%Y", "%d-%m-%Y", "%b %d %Y")
_TIME_FORMATS = ("%H:%M:%S", "%H:%M:%S.%f", "%H:%M", "%I:%M:%S %p")
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?", re.IGNORECASE)
_SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{2,4})")
_Parse = Callable[[str], datetime]


def zone_of(text: str) -> tzinfo:
    """A time zone from ``UTC``, ``+02:00`` or ``Europe/Paris``.

    Raises:
        NavUnreadable: there is no such zone.
    """
    if text.upper() in ("UTC", "GMT", "Z", "ZULU"):
        return UTC
    if match := _OFFSET.fullmatch(text):
        offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
        if offset < timedelta(hours=24):
            return timezone(-offset if match[1] == "-" else offset)
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError) as error:  # ZoneInfoNotFoundError is a KeyError
        cause = f"The time zone {text!r} is not known."
        raise NavUnreadable(cause, 'Give time_zone as an offset such as "+02:00", or as "UTC".') from error


def posix_seconds(
    texts: Sequence[str], *, factor: float | None, zone: tzinfo | None, time_format: str | None
) -> tuple[F64, Clock, tuple[str, ...]]:
    """Times of all rows, NaN where one cannot be read.

    Args:
        texts: date and time of each row, or a number.
        factor: seconds in the stated unit of a number; None: told from its size.
        zone: what was stated for times without an offset of their own.
        time_format: as for ``strptime``; None: told from the first times.

    Returns:
        POSIX seconds (N,), what kind of clock they are, and notes for the operator.
    """
    if time_format is None and (numbers := _numbers(texts)) is not None:
        return _from_numbers(numbers, factor)
    seconds = np.full(len(texts), np.nan)
    parse, notes = (_strict(time_format), ()) if time_format else _parser(texts)
    naive = False
    for row, text in enumerate(texts):
        try:
            moment = parse(text)
            if moment.tzinfo is None:
                naive = True
                moment = moment.replace(tzinfo=zone or UTC)
            seconds[row] = moment.timestamp()
        except (ValueError, OverflowError):
            continue
    if naive and zone is None:
        return seconds, "assumed_utc", (*notes, "The time zone is not stated; the times are taken as UTC.")
    return seconds, "utc", notes


def _numbers(texts: Sequence[str]) -> F64 | None:
    """The texts as numbers, when most are."""
    values = np.full(len(texts), np.nan)
    for row, text in enumerate(texts):
        try:
            values[row] = float(text)
        except ValueError:
            continue
    good = np.isfinite(values).sum()
    return values if good and good > 0.5 * len(texts) else None


def _from_numbers(values: F64, factor: float | None) -> tuple[F64, Clock, tuple[str, ...]]:
    middle = float(np.nanmedian(np.abs(values)))
    compact = np.nanmin(values) >= 19700101000000 and np.nanmax(values) < 21000101000000
    if factor is None and compact and np.nanmax(values % 100) < 60:  # 20240512093000
        texts = ["" if np.isnan(value) else f"{value:.0f}" for value in values]
        return posix_seconds(texts, factor=None, zone=None, time_format="%Y%m%d%H%M%S")
    if factor is None or middle * factor < _EPOCH_FROM:
        sized = next(unit for above, unit in _UNIT_OF_MAGNITUDE if middle >= above)
        factor = sized if middle >= _EPOCH_FROM else factor or 1.0
    seconds = values * factor
    if middle * factor < _EPOCH_FROM:
        return seconds, "relative", ("The times are seconds from a start that is not stated.",)
    return seconds, "utc", ()


def _parser(texts: Sequence[str]) -> tuple[_Parse, tuple[str, ...]]:
    """A parser that reads the first of these times, and a note where that took a guess."""
    sample = [text for text in texts if text.strip()][:200]
    if not sample:
        return datetime.fromisoformat, ()
    if _reads(datetime.fromisoformat, sample):
        return datetime.fromisoformat, ()
    formats = [f"{date} {time}" for date in _DATE_FORMATS for time in _TIME_FORMATS]
    notes: tuple[str, ...] = ()
    if slashed := [match for match in map(_SLASHED.match, (text for text in texts if text)) if match]:
        order, notes = _slashed_order(slashed)
        formats = [f"{order} {time}" for time in _TIME_FORMATS]
    for time_format in formats:
        if _reads(_strict(time_format), sample):
            return _strict(time_format), notes
    return datetime.fromisoformat, ()


def _slashed_order(dates: Sequence[re.Match[str]]) -> tuple[str, tuple[str, ...]]:
    """Is 8/5/2022 in August or in May? A day above 12 anywhere tells."""
    year = "%Y" if len(dates[0][3]) == 4 else "%y"
    if any(int(date[1]) > 12 for date in dates):
        return f"%d/%m/{year}", ()
    note = f"The date {dates[0][0]} is read as month/day/year; say otherwise with time_format in a TOML file beside it."
    return f"%m/%d/{year}", () if any(int(date[2]) > 12 for date in dates) else (note,)


def _strict(time_format: str) -> _Parse:
    def parse(text: str) -> datetime:
        return datetime.strptime(text.strip(), time_format)  # noqa: DTZ007 - the zone is added by the caller

    return parse


def _reads(parse: _Parse, sample: Sequence[str]) -> bool:
    """Does it read most of them?"""
    good = 0
    for text in sample:
        try:
            parse(text)
        except ValueError:
            continue
        good += 1
    return good > 0.5 * len(sample)
