"""Camera clock against nav clock: where along the nav track does the reconstructed track fit?

Camera clocks are wrong, by hours after a flat battery, so every offset at which the recording lies inside the nav log
is tried. At each one the chain's track is fitted to nav by a closed-form Sim(3); what counts is the unexplained
variance of the positions plus that of the heading, in units of the camera's height above the ground.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workers.contract.dive import Recording
from workers.geometry import F64, Ints
from workers.geometry.attitude import turn_to_down
from workers.stages.stitch.chains import ChainTrack
from workers.stages.stitch.navigation import Track

COARSE_S = 0.25
COARSER = 4
MOST_OFFSETS = 8000
"""From so many offsets on, every fourth is tried first."""
MOST_TRACKS = 24
MOST_FRAMES, FEWEST_FRAMES = 160, 40
FLOOR = 0.0006
"""Cost of a perfect fit with usual nav noise (2.5 % of the altitude): smaller differences say nothing."""
SAME_BASIN_S = 4.0
CLEAR_RATIO = 3.0
WIDEST_BASIN_S = 2.5
SIBLING_S = 5.0
"""A camera's recordings of one mission share its clock, but for drift and whole seconds in file headers."""
FLAT_TRACK = 0.12
"""Second over first singular value of the camera centres below which a track counts as one straight line."""
SMALLEST_COVER = 0.6
HEIGHT_TOLERANCE = 1.5
LONGEST_LEVER_M, LEVER_RIDGE = 1.0, 0.01


@dataclass(frozen=True)
class ClockFit:
    """``offset_s``: nav time = stated start + recording time + offset; ``sigma_s`` half the width of the minimum.

    Where it is ambiguous, ``sigma_s`` reaches the furthest other offset that fits.
    ``peak_ratio``: cost of the best other minimum over that of the best (both above the noise floor).
    """

    offset_s: float
    sigma_s: float
    peak_ratio: float
    ambiguous: bool
    detail: str


def base_time(recording: Recording, nav: Track) -> float:
    """POSIX time that stands for recording time 0 before any offset: the camera's clock, else nav's start."""
    return float(nav.time_s[0]) if recording.start_utc_s is None else recording.start_utc_s


def search_clock(
    tracks: Sequence[ChainTrack],
    start_utc_s: float | None,
    nav: Track,
    search_s: float,
    near_s: float | None = None,
) -> ClockFit | None:
    """Offset of one recording's clock to nav; None when the recording cannot lie inside the nav log.

    Args:
        tracks: the recording's chains, or its pieces.
        start_utc_s: what the camera's clock says for recording time 0; None: unknown, then nav's start stands for it.
        nav: the vehicle's track.
        search_s: largest offset to try, seconds.
        near_s: offset of the same camera's other recordings: only a few seconds about it are tried.
    """
    tracks = [track for track in tracks if len(track.time_s) >= 8 and track.depth > 0]
    if not tracks:
        return None
    few = np.unique(np.linspace(0, len(tracks) - 1, MOST_TRACKS).astype(int))
    tracks = [tracks[n] for n in few]
    base = nav.time_s[0] if start_utc_s is None else start_utc_s
    first = min(float(track.time_s[0]) for track in tracks)
    last = max(float(track.time_s[-1]) for track in tracks)
    slack = (1.0 - SMALLEST_COVER) * (last - first)
    low, high = nav.time_s[0] - base - first - slack, nav.time_s[-1] - base - last + slack
    if start_utc_s is not None and nav.absolute_clock:
        low, high = max(low, -search_s), min(high, search_s)
    if near_s is not None:
        low, high = max(low, near_s - SIBLING_S), min(high, near_s + SIBLING_S)
    if high < low:
        return None
    offsets = np.arange(math.floor(low / COARSE_S), math.ceil(high / COARSE_S) + 1) * COARSE_S
    cost = _cost_coarse_to_fine(tracks, base, nav, offsets)
    if not np.isfinite(cost).any():
        return None
    return _judge(offsets, cost)


