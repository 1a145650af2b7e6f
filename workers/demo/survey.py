"""The vehicle's path over the demo seabed: lawn-mower legs, smooth turns, a little swell.

World: metres, x east, y north, z up, z = 0 the mean seabed. Body: x forward, y to port, z up. Angles are radians and
right-handed: yaw counter-clockwise from east, pitch positive nose down, roll positive starboard down, applied as
``Rz(yaw) @ Ry(pitch) @ Rx(roll)``. Cameras have OpenCV axes: image x to starboard, image y aft, optical axis down.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from workers.demo.recipe import NAV_HZ, NEVER_S, DemoRecipe

Floats = NDArray[np.float64]

TURNING = -1
BODY_FROM_CAMERA: Floats = np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])

_STEP_M = 0.01
_SMOOTH_M = 0.12
# peak of (x, y, z, yaw, pitch, roll): what a small AUV does in calm water
_SWAY = np.array([0.05, 0.05, 0.06, math.radians(2.0), math.radians(2.0), math.radians(2.5)])
_SWAY_PERIOD_S = (6.0, 14.0)


@dataclass(frozen=True)
class Survey:
    """The flown path, sampled finely enough for linear interpolation.

    ``time_s`` (N,); ``pose`` (N,6) x, y, z, yaw (unwrapped), pitch, roll; ``leg`` (N,) the planned leg flown, -1 in a
    turn; ``turbid_s`` start and end of milky water.
    """

    time_s: Floats
    pose: Floats
    leg: NDArray[np.int64]
    turbid_s: tuple[float, float]

    @property
    def duration_s(self) -> float:
        """Time of the last sample."""
        return float(self.time_s[-1])

    def at(self, times_s: Floats) -> Floats:
        """Poses (M,6) at the given times."""
        return np.stack([np.interp(times_s, self.time_s, self.pose[:, n]) for n in range(6)], axis=1)

    def leg_at(self, times_s: Floats) -> NDArray[np.int64]:
        """The leg flown at the given times, -1 in a turn."""
        nearest = np.clip(np.searchsorted(self.time_s, times_s), 0, len(self.time_s) - 1)
        return self.leg[nearest]

    def is_turbid(self, times_s: Floats) -> NDArray[np.bool_]:
        """Whether the water is milky at the given times."""
        return (times_s >= self.turbid_s[0]) & (times_s < self.turbid_s[1])

    def nav_times_s(self) -> Floats:
        """The times of the nav log's rows."""
        return np.arange(int(self.duration_s * NAV_HZ) + 1) / NAV_HZ

    def frame_times_s(self, fps: float) -> Floats:
        """The times of the video's frames."""
        return np.arange(int(self.duration_s * fps) + 1) / fps


def world_from_body(pose: Floats) -> Floats:
    """Rotation (3,3) from body to world axes of one pose (6,)."""
    cy, cp, cr = np.cos(pose[3:6])
    sy, sp, sr = np.sin(pose[3:6])
    yaw = np.array([[cy, -sy, 0.0], [sy, cy, 0.0], [0.0, 0.0, 1.0]])
    pitch = np.array([[cp, 0.0, sp], [0.0, 1.0, 0.0], [-sp, 0.0, cp]])
    roll = np.array([[1.0, 0.0, 0.0], [0.0, cr, -sr], [0.0, sr, cr]])
    return np.asarray(yaw @ pitch @ roll)


def camera_to_world(pose: Floats, offset_body_m: tuple[float, float, float]) -> Floats:
    """Camera-to-world matrix (4,4), OpenCV axes, of a camera mounted at an offset from the vehicle's centre."""
    rotation = world_from_body(pose)
    matrix = np.eye(4)
    matrix[:3, :3] = rotation @ BODY_FROM_CAMERA
    matrix[:3, 3] = pose[:3] + rotation @ np.asarray(offset_body_m)
    return matrix


