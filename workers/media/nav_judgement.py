"""Can a nav log give scale and place? If not, why."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from workers.media.nav import NavTrack

F64 = npt.NDArray[np.float64]

MIN_DISTINCT = 8
FEW_DISTINCT, FEW_SHARE = 100, 0.3
"""Fewer distinct positions than both of these (as a number, as a share of the rows) are too few."""

MAX_SPEED_M_S, MAX_FAST_SHARE = 5.0, 0.05
MIN_EXTENT_M, MAX_ROUNDING_M, MAX_INTERVAL_S = 1.0, 1.0, 10.0
NOTED_ROUNDING_M = 0.2


@dataclass(frozen=True)
class NavFigures:
    """What a log is judged by. A fix is a row whose position differs from the row before it."""

    rows: int
    distinct: int
    span_s: float
    extent_m: float
    rounding_m: float
    largest_step_m: float
    fast_share: float
    interval_s: float


def figures(track: NavTrack) -> NavFigures:
    """Figures of a log that has positions."""
    flat_m = track.flat_m()
    fixes = np.r_[True, np.any(np.diff(flat_m, axis=0) != 0.0, axis=1)]
    steps_m = np.linalg.norm(np.diff(flat_m[fixes], axis=0), axis=1)
    steps_s = np.diff(track.utc_s[fixes])
    fast = (steps_m > MAX_SPEED_M_S * steps_s) & (steps_m > MIN_EXTENT_M)
    return NavFigures(
        rows=len(flat_m),
        distinct=track.distinct_positions,
        span_s=float(track.utc_s[-1] - track.utc_s[0]),
        extent_m=float(np.linalg.norm(np.ptp(flat_m, axis=0))),
        rounding_m=max(_rounding(flat_m[:, 0]), _rounding(flat_m[:, 1])),
        largest_step_m=float(steps_m.max(initial=0.0)),
        fast_share=float(fast.mean()) if len(fast) else 0.0,
        interval_s=float(np.median(steps_s)) if len(steps_s) else 0.0,
    )


def assess(track: NavTrack, max_interval_s: float = MAX_INTERVAL_S) -> str | None:
    """Why a log cannot give scale or place; None when it can.

    Args:
        track: the log.
        max_interval_s: new positions must be at least this frequent, unless each picture has its own.
    """
    if not track.has_position:
        return "It holds no positions, only altitudes."
    f = figures(track)
    if _at_null_island(track):
        return "Its positions are all near 0 N, 0 E: there was no fix."
    if f.extent_m < MIN_EXTENT_M:
        return (
            f"The vehicle stays within {f.extent_m:.2f} m ({f.distinct} distinct positions in {f.rows} rows)."
        )
    if f.distinct < MIN_DISTINCT or (f.distinct < FEW_DISTINCT and f.distinct < FEW_SHARE * f.rows):
        return (
            f"It has only {f.distinct} distinct positions in {f.rows} rows over {f.span_s:.1f} s, "
            f"with jumps of up to {f.largest_step_m:.2f} m between them."
        )
    if f.fast_share > MAX_FAST_SHARE:
        return (
            f"{100 * f.fast_share:.0f} % of its steps are faster than {MAX_SPEED_M_S:.0f} m/s "
            f"(the largest {f.largest_step_m:.1f} m): no vehicle moves so."
        )
    if f.rounding_m > MAX_ROUNDING_M:
        return f"Its positions are rounded to {f.rounding_m:.1f} m: too coarse for a scale."
    if f.interval_s > max_interval_s:
        return f"It has a new position only every {f.interval_s:.0f} s."
    return None


def remarks(track: NavTrack) -> tuple[str, ...]:
    """What the operator should know of a log that is good enough."""
    if not track.has_position:
        return ()
    f = figures(track)
    found = []
    if f.rounding_m > NOTED_ROUNDING_M:
        found.append(f"Positions are rounded to {f.rounding_m:.2f} m.")
    if f.fast_share > 0.0:
        found.append(
            f"{100 * f.fast_share:.1f} % of the steps are jumps, the largest {f.largest_step_m:.1f} m."
        )
    if f.distinct < 0.9 * f.rows:
        found.append(f"{f.distinct} distinct positions in {f.rows} rows: fixes are repeated.")
    return tuple(found)


def _rounding(values_m: F64) -> float:
    """The step that all values are multiples of, metres; 0 when there is none that can be seen."""
    different = np.unique(np.round(values_m - values_m.min(), 4))
    if len(different) < 3:
        return 0.0
    steps = np.diff(different)
    step = float(steps.min())
    multiples = steps / step
    on_grid = np.abs(multiples - np.round(multiples)) < 0.05
    return step if step > 0.01 and on_grid.mean() > 0.95 else 0.0


def _at_null_island(track: NavTrack) -> bool:
    if track.lat_deg is None or track.lon_deg is None:
        return False
    return bool(np.abs(track.lat_deg).max() < 0.01 and np.abs(track.lon_deg).max() < 0.01)
