"""What the residuals say of nav and of the reconstructions: noise, slow wander, and the signs of pitch and roll."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import median_filter

from workers.geometry import F64, AnyArray, Bools
from workers.stages.stitch import graph as gn
from workers.stages.stitch.navigation import Track

SMALLEST_NAV_SIGMA_M = 0.01
SIGN_RATIO = 0.8
WANDER_S = 10.0
"""Window of the running median: faster disagreement is noise; slower is wander of nav, or drift of a reconstruction."""
MEDIAN_LOSS = 1.57
"""Variance of a median of n normal values, times n."""
UNLOGGED_TILT_RAD = math.radians(10.0)
"""Pitch and roll that a vehicle may have without saying so."""
UNCHECKED_TILT_RAD = math.radians(2.0)
"""A reconstruction bows: so far may its pictures be turned where no attitude is logged to see it by."""
DRIFT_SHARE = 0.03
"""Drift of a reconstruction away from the last frame that nav covers, as a share of the distance."""


def noise_of(graph: gn.Graph, state: gn.State) -> tuple[float, F64]:
    """Nav's standard deviation (m) from the residuals, and each tie's variance inflation by their correlation."""
    everything, inflate = [], np.ones(len(graph.nav))
    for ties in by_recording(graph):
        flat = [_covered_residuals(graph, graph.nav[n], state) for n in ties]
        joined = np.concatenate(flat)
        if len(joined) < 4:
            continue
        everything.append(joined)
        independent = correlation_length(joined)
        for n, own in zip(ties, flat, strict=True):
            inflate[n] = max(1.0, min(independent, len(own) / 2.0))
    if not everything:
        return graph.priors.nav_sigma_m, inflate
    spread = 1.4826 * float(np.median(np.abs(np.concatenate(everything))))
    return max(spread, SMALLEST_NAV_SIGMA_M), inflate


def by_recording(graph: gn.Graph) -> list[list[int]]:
    """Numbers of the nav ties of each recording, in order of time."""
    found: dict[int, list[int]] = {}
    for n, tie in enumerate(graph.nav):
        found.setdefault(tie.recording, []).append(n)
    return [sorted(ties, key=lambda n: float(graph.nav[n].base_s[0])) for ties in found.values()]


def _covered_residuals(graph: gn.Graph, tie: gn.NavTie, state: gn.State) -> F64:
    place, _, covered = gn.nav_residuals(graph, tie, state)
    return place[covered][:, :2]


def correlation_length(values: F64) -> float:
    """How many successive values (N,k) count as one independent one: 1 + 2 sum(rho), up to where pairs turn negative.

    Source: C. J. Geyer, "Practical Markov chain Monte Carlo", Statistical Science 7(4), 1992 (positive sequence).
    A lag-one formula misses slow wander under white noise, which is what USBL fixes have.
    """
    n = len(values)
    centred = values - values.mean(0)
    power = np.fft.rfft(centred, 2 * n, axis=0)
    auto = np.fft.irfft(np.abs(power) ** 2, axis=0)[:n].sum(1)
    if auto[0] <= 0.0:
        return 1.0
    rho = auto / auto[0]
    pairs = rho[: 2 * (n // 2)].reshape(-1, 2).sum(1)
    stop = int(np.argmax(pairs <= 0.0)) if (pairs <= 0.0).any() else len(pairs)
    return max(1.0, 2.0 * float(pairs[:stop].sum()) - 1.0)


@dataclass(frozen=True)
class Misfit:
    """How one tie's frames (N,) lie against nav: at the camera and on the ground it shows, metres.

    ``wander_m``: sigma of slow disagreement, beyond what white noise explains. Its size in the plane stands for the
    sigma of an axis, as the fit has taken up part of it. ``tilt_m``: how far the ground is moved by the attitude's
    misfit, beyond what a vehicle may pitch and roll without logging it.
    """

    distance_m: F64
    tilt_m: F64
    covered: Bools
    wander_m: F64


def misfits(graph: gn.Graph, state: gn.State, depths_m: Sequence[float]) -> list[Misfit]:
    """One for each nav tie; ``depths_m``: median height of its cameras above the ground.

    A jump or a bow of a reconstruction and a jump of nav look alike here, and either makes the place uncertain.
    """
    found: dict[int, Misfit] = {}
    typical: dict[int, list[tuple[int, float]]] = {}
    for ties in by_recording(graph):
        for n, misfit, level in _of_recording(graph, state, ties, depths_m):
            found[n] = misfit
            typical.setdefault(id(graph.nav[n].track), []).append((n, level))
    for members in typical.values():
        # A short piece takes up all of nav's wander; the log's other pieces tell how much there is.
        usual = float(np.median([level for _, level in members]))
        for n, level in members:
            least = np.sqrt(max(level, usual))
            found[n] = replace(found[n], wander_m=np.maximum(found[n].wander_m, least))
    return [found[n] for n in range(len(graph.nav))]


def _of_recording(
    graph: gn.Graph, state: gn.State, ties: Sequence[int], depths_m: Sequence[float]
) -> list[tuple[int, Misfit, float]]:
    """Number, misfit and mean squared wander of the ties of one recording."""
    parts = [_residuals(graph, graph.nav[n], state, depths_m[n]) for n in ties]
    time_s = np.concatenate([graph.nav[n].base_s for n in ties])
    centre, ground = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
    covered: Bools = np.concatenate([part[2] for part in parts])
    order = np.argsort(time_s, kind="stable")
    order = order[covered[order]]
    squared, expected = np.zeros(len(time_s)), 0.0
    logged = graph.nav[ties[0]].track.has_attitude
    if len(order) >= 8:
        interval = float(np.median(np.diff(graph.nav[ties[0]].track.time_s)))
        for off in (centre, ground) if logged else (centre,):
            slow, noise = _slow_part(time_s[order], off[order], interval)
            expected = max(expected, noise)
            squared[order] = np.maximum(squared[order], slow)
    result, first = [], 0
    for n, part in zip(ties, parts, strict=True):
        own = slice(first, first + len(part[0]))
        first += len(part[0])
        inside = covered[own]
        level = max(float(squared[own][inside].mean()) - expected, 0.0) if inside.any() else 0.0
        wander = np.sqrt(np.maximum(squared[own] - 2.0 * expected, 0.0))
        wander = _carried(wander, inside, graph.nav[n], state)
        tilt = np.linalg.norm(part[1] - part[0], axis=1)
        if not logged and np.isfinite(depths_m[n]):
            tilt = tilt - math.tan(UNLOGGED_TILT_RAD) * depths_m[n]
            wander = np.hypot(wander, UNCHECKED_TILT_RAD * depths_m[n])
        misfit = Misfit(np.linalg.norm(part[0], axis=1), tilt, inside, wander)
        result.append((n, misfit, level))
    return result


def _residuals(graph: gn.Graph, tie: gn.NavTie, state: gn.State, depth_m: float) -> tuple[F64, F64, Bools]:
    """Horizontal residuals (N,2) of the cameras and of the ground before them; which frames nav covers."""
    place, turn, covered = gn.nav_residuals(graph, tie, state)
    flat = place[:, :2]
    if not np.isfinite(depth_m):
        return flat, flat, covered
    body = tie.track.attitude(gn.times_of(tie, state, graph.middle_s))
    axis = (state.nodes[tie.node].rotation @ tie.poses[:, :3, :3])[:, :, 2]
    shift = np.cross(np.einsum("nij,nj->ni", body, turn), depth_m * axis)[:, :2]
    return flat, flat + shift, covered


def _slow_part(time_s: F64, off: F64, interval_s: float) -> tuple[F64, float]:
    """Squared size (N,) of the running median of residuals (N,2), and what white noise alone makes of it."""
    step = max(float(np.median(np.diff(time_s))), 1e-3)
    width = max(5, 2 * round(WANDER_S / step / 2) + 1)
    slow = np.column_stack([median_filter(off[:, k], width, mode="nearest") for k in (0, 1)])
    white = 1.4826 * float(np.median(np.abs(off - slow)))
    independent = max(2.0, min(width, len(off)) * min(1.0, step / max(interval_s, 1e-3)))
    squared: F64 = (slow**2).sum(1)
    return squared, 2.0 * MEDIAN_LOSS * white**2 / independent


def _carried(wander: F64, covered: AnyArray, tie: gn.NavTie, state: gn.State) -> F64:
    """Wander where nav covers nothing: that of the nearest covered frame, and drift with the distance from it."""
    if covered.all() or not covered.any():
        return wander
    known = np.flatnonzero(covered)
    nearest = known[np.argmin(np.abs(tie.base_s[:, None] - tie.base_s[known][None]), axis=1)]
    centres = state.nodes[tie.node].scale * tie.poses[:, :3, 3]
    away = np.linalg.norm(centres - centres[nearest], axis=1)
    carried: F64 = np.hypot(wander[nearest], DRIFT_SHARE * away)
    return carried


def choose_signs(
    graph: gn.Graph, state: gn.State, tracks: Mapping[str, Track]
) -> tuple[dict[str, Track], tuple[str, ...]]:
    """Turn a vehicle's logged pitch or roll round where the reconstruction says so: logs differ in their signs."""
    chosen, warnings = dict(tracks), list[str]()
    for vehicle, track in tracks.items():
        ties = [tie for tie in graph.nav if tie.track is track]
        if not track.has_attitude or not ties:
            continue
        here = _tilt_spread(graph, state, ties, track)
        for name in ("pitch", "roll"):
            other = replace(chosen[vehicle], **{name: -getattr(chosen[vehicle], name)})
            axis = 1 if name == "pitch" else 0
            if _tilt_spread(graph, state, ties, other)[axis] < SIGN_RATIO * here[axis]:
                chosen[vehicle] = other
                warnings.append(
                    f"{vehicle}: the nav log's {name} was taken with the opposite sign, which fits the pictures"
                )
    return chosen, tuple(warnings)


def _tilt_spread(graph: gn.Graph, state: gn.State, ties: Sequence[gn.NavTie], track: Track) -> F64:
    """Median absolute deviation (3,) of the attitude residuals about body x, y, z, per piece about its own median."""
    spread = []
    for tie in ties:
        _, turn, covered = gn.nav_residuals(graph, replace(tie, track=track), state)
        turn = turn[covered]
        if len(turn) >= 8:
            spread.append(np.abs(turn - np.median(turn, axis=0)))
    return np.median(np.concatenate(spread), axis=0) if spread else np.ones(3)
