"""The one optimisation: pieces as Sim(3) nodes; nav, attitude, seams and loops as residuals.

Unknowns: a Sim(3) per piece (piece frame to map), per recording a clock offset and drift, per camera its lever arm
(body frame) and mount rotation. A node's update is ``p -> c + exp(ds) Exp(w) (p - c) + d`` about the node's own centre
c, so that its place, turn and scale are nearly independent. :mod:`solve` finds the minimum.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workers.geometry import F64, AnyArray
from workers.geometry.attitude import NADIR, exp_so3, log_so3
from workers.geometry.sim3 import Sim3
from workers.stages.stitch.navigation import Track

NODE = 7


@dataclass(frozen=True)
class NavTie:
    """One piece's frames tied to nav: ``base_s`` (N,) stated POSIX times (recording start + recording time).

    ``poses`` (N,4,4) piece frame; ``recording``, ``camera``: indices of the clock and the mount.
    """

    node: int
    recording: int
    camera: int
    track: Track
    base_s: F64
    poses: F64


@dataclass(frozen=True)
class PointTie:
    """Points of two pieces that are the same: (M,3) each in its own frame.

    ``normal`` (M,3) in the map frame: only the distance along it counts (point-to-plane); None: all three.
    """

    a: int
    b: int
    points_a: F64
    points_b: F64
    sigma_m: float
    normal: F64 | None = None


@dataclass(frozen=True)
class HeightTie:
    """A piece's median ``depth`` (own units) against the altimeter: ``altitude_m``, relative sigma."""

    node: int
    depth: float
    altitude_m: float
    sigma: float = 0.15


@dataclass(frozen=True)
class Priors:
    """Means and standard deviations: ``lever_m``, ``mount_rad`` (C,3) per camera, from a rig file or zero.

    ``offset_s`` (R,) per recording: where the clock search put it. It binds only a clock that nothing else does (a
    straight leg), which would otherwise slide off the end of the nav log.
    """

    nav_sigma_m: float
    attitude_sigma_rad: float
    lever_m: F64
    lever_sigma_m: F64
    mount_rad: F64
    mount_sigma_rad: F64
    offset_s: F64
    offset_sigma_s: float = 2.0
    drift_sigma: float = 6e-5


@dataclass(frozen=True)
class State:
    """Estimates: nodes, clocks (offset s, drift s/s about the recording's middle), levers (C,3) m, mounts (C,3) rad."""

    nodes: tuple[Sim3, ...]
    offset_s: F64
    drift: F64
    lever_m: F64
    mount_rad: F64


@dataclass(frozen=True)
class Graph:
    """All ties of the mission. ``inflate`` (per nav tie): by how much correlated noise lowers the weight (variance)."""

    nav: tuple[NavTie, ...]
    points: tuple[PointTie, ...]
    heights: tuple[HeightTie, ...]
    priors: Priors
    middle_s: F64
    nodes: int
    inflate: F64

    def columns(self, node: int) -> AnyArray:
        """Columns of a node's seven unknowns: turn (3), place (3), log scale."""
        return np.arange(NODE * node, NODE * node + NODE)

    @property
    def size(self) -> int:
        """Number of unknowns."""
        return NODE * self.nodes + 2 * len(self.middle_s) + 6 * len(self.priors.lever_m)


def times_of(tie: NavTie, state: State, middle_s: F64) -> F64:
    """Nav times (N,) of a tie's frames."""
    middle = middle_s[tie.recording]
    moved: F64 = (
        tie.base_s + state.offset_s[tie.recording] + state.drift[tie.recording] * (tie.base_s - middle)
    )
    return moved


def nav_residuals(graph: Graph, tie: NavTie, state: State) -> tuple[F64, F64, AnyArray]:
    """Position (N,3, metres, map) and attitude (N,3, radians, body) residuals; which frames nav covers (N,)."""
    time_s = times_of(tie, state, graph.middle_s)
    node = state.nodes[tie.node]
    body = tie.track.attitude(time_s)
    wanted = tie.track.position(time_s) + body @ state.lever_m[tie.camera]
    mount = exp_so3(state.mount_rad[tie.camera])[0] @ NADIR
    turned = np.einsum("nji,njk->nik", body, node.rotation @ tie.poses[:, :3, :3]) @ mount.T
    return node.apply(tie.poses[:, :3, 3]) - wanted, log_so3(turned), tie.track.covers(time_s)


def node_centres(graph: Graph, state: State) -> F64:
    """Centre (n,3) of each node's own data in the map frame, about which it is moved."""
    centres = np.array([node.translation for node in state.nodes])
    for tie in graph.points:
        centres[tie.a] = state.nodes[tie.a].apply(tie.points_a.mean(0))
        centres[tie.b] = state.nodes[tie.b].apply(tie.points_b.mean(0))
    for nav_tie in graph.nav:
        centres[nav_tie.node] = state.nodes[nav_tie.node].apply(nav_tie.poses[:, :3, 3]).mean(0)
    return centres
