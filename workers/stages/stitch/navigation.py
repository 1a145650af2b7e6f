"""A vehicle's nav log as a track in the map frame: position, attitude and altitude at any time."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from workers.geometry import F64, Bools
from workers.geometry.attitude import from_yaw_pitch_roll
from workers.geometry.place import Place
from workers.media.nav import NavTrack

LONGEST_BREAK_S = 5.0
"""Between nav fixes further apart than this nothing is interpolated."""
SMOOTHING_S = 0.75
"""Sigma of the smoothing used for predicting poses of frames that were not reconstructed."""
MOVING_M_S = 0.08
"""Below this speed the course over ground says nothing about the heading."""


@dataclass(frozen=True)
class Track:
    """``time_s`` (N,) POSIX; ``xyz`` (N,3) map frame, z = -depth (0 without); ``yaw`` ``pitch`` ``roll`` (N,) radians.

    ``has_attitude``: heading, pitch and roll were all logged; ``has_heading``: the heading was. Otherwise the yaw is
    the course over ground and pitch and roll are zero. ``altitude_m`` (N,) or None. ``steady_xyz`` is smoothed.
    """

    vehicle: str
    time_s: F64
    xyz: F64
    steady_xyz: F64
    yaw: F64
    pitch: F64
    roll: F64
    has_depth: bool
    has_heading: bool
    has_attitude: bool
    altitude_m: F64 | None
    absolute_clock: bool

    def position(self, time_s: F64, *, steady: bool = False) -> F64:
        """Positions (M,3) at times (M,), linear between fixes."""
        source = self.steady_xyz if steady else self.xyz
        return np.stack([np.interp(time_s, self.time_s, source[:, axis]) for axis in range(3)], axis=1)

    def velocity(self, time_s: F64, half_s: float = 0.5) -> F64:
        """Velocities (M,3) m/s at times (M,), central difference of the smoothed track."""
        low, high = time_s - half_s, time_s + half_s
        low, high = np.maximum(low, self.time_s[0]), np.minimum(high, self.time_s[-1])
        span = np.maximum(high - low, 1e-3)
        moved: F64 = (self.position(high, steady=True) - self.position(low, steady=True)) / span[:, None]
        return moved

    def attitude(self, time_s: F64) -> F64:
        """``R_world_body`` (M,3,3) at times (M,)."""
        yaw, pitch, roll = (
            np.interp(time_s, self.time_s, angle) for angle in (self.yaw, self.pitch, self.roll)
        )
        return from_yaw_pitch_roll(yaw, pitch, roll)

    def covers(self, time_s: F64) -> Bools:
        """Whether a time (M,) lies between two fixes that are close enough to interpolate."""
        after = np.clip(np.searchsorted(self.time_s, time_s), 1, len(self.time_s) - 1)
        inside = (time_s >= self.time_s[0]) & (time_s <= self.time_s[-1])
        near: Bools = inside & (self.time_s[after] - self.time_s[after - 1] <= LONGEST_BREAK_S)
        return near

    def median_altitude_m(self, time_s: F64 | None = None) -> float | None:
        """Median altitude above the seabed, near some times or over the whole log; None without an altimeter."""
        if self.altitude_m is None or not np.isfinite(self.altitude_m).any():
            return None
        good = np.isfinite(self.altitude_m) & (self.altitude_m > 0.0)
        if time_s is not None:
            inside = good & (self.time_s >= time_s.min() - 1.0) & (self.time_s <= time_s.max() + 1.0)
            good = inside if inside.sum() >= 3 else good
        return float(np.median(self.altitude_m[good])) if good.any() else None


def make_track(vehicle: str, nav: NavTrack, place: Place | None) -> Track:
    """Bring a nav log into the map frame.

    Args:
        vehicle: whose log it is.
        nav: with lon/lat (then ``place`` is needed) or local x, y.
        place: of the map frame; None keeps the log's local metres.

    Logs are read the nautical way: pitch nose up positive, roll starboard down positive. Where the reconstruction says
    otherwise, :mod:`workers.stages.stitch.place` turns the sign round.

    Raises:
        ValueError: the log has no positions.
    """
    time_s = np.asarray(nav.utc_s, float)
    if place is not None and nav.lon_deg is not None and nav.lat_deg is not None:
        xy = place.to_map(nav.lon_deg, nav.lat_deg)
        turn = place.convergence_rad(float(np.median(nav.lon_deg)), float(np.median(nav.lat_deg)))
    elif nav.x_m is not None and nav.y_m is not None:
        xy, turn = np.stack([nav.x_m, nav.y_m], axis=1), 0.0
    else:
        raise ValueError("a track needs positions")
    has_depth = nav.depth_m is not None and bool(np.isfinite(nav.depth_m).mean() > 0.5)
    z = -_filled(nav.depth_m, time_s) if has_depth else np.zeros(len(time_s))
    xyz = np.column_stack([xy, z])
    steady = smooth(time_s, xyz)
    yaw, has_heading = _yaw(nav, time_s, steady, turn)
    tilted = _is_logged(nav.pitch_deg) and _is_logged(nav.roll_deg)
    return Track(
        vehicle=vehicle,
        time_s=time_s,
        xyz=xyz,
        steady_xyz=steady,
        yaw=yaw,
        pitch=-np.radians(_filled(nav.pitch_deg, time_s)) if tilted else np.zeros(len(time_s)),
        roll=np.radians(_filled(nav.roll_deg, time_s)) if tilted else np.zeros(len(time_s)),
        has_depth=has_depth,
        has_heading=has_heading,
        has_attitude=has_heading and tilted,
        altitude_m=None if nav.altitude_m is None else np.asarray(nav.altitude_m, float),
        absolute_clock=nav.clock != "relative",
    )


def smooth(time_s: F64, xyz: F64, sigma_s: float = SMOOTHING_S) -> F64:
    """Gaussian smoothing in time (on an even grid, back at the fixes); breaks in the log are not smoothed over."""
    steady = np.array(xyz)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(time_s) > LONGEST_BREAK_S) + 1, [len(time_s)]])
    for first, last in itertools.pairwise(starts):
        part = slice(int(first), int(last))
        t = time_s[part]
        if len(t) < 4:
            continue
        step = float(np.clip(np.median(np.diff(t)), 0.05, sigma_s))
        even = np.arange(t[0], t[-1] + step, step)
        for axis in range(3):
            values = np.interp(even, t, xyz[part, axis])
            # Reflecting about the end points keeps straight ends straight.
            steady[part, axis] = np.interp(t, even, _odd_smooth(values, sigma_s / step))
    return steady


def _odd_smooth(values: F64, sigma: float) -> F64:
    pad = min(len(values) - 1, int(4 * sigma) + 1)
    head = 2 * values[0] - values[pad:0:-1]
    tail = 2 * values[-1] - values[-2 : -pad - 2 : -1]
    smoothed: F64 = gaussian_filter1d(np.concatenate([head, values, tail]), sigma)[pad : pad + len(values)]
    return smoothed


def _yaw(nav: NavTrack, time_s: F64, steady: F64, turn: float) -> tuple[F64, bool]:
    """Yaw (N,) counter-clockwise from grid east, unwrapped; whether a heading was logged."""
    if nav.heading_deg is not None and np.isfinite(nav.heading_deg).mean() > 0.5:
        good = np.isfinite(nav.heading_deg)
        yaw = np.unwrap(np.radians(90.0 - nav.heading_deg[good]) + turn)
        return np.interp(time_s, time_s[good], yaw), True
    moved = np.gradient(steady[:, :2], time_s, axis=0)
    moving = np.linalg.norm(moved, axis=1) > MOVING_M_S
    if not moving.any():
        return np.zeros(len(time_s)), False
    course = np.unwrap(np.arctan2(moved[moving, 1], moved[moving, 0]))
    return np.interp(time_s, time_s[moving], course), False


def _is_logged(values: F64 | None) -> bool:
    return values is not None and bool(np.isfinite(values).mean() > 0.5)


def _filled(values: F64 | None, time_s: F64) -> F64:
    assert values is not None
    good = np.isfinite(values)
    return np.interp(time_s, time_s[good], np.asarray(values)[good])
