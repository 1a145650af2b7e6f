"""Solving the graph: Gauss-Newton with Huber weights on sparse normal equations, and covariances from their factor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import SuperLU, splu

from workers.geometry import F64, AnyArray
from workers.geometry.attitude import exp_so3, log_so3, skew
from workers.geometry.sim3 import Sim3
from workers.stages.stitch.graph import (
    NODE,
    Graph,
    NavTie,
    PointTie,
    State,
    nav_residuals,
    node_centres,
    times_of,
)
from workers.stages.stitch.navigation import Track

HUBER = 2.5


class _System:
    """Normal equations H = J'J, g = J'r, summed a tie at a time: the Jacobian itself is a hundred times as large."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.gradient: F64 = np.zeros(size)
        self._rows: list[AnyArray] = []
        self._columns: list[AnyArray] = []
        self._values: list[F64] = []

    def add(self, residual: F64, blocks: Sequence[tuple[AnyArray, F64]]) -> None:
        """Residuals (M,) already divided by their sigmas; blocks: columns (k,), Jacobian (M,k)."""
        columns = np.concatenate([block[0] for block in blocks])
        jacobian = np.concatenate([block[1] for block in blocks], axis=1)
        np.add.at(self.gradient, columns, jacobian.T @ residual)
        self._rows.append(np.repeat(columns, len(columns)))
        self._columns.append(np.tile(columns, len(columns)))
        self._values.append((jacobian.T @ jacobian).ravel())

    def hessian(self) -> sparse.csc_matrix:
        """H, a little damped."""
        places = (np.concatenate(self._rows), np.concatenate(self._columns))
        h = sparse.csc_matrix((np.concatenate(self._values), places), shape=(self.size, self.size))
        return sparse.csc_matrix(h + 1e-9 * sparse.identity(self.size))


