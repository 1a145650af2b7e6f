"""What may be trusted: for each piece and frame, is its place doubtful, and why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from workers.contract.params import StitchParams
from workers.contract.survey import Component
from workers.geometry import F64, Bools
from workers.geometry.attitude import skew
from workers.geometry.sim3 import Sim3
from workers.stages.stitch import graph as gn
from workers.stages.stitch.chains import Chain
from workers.stages.stitch.clouds import LoopFit
from workers.stages.stitch.load import Piece
from workers.stages.stitch.noise import Misfit, misfits
from workers.stages.stitch.place import Placement
from workers.stages.stitch.solve import covariance

SCALE_TOLERANCE = 1.35
FRAME_OFF_SIGMAS = 6.0
FRAME_OFF_M = 0.35
PIECE_OFF_SIGMAS = 3.0
PIECE_OFF_M = 0.25
SMALLEST_COVER = 0.5


@dataclass(frozen=True)
class PieceTrust:
    """Of one placed piece: covariance (2,2) of its place, sigma and residual per frame (N,), doubts.

    ``doubtful_frames`` (N,): frames far from nav although the piece as a whole is not.
    """

    covariance: F64
    sigma_m: F64
    residual_m: float
    scale_sigma: float
    doubtful_frames: Bools
    reasons: tuple[str, ...]


def judge_pieces(
    pieces: Sequence[Piece], placement: Placement, params: StitchParams
) -> dict[int, PieceTrust]:
    """Judge every placed piece."""
    depths = np.full(len(placement.nodes), np.nan)
    for index, node in placement.nodes.items():
        depths[node] = placement.sim3(index).scale * pieces[index].depth
    against_nav = misfits(placement.graph, placement.state, list(depths))
    centres = gn.node_centres(placement.graph, placement.state)
    return {
        index: _judge(pieces[index], index, placement, against_nav[node], centres[node], params)
        for index, node in placement.nodes.items()
    }


def _judge(
    piece: Piece, index: int, placement: Placement, misfit: Misfit, centre: F64, params: StitchParams
) -> PieceTrust:
    node, covered = placement.sim3(index), misfit.covered
    joint = covariance(placement.graph, placement.factor, placement.nodes[index])
    place, sigma = _sigmas(piece, node, centre, joint, misfit)
    clock = placement.clocks[piece.recording]
    tie = placement.graph.nav[placement.nodes[index]]
    if clock.ambiguous:
        moved = tie.track.velocity(gn.times_of(tie, placement.state, placement.graph.middle_s))
        sigma = np.hypot(sigma, np.linalg.norm(moved[:, :2], axis=1) * clock.sigma_s)
    limit = max(FRAME_OFF_SIGMAS * placement.nav_sigma_m, FRAME_OFF_M)
    off = covered & ((misfit.distance_m > limit) | (misfit.tilt_m > FRAME_OFF_M))
    doubtful = off | (sigma > params.max_place_sigma_m)
    distance = misfit.distance_m[covered]
    reasons = _reasons(piece, placement, index, misfit, sigma, params)
    # What is in doubt may lie anywhere between where it is put and where nav has it.
    wide = np.hypot(sigma, np.where(covered, np.maximum(misfit.distance_m, misfit.tilt_m), 0.0))
    sigma = np.where(doubtful | bool(reasons), wide, sigma)
    return PieceTrust(
        covariance=place,
        sigma_m=sigma,
        residual_m=float(np.sqrt((distance**2).mean())) if covered.any() else math.nan,
        scale_sigma=math.sqrt(max(float(joint[6, 6]), 0.0)),
        doubtful_frames=doubtful,
        reasons=reasons,
    )


def _sigmas(piece: Piece, node: Sim3, centre: F64, joint: F64, misfit: Misfit) -> tuple[F64, F64]:
    """Covariances (N,2,2) of the cameras' horizontal places, and sigmas (N,) of the ground that they show.

    What counts is where a picture lies, so the turn's uncertainty matters by the height above the ground. A sigma is
    that of the worst direction, with the slow misfit to nav added.
    """
    poses = node.of_poses(piece.camera_to_world)
    depth = node.scale * piece.depth if math.isfinite(piece.depth) else 0.0
    ground = poses[:, :3, 3] + depth * poses[:, :3, 2]
    place, below = (_horizontal(points - centre, joint) for points in (poses[:, :3, 3], ground))
    largest = np.maximum(np.linalg.eigvalsh(place)[:, 1], np.linalg.eigvalsh(below)[:, 1])
    return place, np.hypot(np.sqrt(np.maximum(largest, 0.0)), misfit.wander_m)


def _horizontal(arm: F64, joint: F64) -> F64:
    """Covariances (N,2,2) of points at ``arm`` (N,3) from a node's centre, from the node's covariance (7,7)."""
    eye = np.tile(np.eye(3), (len(arm), 1, 1))
    j = np.concatenate([-skew(arm), eye, arm[:, :, None]], axis=2)[:, :2]
    flat: F64 = j @ joint @ np.transpose(j, (0, 2, 1))
    return flat


def _reasons(
    piece: Piece, placement: Placement, index: int, misfit: Misfit, sigma: F64, params: StitchParams
) -> tuple[str, ...]:
    """Why the piece as a whole is in doubt; empty when it is not."""
    reasons, covered = [], misfit.covered
    clock = placement.clocks[piece.recording]
    if clock.ambiguous:
        reasons.append(f"its clock offset to nav is ambiguous: {clock.detail}")
    if covered.mean() < SMALLEST_COVER:
        reasons.append(f"nav covers {covered.mean():.0%} of its frames")
    if float(np.median(sigma)) > params.max_place_sigma_m:
        reasons.append(f"its place is known to {np.median(sigma):.2f} m only")
    # Judged by the median: a few frames off do not condemn the piece.
    typical = float(np.median(misfit.distance_m[covered])) if covered.any() else math.inf
    if typical > max(PIECE_OFF_SIGMAS * placement.nav_sigma_m, PIECE_OFF_M):
        reasons.append(f"it lies {typical:.2f} m from the nav track")
    tie = placement.graph.nav[placement.nodes[index]]
    altitude = tie.track.median_altitude_m(gn.times_of(tie, placement.state, placement.graph.middle_s))
    if altitude is not None and piece.depth > 0:
        ratio = placement.sim3(index).scale * piece.depth / altitude
        if not 1.0 / SCALE_TOLERANCE < ratio < SCALE_TOLERANCE:
            reasons.append(f"its height above the ground is {ratio:.2f} times the altimeter's")
    return tuple(reasons)


def loop_doubts(fits: Sequence[LoopFit], piece_of_node: Mapping[int, int]) -> dict[int, str]:
    """Pieces (indices) whose clouds ask for a large shift against another piece's."""
    doubts: dict[int, str] = {}
    for fit in fits:
        loop = fit.loop
        if fit.displaced and loop.weak_cm < 100.0 * loop.shift_m / 2:
            for node in (loop.a, loop.b):
                doubts[piece_of_node[node]] = f"its cloud asks to be moved by {loop.shift_m:.2f} m"
    return doubts