def fly(recipe: DemoRecipe) -> Survey:
    """Fly the recipe's legs at constant speed, with small oscillations in position and attitude."""
    corners, legs = _route(recipe)
    xy = gaussian_filter1d(corners, _SMOOTH_M / _STEP_M, axis=0, mode="nearest")
    lead = round(4 * _SMOOTH_M / _STEP_M)  # where the filter sees beyond the ends
    xy, legs = xy[lead:-lead], legs[lead:-lead]
    time_s = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))]) / recipe.speed_mps
    slope = np.gradient(xy, axis=0)
    yaw = np.unwrap(np.arctan2(slope[:, 1], slope[:, 0]))
    still = np.zeros_like(yaw)
    nominal = np.column_stack([xy, np.full_like(yaw, recipe.altitude_m), yaw, still, still])
    return Survey(time_s, nominal + _sway(recipe, time_s), legs, _turbid_spell(recipe, time_s, legs))


def _route(recipe: DemoRecipe) -> tuple[Floats, NDArray[np.int64]]:
    """Legs joined by turns, every ``_STEP_M``; (N,2) and the leg of each point.

    A turn is a quarter circle, a straight along y, and a quarter circle, so that a turn past a skipped leg reaches
    no further out than the others.
    """
    flown = [n for n in range(len(recipe.leg_ys_m)) if n != recipe.skipped_leg]
    lead = 4 * _SMOOTH_M
    points: list[Floats] = []
    legs: list[NDArray[np.int64]] = []
    for order, leg in enumerate(flown):
        y, forward = recipe.leg_ys_m[leg], 1 if order % 2 == 0 else -1
        ends = np.array([-recipe.run_in_m, recipe.area_m[0] + recipe.run_in_m])[::forward]
        first, last = order == 0, order == len(flown) - 1
        ends = ends + forward * lead * np.array([-1.0 if first else 0.0, 1.0 if last else 0.0])
        x = np.arange(ends[0], ends[1], forward * _STEP_M)
        points.append(np.column_stack([x, np.full_like(x, y)]))
        legs.append(np.full(len(x), leg))
        if not last:
            turn = _turn(recipe, recipe.leg_ys_m[flown[order + 1]] - y)
            points.append(np.array([ends[1], y]) + turn * [forward, 1.0])
            legs.append(np.full(len(turn), TURNING))
    return np.concatenate(points), np.concatenate(legs)


def _turn(recipe: DemoRecipe, across_m: float) -> Floats:
    """A turn to port from (0, 0) heading +x to (0, across_m) heading -x, (N,2)."""
    radius = min(across_m / 2, recipe.max_turn_radius_m)
    angle = np.arange(0.0, math.pi / 2, _STEP_M / radius)
    quarter = radius * np.column_stack([np.sin(angle), 1.0 - np.cos(angle)])
    rise = np.arange(radius, across_m - radius, _STEP_M)
    crossing = np.column_stack([np.full_like(rise, radius), rise])
    back = quarter[::-1] * [1.0, -1.0] + [0.0, across_m]
    return np.concatenate([quarter, crossing, back])


def _sway(recipe: DemoRecipe, time_s: Floats) -> Floats:
    """Two sines a coordinate with seeded periods and phases, (N,6), never beyond ``_SWAY``."""
    rng = np.random.default_rng([recipe.seed, 1])
    out = np.zeros((len(time_s), 6))
    for share in (0.7, 0.3):
        period, phase = rng.uniform(*_SWAY_PERIOD_S, 6), rng.uniform(0.0, 2 * math.pi, 6)
        out += share * _SWAY * np.sin(2 * math.pi * time_s[:, None] / period + phase)
    return out


def _turbid_spell(recipe: DemoRecipe, time_s: Floats, legs: NDArray[np.int64]) -> tuple[float, float]:
    """Start and end of the milky water, around the middle of the gap leg."""
    if recipe.gap != "turbid":
        return NEVER_S, NEVER_S
    on_leg = time_s[legs == recipe.gap_leg]
    middle = float(on_leg[0] + on_leg[-1]) / 2
    return middle - recipe.turbid_s / 2, middle + recipe.turbid_s / 2