def solve(graph: Graph, state: State, rounds: int = 15) -> tuple[State, SuperLU]:
    """Minimise; returns the estimates and the factor of the normal equations at the end (for covariances).

    Raises:
        RuntimeError: the equations are singular (a piece that nothing ties).
    """
    factor: SuperLU | None = None
    for _ in range(rounds):
        system = _build(graph, state)
        # Symmetric ordering: half the fill of the default, which does not see that clocks touch every piece.
        factor = splu(
            system.hessian(),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
        step = -factor.solve(system.gradient)
        state = _moved(graph, state, _limited(graph, step))
        if np.abs(step).max() < 1e-6:
            break
    assert factor is not None
    return state, factor


def covariance(graph: Graph, factor: SuperLU, node: int) -> F64:
    """Marginal covariance (7,7) of a node: turn (rad), place (m), log scale."""
    columns = graph.columns(node)
    unit = np.zeros((graph.size, NODE))
    unit[columns, np.arange(NODE)] = 1.0
    block: F64 = factor.solve(unit)[columns]
    return block


def clock_sigma(graph: Graph, factor: SuperLU, recording: int) -> float:
    """Standard deviation of a recording's clock offset, seconds."""
    unit = np.zeros(graph.size)
    column = NODE * graph.nodes + recording
    unit[column] = 1.0
    return float(np.sqrt(max(factor.solve(unit)[column], 0.0)))


def _limited(graph: Graph, step: F64) -> F64:
    """Steps of at most half a radian, a factor of two, and one second: far starts do not fling a node away."""
    limited = np.array(step)
    nodes = limited[: NODE * graph.nodes].reshape(-1, NODE)
    nodes[:, :3] = np.clip(nodes[:, :3], -0.5, 0.5)
    nodes[:, 6] = np.clip(nodes[:, 6], -0.7, 0.7)
    clocks = slice(NODE * graph.nodes, NODE * graph.nodes + len(graph.middle_s))
    limited[clocks] = np.clip(limited[clocks], -1.0, 1.0)
    return limited


def _moved(graph: Graph, state: State, step: F64) -> State:
    centres = node_centres(graph, state)
    nodes = []
    for n, node in enumerate(state.nodes):
        turn, place, log_scale = (
            step[NODE * n : NODE * n + 3],
            step[NODE * n + 3 : NODE * n + 6],
            step[NODE * n + 6],
        )
        rotation, scale = exp_so3(turn)[0], float(np.exp(log_scale))
        move = Sim3(scale, rotation, centres[n] - scale * rotation @ centres[n] + place)
        nodes.append(move.compose(node))
    rest = step[NODE * graph.nodes :]
    clocks, cameras = len(graph.middle_s), len(state.lever_m)
    mounts = rest[2 * clocks + 3 * cameras :].reshape(-1, 3)
    return replace(
        state,
        nodes=tuple(nodes),
        offset_s=state.offset_s + rest[:clocks],
        drift=state.drift + rest[clocks : 2 * clocks],
        lever_m=state.lever_m + rest[2 * clocks : 2 * clocks + 3 * cameras].reshape(-1, 3),
        mount_rad=log_so3(exp_so3(mounts) @ exp_so3(state.mount_rad)),
    )


def _huber(size: F64) -> F64:
    """Square root of the Huber weight for residuals of ``size`` sigmas."""
    weight: F64 = np.sqrt(np.minimum(1.0, HUBER / np.maximum(size, 1e-12)))
    return weight


def _build(graph: Graph, state: State) -> _System:
    system = _System(graph.size)
    centres = node_centres(graph, state)
    for index, tie in enumerate(graph.nav):
        _add_nav(system, graph, state, tie, centres[tie.node], float(graph.inflate[index]))
    for point_tie in graph.points:
        _add_points(system, graph, state, point_tie, centres)
    for height in graph.heights:
        off = np.log(state.nodes[height.node].scale * height.depth / height.altitude_m) / height.sigma
        w = _huber(np.array([abs(off)]))[0]
        system.add(np.array([off * w]), [(graph.columns(height.node)[6:], np.array([[w / height.sigma]]))])
    _add_priors(system, graph, state)
    return system


def _add_nav(system: _System, graph: Graph, state: State, tie: NavTie, centre: F64, inflate: float) -> None:
    priors = graph.priors
    place, turn, covered = nav_residuals(graph, tie, state)
    if not covered.any():
        return
    place, turn = place[covered], turn[covered]
    time_s = times_of(tie, state, graph.middle_s)[covered]
    body, velocity = tie.track.attitude(time_s), tie.track.velocity(time_s)
    n = len(place)
    sigma = np.array([priors.nav_sigma_m, priors.nav_sigma_m, priors.nav_sigma_m]) * np.sqrt(inflate)
    if not tie.track.has_depth:
        sigma[2] = 1e3
    scaled = place / sigma
    w = _huber(np.linalg.norm(scaled, axis=1))
    clocks = len(graph.middle_s)
    base = NODE * graph.nodes
    clock = np.array([base + tie.recording, base + clocks + tie.recording])
    lever = base + 2 * clocks + 3 * tie.camera + np.arange(3)
    mount = base + 2 * clocks + 3 * len(state.lever_m) + 3 * tie.camera + np.arange(3)
    arm = state.nodes[tie.node].apply(tie.poses[covered, :3, 3]) - centre
    since = tie.base_s[covered] - graph.middle_s[tie.recording]
    factor = (w[:, None] / sigma[None, :])[:, :, None]
    node_j = np.concatenate([-skew(arm), np.tile(np.eye(3), (n, 1, 1)), arm[:, :, None]], axis=2)
    clock_j = np.stack([-velocity, -velocity * since[:, None]], axis=2)
    system.add(
        (scaled * w[:, None]).ravel(),
        [
            (graph.columns(tie.node), (node_j * factor).reshape(3 * n, -1)),
            (clock, (clock_j * factor).reshape(3 * n, -1)),
            (lever, (-body * factor).reshape(3 * n, -1)),
        ],
    )
    sigma_turn = _turn_sigma(tie.track, priors.attitude_sigma_rad) * np.sqrt(max(1.0, n / 8.0))
    scaled_turn = turn / sigma_turn
    w = _huber(np.linalg.norm(scaled_turn, axis=1))
    factor = (w[:, None] / sigma_turn[None, :])[:, :, None]
    system.add(
        (scaled_turn * w[:, None]).ravel(),
        [
            (graph.columns(tie.node)[:3], (np.transpose(body, (0, 2, 1)) * factor).reshape(3 * n, -1)),
            (mount, (-np.tile(np.eye(3), (n, 1, 1)) * factor).reshape(3 * n, -1)),
        ],
    )


def _turn_sigma(track: Track, logged_rad: float) -> F64:
    """Sigma (3,) of the attitude about body x, y, z: wider where an angle was not logged."""
    tilt = logged_rad if track.has_attitude else 3.0 * logged_rad
    heading = logged_rad if track.has_heading else 4.0 * logged_rad
    return np.array([tilt, tilt, heading])


def _add_points(system: _System, graph: Graph, state: State, tie: PointTie, centres: F64) -> None:
    pa, pb = state.nodes[tie.a].apply(tie.points_a), state.nodes[tie.b].apply(tie.points_b)
    arm_a, arm_b = pa - centres[tie.a], pb - centres[tie.b]
    n = len(pa)
    eye = np.tile(np.eye(3), (n, 1, 1))
    ja = np.concatenate([-skew(arm_a), eye, arm_a[:, :, None]], axis=2)
    jb = -np.concatenate([-skew(arm_b), eye, arm_b[:, :, None]], axis=2)
    residual = pa - pb
    if tie.normal is not None:
        ja, jb = (np.einsum("ni,nik->nk", tie.normal, j)[:, None, :] for j in (ja, jb))
        residual = np.einsum("ni,ni->n", tie.normal, residual)[:, None]
    # Many points of one reconstruction are not independent: together they count as at most fifty.
    sigma = tie.sigma_m * np.sqrt(max(1.0, n / 50.0))
    w = _huber(np.linalg.norm(residual, axis=1) / tie.sigma_m) / sigma
    system.add(
        (residual * w[:, None]).ravel(),
        [
            (graph.columns(tie.a), (ja * w[:, None, None]).reshape(-1, NODE)),
            (graph.columns(tie.b), (jb * w[:, None, None]).reshape(-1, NODE)),
        ],
    )


def _add_priors(system: _System, graph: Graph, state: State) -> None:
    priors = graph.priors
    base = NODE * graph.nodes
    clocks, cameras = len(graph.middle_s), len(state.lever_m)
    for first, value, mean, sigma in (
        (base, state.offset_s, priors.offset_s, np.full(clocks, priors.offset_sigma_s)),
        (base + clocks, state.drift, np.zeros(clocks), np.full(clocks, priors.drift_sigma)),
        (base + 2 * clocks, state.lever_m.ravel(), priors.lever_m.ravel(), priors.lever_sigma_m.ravel()),
        (
            base + 2 * clocks + 3 * cameras,
            state.mount_rad.ravel(),
            priors.mount_rad.ravel(),
            priors.mount_sigma_rad.ravel(),
        ),
    ):
        for n in range(len(value)):
            system.add(
                np.array([(value[n] - mean[n]) / sigma[n]]),
                [(np.array([first + n]), np.array([[1.0 / sigma[n]]]))],
            )
