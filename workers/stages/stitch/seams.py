"""Seams: neighbouring segments share frames, so the same pixel of the same frame is a correspondence."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workers.contract.params import StitchParams
from workers.contract.survey import Seam
from workers.geometry import F64
from workers.geometry.sim3 import Sim3, robust_sim3
from workers.stages.stitch.load import Piece

FEWEST_CORRESPONDENCES = 20
MOST_CORRESPONDENCES = 3000


@dataclass(frozen=True)
class SeamFit:
    """A seam of pieces ``a`` and ``b`` (indices): ``b_to_a`` takes b's frame to a's; None when broken.

    ``points_a``, ``points_b`` (M,3): inlier correspondences in each piece's own frame.
    """

    a: int
    b: int
    seam: Seam
    b_to_a: Sim3 | None
    points_a: F64
    points_b: F64


def fit_seams(pieces: Sequence[Piece], params: StitchParams) -> list[SeamFit]:
    """Every seam between components of neighbouring segments that share frames; broken ones included."""
    fits = []
    by_segment: dict[tuple[str, int], list[int]] = {}
    order: dict[str, list[tuple[float, str]]] = {}
    for index, piece in enumerate(pieces):
        by_segment.setdefault((piece.recording, round(piece.segment.start_s * 1000)), []).append(index)
        order.setdefault(piece.recording, []).append((piece.segment.start_s, piece.segment.id))
    starts = {name: sorted({round(start * 1000) for start, _ in found}) for name, found in order.items()}
    for recording, moments in starts.items():
        for first, second in itertools.pairwise(moments):
            for a in by_segment[recording, first]:
                for b in by_segment[recording, second]:
                    fit = fit_seam(pieces, a, b, params)
                    if fit is not None:
                        fits.append(fit)
    return fits


def fit_seam(pieces: Sequence[Piece], a: int, b: int, params: StitchParams) -> SeamFit | None:
    """The seam of pieces a and b; None when they share no frame at all."""
    one, two = pieces[a], pieces[b]
    shared = np.intersect1d(one.frame_id, two.frame_id)
    if len(shared) == 0:
        return None
    xa, xb, weight = correspondences(one, two)
    names = {
        "a": one.segment.id,
        "b": two.segment.id,
        "component_a": one.number,
        "component_b": two.number,
        "correspondences": len(xa),
    }
    nothing = np.zeros((0, 3))
    if len(xa) < FEWEST_CORRESPONDENCES:
        why = f"only {len(xa)} shared points in {len(shared)} shared frames"
        seam = Seam(**names, inliers=0.0, scale_ratio=1.0, residual_relative=0.0, broken=why)  # type: ignore[arg-type]
        return SeamFit(a, b, seam, None, nothing, nothing)
    depth = one.depth if math.isfinite(one.depth) and one.depth > 0 else 1.0
    found = robust_sim3(xb, xa, weight, threshold=params.seam_max_residual * depth)
    if found is None:
        seam = Seam(**names, inliers=0.0, scale_ratio=1.0, residual_relative=0.0, broken="no transform fits")  # type: ignore[arg-type]
        return SeamFit(a, b, seam, None, nothing, nothing)
    b_to_a, inlier = found
    residual = float(np.median(np.linalg.norm(b_to_a.apply(xb[inlier]) - xa[inlier], axis=1))) / depth
    # Each reconstruction's scale is arbitrary, so ln s is judged after both were brought to the same depth.
    ratio = b_to_a.scale * two.depth / one.depth if two.depth > 0 and one.depth > 0 else b_to_a.scale
    broken = _why_broken(float(inlier.mean()), ratio, residual, params)
    seam = Seam(
        **names,  # type: ignore[arg-type]
        inliers=float(inlier.mean()),
        scale_ratio=float(ratio),
        residual_relative=residual,
        broken=broken,
    )
    return SeamFit(a, b, seam, None if broken else b_to_a, xa[inlier], xb[inlier])


def _why_broken(inliers: float, ratio: float, residual: float, params: StitchParams) -> str | None:
    if inliers < params.seam_min_inliers:
        return f"{inliers:.0%} of the shared points agree, {params.seam_min_inliers:.0%} are needed"
    if abs(math.log(ratio)) > math.log(2.0):
        return f"the scales differ by a factor of {ratio:.2f}"
    if residual > params.seam_max_residual:
        return f"the shared points lie {residual:.1%} of the depth apart"
    return None


def correspondences(one: Piece, two: Piece) -> tuple[F64, F64, F64]:
    """Points of both pieces seen at the same pixel of the same frame: (M,3), (M,3), weights (M,) sqrt(wa * wb)."""
    at = {key: n for n, key in enumerate(_keys(one))}
    pairs = [(at[key], m) for m, key in enumerate(_keys(two)) if key in at]
    if len(pairs) > MOST_CORRESPONDENCES:
        pairs = pairs[:: len(pairs) // MOST_CORRESPONDENCES + 1]
    if not pairs:
        return np.zeros((0, 3)), np.zeros((0, 3)), np.zeros(0)
    ia, ib = np.array(pairs).T
    weight = np.sqrt(np.maximum(one.overlap.weight[ia] * two.overlap.weight[ib], 1e-12))
    return one.overlap.xyz[ia], two.overlap.xyz[ib], weight


def _keys(piece: Piece) -> list[tuple[str, int, int]]:
    """(frame, pixel to a hundredth): the same picture gives the same keypoints."""
    pixel = np.round(piece.overlap.pixel * 100).astype(int)
    return [(str(f), int(u), int(v)) for f, (u, v) in zip(piece.overlap.frame_id, pixel, strict=True)]
