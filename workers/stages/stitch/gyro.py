"""Clocks tied by turning: camera to camera, and camera to nav, by cross-correlating turn rates.

The magnitude of the turn rate is the same for everything bolted to one vehicle, whatever the axes of each sensor, so
no extrinsics are needed. Where the vehicle hardly turned there is nothing to correlate, and that is said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import correlate, detrend

from workers.geometry import F64
from workers.stages.stitch.clock import ClockFit
from workers.stages.stitch.navigation import Track

STEP_S = 0.02
SHORTEST_S = 20.0
CLEAR_RATIO = 1.3
"""Best over second best correlation, below which an offset is ambiguous."""
SMALLEST_PEAK = 0.35
SURE_PEAK = 0.6
SURE_RATIO = 1.5
"""A tie to nav may place a straight leg that nothing else contradicts, so it must be surer than one of two cameras."""
SAME_PEAK_S = 1.5
WINDOW_SHARE = 0.4


@dataclass(frozen=True)
class TurnRate:
    """Magnitude of a turn rate: ``time_s`` (N,) of its own clock, ``rate`` (N,) rad/s."""

    time_s: F64
    rate: F64

    def part(self, first: float, last: float) -> TurnRate:
        """Between two shares (0..1) of its length."""
        span = self.time_s[-1] - self.time_s[0]
        inside = (self.time_s >= self.time_s[0] + first * span) & (
            self.time_s <= self.time_s[0] + last * span
        )
        return TurnRate(self.time_s[inside], self.rate[inside])


@dataclass(frozen=True)
class Sync:
    """b's clock against a's: time on a = time on b + ``offset_s`` + ``drift`` * (time on b - ``middle_s``)."""

    offset_s: float
    drift: float
    middle_s: float
    peak: float
    peak_ratio: float
    ambiguous: bool
    detail: str


def gyro_rate(time_s: F64, gyro_rad_s: F64) -> TurnRate:
    """Of a camera's gyro: ``time_s`` (N,), ``gyro_rad_s`` (N,3) about any axes."""
    good = np.isfinite(time_s) & np.isfinite(gyro_rad_s).all(1)
    order = np.argsort(time_s[good], kind="stable")
    return TurnRate(time_s[good][order], np.linalg.norm(gyro_rad_s[good][order], axis=1))


def nav_rate(track: Track) -> TurnRate:
    """Of a nav log with a heading: the size of its yaw rate, at the log's own rate."""
    return TurnRate(track.time_s, np.abs(np.gradient(track.yaw, track.time_s)))


def synchronise(a: TurnRate, b: TurnRate, step_s: float = STEP_S) -> Sync | None:
    """Tie b's clock to a's, at both ends where the recordings are long enough; None when either is too short."""
    whole = _offset(a, b, step_s)
    if whole is None:
        return None
    offset, peak, ratio = whole
    middle = float((b.time_s[0] + b.time_s[-1]) / 2.0)
    ambiguous = peak < SMALLEST_PEAK or ratio < CLEAR_RATIO
    detail = f"turn rates correlate with {peak:.2f}, {ratio:.1f} times the next best time"
    if ambiguous:
        return Sync(offset, 0.0, middle, peak, ratio, True, f"{detail}: the vehicle hardly turned")
    ends = [_end(a, b, offset, share, step_s) for share in ((0.0, WINDOW_SHARE), (1.0 - WINDOW_SHARE, 1.0))]
    drift = 0.0
    if all(end is not None for end in ends) and b.time_s[-1] - b.time_s[0] > 10 * SHORTEST_S:
        (t0, early), (t1, late) = (end for end in ends if end is not None)
        drift = (late - early) / (t1 - t0)
        offset = (early + late) / 2.0 + drift * (middle - (t0 + t1) / 2.0)
        detail += f"; drift {drift * 1e6:.0f} ppm"
    return Sync(offset, drift, middle, peak, ratio, False, detail)


def clock_from_nav(camera: TurnRate, start_s: float, track: Track) -> ClockFit | None:
    """A recording's clock offset to nav from turn rates; ``camera`` in recording time, ``start_s`` its stated start."""
    if not track.has_heading:
        return None
    stated = TurnRate(camera.time_s + start_s, camera.rate)
    found = synchronise(nav_rate(track), stated, step_s=0.1)
    if found is None:
        return None
    unsure = found.ambiguous or found.peak < SURE_PEAK or found.peak_ratio < SURE_RATIO
    return ClockFit(found.offset_s, 0.2, found.peak_ratio, unsure, f"by turn rate: {found.detail}")


def _end(
    a: TurnRate, b: TurnRate, near_s: float, share: tuple[float, float], step_s: float
) -> tuple[float, float] | None:
    part = b.part(*share)
    inside = (a.time_s >= part.time_s[0] + near_s - 5.0) & (a.time_s <= part.time_s[-1] + near_s + 5.0)
    found = _offset(TurnRate(a.time_s[inside], a.rate[inside]), part, step_s)
    if found is None or found[1] < SMALLEST_PEAK:
        return None
    return float((part.time_s[0] + part.time_s[-1]) / 2.0), found[0]


def _offset(a: TurnRate, b: TurnRate, step_s: float) -> tuple[float, float, float] | None:
    """Offset (s), normalised correlation at the peak, and its ratio to the best one elsewhere."""
    if min(len(a.time_s), len(b.time_s)) < 8:
        return None
    if min(a.time_s[-1] - a.time_s[0], b.time_s[-1] - b.time_s[0]) < SHORTEST_S:
        return None
    one, two = _even(a, step_s), _even(b, step_s)
    product = correlate(one, two, mode="full", method="fft")
    # Each lag is judged by the stretch that overlaps there, at least half of the shorter one.
    overlap = correlate(np.ones(len(one)), np.ones(len(two)), mode="full", method="fft")
    power_one = correlate(one**2, np.ones(len(two)), mode="full", method="fft")
    power_two = correlate(np.ones(len(one)), two**2, mode="full", method="fft")
    enough = overlap > 0.5 * min(len(one), len(two))
    size = np.sqrt(np.maximum(power_one, 1e-12) * np.maximum(power_two, 1e-12))
    score = np.where(enough, product / size, -1.0)
    best = int(np.argmax(score))
    lag = best - (len(two) - 1)
    far = np.abs(np.arange(len(score)) - best) * step_s > SAME_PEAK_S
    other = float(np.max(score[far], initial=0.0))
    offset = float(a.time_s[0] - b.time_s[0] + (lag + _subsample(score, best)) * step_s)
    return offset, float(score[best]), float(score[best]) / max(other, 1e-6)


def _even(rate: TurnRate, step_s: float) -> F64:
    """Resampled evenly, smoothed over a fifth of a second, without its mean and trend."""
    grid = np.arange(rate.time_s[0], rate.time_s[-1], step_s)
    values = np.interp(grid, rate.time_s, rate.rate)
    width = max(1, round(0.2 / step_s))
    smooth = np.convolve(values, np.ones(width) / width, mode="same")
    level: F64 = detrend(smooth)
    return level


def _subsample(score: F64, best: int) -> float:
    """Shift (-0.5..0.5) of a parabola's top through the peak and its neighbours."""
    if not 0 < best < len(score) - 1:
        return 0.0
    left, here, right = score[best - 1 : best + 2]
    bend = left - 2.0 * here + right
    return float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < 0 else 0.0
