"""Clouds: loop ties where pieces lie over the same ground, and the merged, thinned cloud.

Open3D does the neighbour searches, the normals, the rigid ICP check and the thinning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import open3d as o3d

from workers.contract.params import StitchParams
from workers.contract.survey import Loop
from workers.geometry import F64, AnyArray
from workers.stages.stitch.graph import PointTie

NORMAL_RADIUS_M = 0.25
REACH_M = 0.12
"""Nearest points further apart than this are not the same ground."""
FEWEST_POINTS = 100
MOST_POINTS = 4000
LOOPS_A_PIECE = 6
LOOP_SIGMA_M = 0.03
"""Sparse points of two reconstructions on rough ground lie about this far from each other's planes."""
WORST_SHIFT_M = 0.3


@dataclass(frozen=True)
class PlacedCloud:
    """One piece's cloud: ``own`` (N,3) in its frame, ``map`` (N,3) in the map frame, colours (N,3) uint8."""

    node: int
    own: F64
    map: F64
    rgb: AnyArray
    recording: str


@dataclass(frozen=True)
class LoopFit:
    """A loop: what to report, and the tie that goes into the optimisation (None: not to be trusted)."""

    loop: Loop
    tie: PointTie | None


def find_loops(clouds: Sequence[PlacedCloud]) -> list[LoopFit]:
    """Ties between pieces over the same ground, the largest overlaps first, a few for each piece."""
    thin = [_thinned(cloud.map, 0.05) for cloud in clouds]
    pairs = []
    for a in range(len(clouds)):
        for b in range(a + 1, len(clouds)):
            area = _shared_area(thin[a], thin[b])
            if area > 0.5:
                pairs.append((area, a, b))
    fits, used = [], dict[int, int]()
    for _, a, b in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        if used.get(a, 0) >= LOOPS_A_PIECE or used.get(b, 0) >= LOOPS_A_PIECE:
            continue
        fit = fit_loop(clouds[a], clouds[b])
        if fit is not None:
            fits.append(fit)
            used[a], used[b] = used.get(a, 0) + 1, used.get(b, 0) + 1
    return fits


def fit_loop(a: PlacedCloud, b: PlacedCloud) -> LoopFit | None:
    """The loop of two placed clouds; None where too few points lie near each other."""
    target, source = _cloud(a.map), _cloud(b.map)
    target.estimate_normals(o3d.geometry.KDTreeSearchParamHybrid(radius=NORMAL_RADIUS_M, max_nn=30))
    distance = np.asarray(source.compute_point_cloud_distance(target))
    near = np.flatnonzero(distance < REACH_M)
    if len(near) < FEWEST_POINTS:
        return None
    near = near[:: max(1, len(near) // MOST_POINTS)]
    tree = o3d.geometry.KDTreeFlann(target)
    match = np.array([tree.search_knn_vector_3d(b.map[n], 1)[1][0] for n in near])
    normal = np.asarray(target.normals)[match]
    normal = normal * np.where(normal[:, 2] < 0, -1.0, 1.0)[:, None]
    result = o3d.pipelines.registration.registration_icp(
        source.select_by_index(near.tolist()),
        target,
        REACH_M,
        np.eye(4),
        o3d.pipelines.registration.TransformationEstimationPointToPlane(),
        o3d.pipelines.registration.ICPConvergenceCriteria(max_iteration=30),
    )
    moved = np.asarray(result.transformation)
    middle = b.map[near].mean(0)
    shift = float(np.linalg.norm(moved[:3, :3] @ middle + moved[:3, 3] - middle))
    off = np.einsum("ni,ni->n", normal, b.map[near] - a.map[match])
    spread = 1.4826 * float(np.median(np.abs(off - np.median(off))))
    weak_cm = 100.0 * weak_direction(normal, max(spread, 0.005))[1]
    trusted = shift < WORST_SHIFT_M
    loop = Loop(
        a=a.node,
        b=b.node,
        overlap_points=len(near),
        shift_m=shift,
        rmse_m=float(result.inlier_rmse),
        weak_cm=weak_cm,
        applied=trusted,
    )
    tie = (
        PointTie(a.node, b.node, a.own[match], b.own[near], max(LOOP_SIGMA_M, spread), normal)
        if trusted
        else None
    )
    return LoopFit(loop, tie)


def weak_direction(normals: F64, sigma_m: float) -> tuple[F64, float]:
    """Horizontal direction (2,) in which clouds could slide, and by how much (one sigma, metres).

    From the translation block of the point-to-plane Hessian, sum(n n') / sigma^2, with the vertical eliminated; a flat
    seabed has hardly any horizontal information. As in :mod:`graph`, points count as at most fifty independent ones.
    """
    h = normals.T @ normals / sigma_m**2 * min(1.0, 50.0 / len(normals))
    flat = h[:2, :2] - np.outer(h[:2, 2], h[2, :2]) / max(h[2, 2], 1e-12)
    value, vector = np.linalg.eigh(flat)
    return vector[:, 0], float(1.0 / np.sqrt(max(value[0], 1e-12)))


def merge(
    clouds: Sequence[PlacedCloud], labels: AnyArray, params: StitchParams
) -> tuple[F64, AnyArray, AnyArray]:
    """The merged, thinned cloud: xyz (N,3) map frame, rgb (N,3) uint8, and each point's label (N,) of ``labels``.

    Args:
        clouds: placed clouds.
        labels: (len(clouds),) a number a cloud.
        params: ``cloud_voxel_m``: at most one point a voxel (the one nearest the voxel's mean).
    """
    if not clouds:
        return np.zeros((0, 3)), np.zeros((0, 3), np.uint8), np.zeros(0, int)
    xyz = np.concatenate([cloud.map for cloud in clouds])
    rgb = np.concatenate([cloud.rgb for cloud in clouds])
    label = np.concatenate([np.full(len(c.map), labels[n]) for n, c in enumerate(clouds)])
    if len(xyz) == 0:
        return xyz, rgb, label
    cloud = _cloud(xyz)
    low, high = cloud.get_min_bound(), cloud.get_max_bound()
    _, _, members = cloud.voxel_down_sample_and_trace(params.cloud_voxel_m, low, high)
    keep = np.array(sorted(int(group[0]) for group in members))
    return xyz[keep], rgb[keep], label[keep]


def _cloud(points: F64) -> o3d.geometry.PointCloud:
    return o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))


def _thinned(points: F64, voxel_m: float) -> F64:
    if len(points) == 0:
        return points
    return np.asarray(_cloud(points).voxel_down_sample(voxel_m).points)


def _shared_area(a: F64, b: F64, cell_m: float = 0.25) -> float:
    """Ground (m2) on which both clouds have points."""
    if (
        len(a) == 0
        or len(b) == 0
        or (a[:, :2].min(0) > b[:, :2].max(0)).any()
        or (b[:, :2].min(0) > a[:, :2].max(0)).any()
    ):
        return 0.0
    cells_a = {tuple(cell) for cell in np.unique(np.floor(a[:, :2] / cell_m).astype(int), axis=0)}
    cells_b = {tuple(cell) for cell in np.unique(np.floor(b[:, :2] / cell_m).astype(int), axis=0)}
    return len(cells_a & cells_b) * cell_m**2