def _judge(offsets: F64, cost: F64) -> ClockFit:
    best = int(np.nanargmin(np.where(np.isfinite(cost), cost, np.inf)))
    floor = cost[best] + FLOOR
    good = np.isfinite(cost) & (cost < cost[best] + 2.0 * FLOOR)
    left = right = best
    while left > 0 and good[left - 1]:
        left -= 1
    while right < len(cost) - 1 and good[right + 1]:
        right += 1
    width = offsets[right] - offsets[left]
    outside = (offsets < offsets[left] - SAME_BASIN_S) | (offsets > offsets[right] + SAME_BASIN_S)
    other = float(np.min(cost[outside & np.isfinite(cost)], initial=np.inf))
    ratio = min((other + FLOOR) / floor, 999.0)
    sigma = max(width / 4.0, COARSE_S / 2)
    rivals = offsets[np.isfinite(cost) & ((cost + FLOOR) / floor < CLEAR_RATIO)]
    if width > 2 * WIDEST_BASIN_S or ratio < CLEAR_RATIO:
        # The truth may be any of them: whatever is placed by this clock may lie as far off.
        sigma = max(sigma, float(np.abs(rivals - offsets[best]).max()) / 2.0)
    if width > 2 * WIDEST_BASIN_S:
        detail = f"the vehicle hardly turned: any offset within {width:.0f} s fits as well"
        return ClockFit(float(offsets[left : right + 1].mean()), sigma, ratio, True, detail)
    if ratio < CLEAR_RATIO:
        detail = f"the track fits nav at another time almost as well (cost ratio {ratio:.1f})"
        return ClockFit(float(offsets[best]), sigma, ratio, True, detail)
    return ClockFit(
        float(offsets[best]), sigma, ratio, False, f"cost ratio to the next best time {ratio:.0f}"
    )


