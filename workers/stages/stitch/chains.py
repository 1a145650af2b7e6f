"""Chains: pieces of one recording joined by accepted seams, as one rigid track."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workers.geometry import F64
from workers.geometry.sim3 import Sim3
from workers.stages.stitch.load import Piece
from workers.stages.stitch.seams import SeamFit


@dataclass(frozen=True)
class Chain:
    """``pieces`` (indices) in the order of their segments; ``to_chain[i]`` takes piece i's frame to the chain's."""

    pieces: tuple[int, ...]
    to_chain: dict[int, Sim3]


def make_chains(pieces: Sequence[Piece], seams: Sequence[SeamFit]) -> list[Chain]:
    """Join pieces along accepted seams, best seam first; a piece has at most one neighbour on either side.

    The chain's frame is that of its first piece. Chains are ordered by their first piece.
    """
    links: dict[int, list[tuple[int, Sim3]]] = {n: [] for n in range(len(pieces))}
    taken: set[tuple[int, str]] = set()
    for fit in sorted(seams, key=lambda fit: (-fit.seam.correspondences * fit.seam.inliers, fit.a, fit.b)):
        if fit.b_to_a is None or (fit.a, "after") in taken or (fit.b, "before") in taken:
            continue
        taken |= {(fit.a, "after"), (fit.b, "before")}
        links[fit.a].append((fit.b, fit.b_to_a))
        links[fit.b].append((fit.a, fit.b_to_a.inverse()))
    chains, seen = [], set[int]()
    for root in range(len(pieces)):
        if root in seen:
            continue
        to_chain = {root: Sim3.identity()}
        todo = [root]
        while todo:
            here = todo.pop()
            for other, other_to_here in links[here]:
                if other not in to_chain:
                    to_chain[other] = to_chain[here].compose(other_to_here)
                    todo.append(other)
        seen |= set(to_chain)
        members = tuple(sorted(to_chain, key=lambda n: (pieces[n].segment.start_s, n)))
        chains.append(Chain(members, to_chain))
    return chains


@dataclass(frozen=True)
class ChainTrack:
    """A chain's camera poses in its own frame: ``time_s`` (N,) recording time, ``poses`` (N,4,4), ``depth``."""

    time_s: F64
    poses: F64
    depth: float

    @property
    def centres(self) -> F64:
        """Camera centres (N,3)."""
        return self.poses[:, :3, 3]


def track_of(chain: Chain, pieces: Sequence[Piece]) -> ChainTrack:
    """The track of a chain; a frame registered on both sides of a seam appears once."""
    times, poses, depths = [], [], []
    seen: set[str] = set()
    for n in chain.pieces:
        piece, move = pieces[n], chain.to_chain[n]
        fresh = np.array([str(name) not in seen for name in piece.frame_id], bool)
        seen |= {str(name) for name in piece.frame_id}
        times.append(piece.time_s[fresh])
        poses.append(move.of_poses(piece.camera_to_world[fresh]))
        depths.append(move.scale * piece.depth)
    time_s, pose = np.concatenate(times), np.concatenate(poses)
    order = np.argsort(time_s, kind="stable")
    return ChainTrack(time_s[order], pose[order], float(np.nanmedian(depths)))