def describe(
    number: int,
    chain: Chain,
    pieces: Sequence[Piece],
    placement: Placement | None,
    trust: Mapping[int, PieceTrust],
) -> Component:
    """The component that a chain makes."""
    members = [pieces[n] for n in chain.pieces]
    judged = [trust[n] for n in chain.pieces if n in trust]
    segments = tuple(dict.fromkeys(piece.segment.id for piece in members))
    frames = len({str(name) for piece in members for name in piece.frame_id})
    cameras = tuple(sorted({piece.camera for piece in members}))
    if not judged or placement is None:
        return Component(
            id=number,
            segments=segments,
            cameras=cameras,
            frames=frames,
            placed=False,
            doubtful=True,
            reasons=("it could not be placed on the map",),
            scale=None,
            residual_m=None,
            sigma_m=None,
            weak_direction=None,
            weak_sigma_m=None,
        )
    covariance = np.mean([entry.covariance.mean(0) for entry in judged], axis=0)
    value, vector = np.linalg.eigh(covariance)
    weak = vector[:, 1] * (1.0 if vector[0, 1] >= 0 else -1.0)
    worst = max(float(np.median(entry.sigma_m)) for entry in judged)
    reasons = tuple(dict.fromkeys(reason for entry in judged for reason in entry.reasons))
    return Component(
        id=number,
        segments=segments,
        cameras=cameras,
        frames=frames,
        placed=True,
        doubtful=bool(reasons),
        reasons=reasons,
        scale=placement.sim3(chain.pieces[0]).scale,
        residual_m=float(np.sqrt(np.mean([entry.residual_m**2 for entry in judged]))),
        sigma_m=worst,
        weak_direction=(float(weak[0]), float(weak[1])),
        weak_sigma_m=max(float(np.sqrt(max(value[1], 0.0))), worst if reasons else 0.0),
    )