def _cost_coarse_to_fine(tracks: Sequence[ChainTrack], base: float, nav: Track, offsets: F64) -> F64:
    """Cost (G,) at all offsets; of many, only those near a good one are looked at closely."""
    if len(offsets) <= MOST_OFFSETS:
        return _cost(tracks, base, nav, offsets)
    coarse = _cost(tracks, base, nav, offsets[::COARSER])
    cost = np.repeat(coarse, COARSER)[: len(offsets)]
    best = np.argsort(coarse, kind="stable")[: MOST_OFFSETS // (2 * COARSER)]
    near = (best[:, None] * COARSER + np.arange(1 - COARSER, COARSER)[None]).ravel()
    near = np.unique(near[(near >= 0) & (near < len(offsets))])
    cost[near] = _cost(tracks, base, nav, offsets[near])
    return cost


def _cost(tracks: Sequence[ChainTrack], base: float, nav: Track, offsets: F64) -> F64:
    """Mean cost (G,) of the tracks that nav covers; infinite where it covers too few."""
    total, weight, most = np.zeros(len(offsets)), np.zeros(len(offsets)), 0.0
    frames = max(FEWEST_FRAMES, MOST_FRAMES // len(tracks))
    for track in tracks:
        pick = np.unique(np.linspace(0, len(track.time_s) - 1, frames).astype(int))
        share = float(len(track.time_s))
        for first in range(0, len(offsets), 2000):
            part = slice(first, first + 2000)
            cost = _chain_cost(track, pick, base, nav, offsets[part])
            covered = np.isfinite(cost)
            total[part] += np.where(covered, share * cost, 0.0)
            weight[part] += share * covered
        most += share
    return np.where(weight >= SMALLEST_COVER * most, total / np.maximum(weight, 1e-9), np.inf)


def _chain_cost(track: ChainTrack, pick: Ints, base: float, nav: Track, offsets: F64) -> F64:
    """Cost (G,) of one chain at offsets (G,); infinite where too little of it lies inside the nav log."""
    index = pick
    centres = track.centres[index] / track.depth
    times = base + track.time_s[index][None, :] + offsets[:, None]
    flat = times.ravel()
    covered = nav.covers(flat).reshape(times.shape).astype(float)
    share = covered.mean(1)
    w = covered / np.maximum(covered.sum(1, keepdims=True), 1.0)
    there = nav.position(flat).reshape(*times.shape, 3)
    ours = centres[None] - np.einsum("gn,ni->gi", w, centres)[:, None]
    theirs = there - np.einsum("gn,gni->gi", w, there)[:, None]
    spread_ours = np.einsum("gn,gni->g", w, ours**2)
    spread_nav = np.einsum("gn,gni->g", w, theirs**2)
    u, d, vt = np.linalg.svd(np.einsum("gn,gni,gnj->gij", w, theirs, ours))
    flip = np.sign(np.linalg.det(u) * np.linalg.det(vt))
    d[:, 2] *= flip
    agree = np.maximum(d.sum(1), 0.0)
    explained = agree**2 / np.maximum(spread_ours * spread_nav, 1e-12)
    scale = agree / np.maximum(spread_ours, 1e-12)
    u[:, :, 2] *= flip[:, None]
    turn = u @ vt
    fitted = scale[:, None, None] * np.einsum("gij,gnj->gni", turn, ours)
    cost = spread_ours * (1.0 - explained) * (1.0 - _lever_share(theirs - fitted, nav, times, w))
    altitude = nav.median_altitude_m()
    if altitude is not None:
        # Depth is one unit here, so the fitted scale is the height above the ground.
        off = np.abs(np.log(np.maximum(scale, 1e-6) / altitude)) > math.log(HEIGHT_TOLERANCE)
        cost = cost + np.where(off, np.minimum(spread_ours, 1.0), 0.0)
    cost = cost + _upside_down_cost(track, index, turn, spread_ours)
    cost = cost + _heading_cost(track, index, nav, times, w)
    return np.where(share >= SMALLEST_COVER, cost, np.inf)


def _upside_down_cost(track: ChainTrack, index: Ints, rotation: F64, spread: F64) -> F64:
    """The whole spread (G,) where a fit's rotation (G,3,3) makes the cameras look up.

    A flat track fits its own mirror image by turning over, and a lawn-mower's mirror image is the lawn-mower one leg
    later. A straight track says nothing: its turn about itself is arbitrary.
    """
    centres = track.centres[index]
    size = np.linalg.svd(centres - centres.mean(0), compute_uv=False)
    if size[1] < FLAT_TRACK * size[0]:
        return np.zeros(len(rotation))
    axis = track.poses[index, :3, 2].mean(0)
    return np.where((rotation @ axis)[:, 2] > 0.0, spread, 0.0)


def _lever_share(off: F64, nav: Track, times: F64, w: F64) -> F64:
    """Share (G,) of the misfit ``off`` (G,N,3) that a camera's lever arm from nav's reference point explains.

    On opposite headings the arm points to opposite sides: 0.15 m of it weighs more than nav's noise, and without this
    a wrong time of a regular survey costs little more than the right one.
    """
    yaw = np.interp(times.ravel(), nav.time_s, nav.yaw).reshape(times.shape)
    ahead = np.stack([np.cos(yaw), np.sin(yaw)], axis=-1)
    port = np.stack([-np.sin(yaw), np.cos(yaw)], axis=-1)
    arms = np.stack([ahead, port], axis=-1)
    arms = arms - np.einsum("gn,gnik->gik", w, arms)[:, None]
    square = np.einsum("gn,gnik,gnil->gkl", w, arms, arms) + LEVER_RIDGE * np.eye(2)
    along = np.einsum("gn,gnik,gni->gk", w, arms, off[:, :, :2])
    length = np.linalg.solve(square, along[..., None])[..., 0]
    size = np.linalg.norm(length, axis=1)
    length = length * np.minimum(1.0, LONGEST_LEVER_M / np.maximum(size, 1e-9))[:, None]
    rest = off[:, :, :2] - np.einsum("gnik,gk->gni", arms, length)
    before = np.einsum("gn,gni->g", w, off**2)
    after = np.einsum("gn,gni->g", w, rest**2) + np.einsum("gn,gn->g", w, off[:, :, 2] ** 2)
    share: F64 = np.clip(1.0 - after / np.maximum(before, 1e-12), 0.0, 1.0)
    return share


def _heading_cost(track: ChainTrack, index: Ints, nav: Track, times: F64, w: F64) -> F64:
    """Circular variance (G,) of heading differences between the reconstruction and nav; zero without a heading."""
    if not nav.has_heading:
        return np.zeros(len(times))
    # Level the track: the mean optical axis of nadir cameras points down.
    rotations = track.poses[index, :3, :3]
    down = rotations[:, :, 2].mean(0)
    level = turn_to_down(down / np.linalg.norm(down))
    forward = (level @ rotations)[:, :2, 1] * -1.0
    ours = np.arctan2(forward[:, 1], forward[:, 0])
    theirs = np.interp(times.ravel(), nav.time_s, nav.yaw).reshape(times.shape)
    mean = np.abs((w * np.exp(1j * (theirs - ours[None]))).sum(1))
    variance: F64 = 2.0 * (1.0 - mean)
    return variance
