"""Clouds: loop ties where pieces lie over the same ground, and the merged, thinned cloud.

Open3D does the neighbour searches, the normals, the rigid ICP check and the thinning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import open3d as o3d
from scipy import sparse
from scipy.spatial import cKDTree

from workers.contract.params import StitchParams
from workers.contract.survey import Loop
from workers.geometry import F64, AnyArray, Ints
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
CLEARLY_BETTER, MOST_KEPT = 0.6, 0.9
"""A large shift is believed when the RMS distance falls below this share, and so many points are still near."""
CELL_M, TILE_M = 0.25, 10.0
SMALLEST_OVERLAP_M2 = 0.5


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
    """A loop: what to report, and the tie that goes into the optimisation (None: not to be trusted).

    ``displaced``: the clouds lie clearly better on each other elsewhere. ICP slides over sparse or flat ground too, so
    a large shift alone says nothing.
    """

    loop: Loop
    tie: PointTie | None
    displaced: bool


def find_loops(clouds: Sequence[PlacedCloud]) -> list[LoopFit]:
    """Ties between pieces over the same ground, the largest overlaps first, a few for each piece."""
    targets: dict[int, _Target] = {}
    fits, used = [], dict[int, int]()
    for a, b in _neighbours(clouds):
        if used.get(a, 0) >= LOOPS_A_PIECE or used.get(b, 0) >= LOOPS_A_PIECE:
            continue
        if a not in targets:
            targets[a] = _Target.of(clouds[a])
        fit = fit_loop(clouds[a], targets[a], clouds[b])
        if fit is not None:
            fits.append(fit)
            used[a], used[b] = used.get(a, 0) + 1, used.get(b, 0) + 1
    return fits


def _neighbours(clouds: Sequence[PlacedCloud]) -> list[tuple[int, int]]:
    """Pairs of clouds with points on the same ground, largest shared area first.

    One sparse product of clouds and ground cells: only pairs that meet cost anything.
    """
    cells = [np.unique(np.floor(cloud.map[:, :2] / CELL_M).astype(np.int64), axis=0) for cloud in clouds]
    if not cells:
        return []
    owner = np.concatenate([np.full(len(own), n) for n, own in enumerate(cells)])
    _, column = np.unique(np.concatenate(cells), axis=0, return_inverse=True)
    column = column.ravel()
    ones = np.ones(len(owner), np.int32)
    has = sparse.csr_matrix((ones, (owner, column)), shape=(len(clouds), int(column.max(initial=-1)) + 1))
    shared = sparse.coo_matrix(sparse.triu(has @ has.T, k=1))
    enough = shared.data * CELL_M**2 > SMALLEST_OVERLAP_M2
    pairs = zip(-shared.data[enough], shared.row[enough], shared.col[enough], strict=True)
    return [(int(a), int(b)) for _, a, b in sorted(pairs)]


@dataclass(frozen=True)
class _Target:
    """A cloud that others are laid on: with normals, and its search tree."""

    cloud: o3d.geometry.PointCloud
    normals: F64
    tree: cKDTree

    @staticmethod
    def of(placed: PlacedCloud) -> _Target:
        cloud = _cloud(placed.map)
        cloud.estimate_normals(o3d.geometry.KDTreeSearchParamHybrid(radius=NORMAL_RADIUS_M, max_nn=30))
        normals = np.asarray(cloud.normals)
        up = np.where(normals[:, 2] < 0, -1.0, 1.0)[:, None]
        return _Target(cloud, normals * up, cKDTree(placed.map))


def fit_loop(a: PlacedCloud, target: _Target, b: PlacedCloud) -> LoopFit | None:
    """The loop of two placed clouds; None where too few points lie near each other."""
    found = target.tree.query(b.map, distance_upper_bound=REACH_M)
    distance, nearest = np.asarray(found[0]), np.asarray(found[1])
    near = np.flatnonzero(np.isfinite(distance))
    if len(near) < FEWEST_POINTS:
        return None
    near = near[:: max(1, len(near) // MOST_POINTS)]
    match = nearest[near]
    normal = target.normals[match]
    before = float(np.sqrt((distance[near] ** 2).mean()))
    after, kept, shift = _refined(target.cloud, b.map[near])
    off = np.einsum("ni,ni->n", normal, b.map[near] - a.map[match])
    spread = 1.4826 * float(np.median(np.abs(off - np.median(off))))
    loop = Loop(
        a=a.node,
        b=b.node,
        overlap_points=len(near),
        shift_m=shift,
        rmse_m=after,
        weak_cm=100.0 * weak_direction(normal, max(spread, 0.005))[1],
        applied=shift < WORST_SHIFT_M,
    )
    if not loop.applied:
        return LoopFit(loop, None, displaced=kept > MOST_KEPT and after < CLEARLY_BETTER * before)
    tie = PointTie(a.node, b.node, a.own[match], b.own[near], max(LOOP_SIGMA_M, spread), normal)
    return LoopFit(loop, tie, displaced=False)


def _refined(target: o3d.geometry.PointCloud, points: F64) -> tuple[float, float, float]:
    """A rigid point-to-plane ICP: RMS distance after it (m), share of points still near, shift of their middle (m)."""
    registration = o3d.pipelines.registration
    result = registration.registration_icp(
        _cloud(points),
        target,
        REACH_M,
        np.eye(4),
        registration.TransformationEstimationPointToPlane(),
        registration.ICPConvergenceCriteria(max_iteration=30),
    )
    moved = np.asarray(result.transformation)
    middle = points.mean(0)
    shift = float(np.linalg.norm(moved[:3, :3] @ middle + moved[:3, 3] - middle))
    return float(result.inlier_rmse), float(result.fitness), shift


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
        params: ``cloud_voxel_m``: at most one point a voxel.
    """
    if not clouds:
        return np.zeros((0, 3)), np.zeros((0, 3), np.uint8), np.zeros(0, int)
    xyz = np.concatenate([cloud.map for cloud in clouds])
    rgb = np.concatenate([cloud.rgb for cloud in clouds])
    label = np.concatenate([np.full(len(c.map), labels[n]) for n, c in enumerate(clouds)])
    if len(xyz) == 0:
        return xyz, rgb, label
    keep = np.sort(np.concatenate([_thinned(xyz, tile, params.cloud_voxel_m) for tile in _tiles(xyz)]))
    return xyz[keep], rgb[keep], label[keep]


def _tiles(xyz: F64) -> list[Ints]:
    """Numbers of the points of each tile: Open3D's trace of voxels takes some hundred bytes a point."""
    _, tile = np.unique(np.floor(xyz[:, :2] / TILE_M).astype(np.int64), axis=0, return_inverse=True)
    order = np.argsort(tile.ravel(), kind="stable")
    return np.split(order, np.cumsum(np.bincount(tile.ravel()))[:-1])


def _thinned(xyz: F64, points: Ints, voxel_m: float) -> Ints:
    """Of points given by number, one a voxel."""
    cloud = _cloud(xyz[points])
    low, high = cloud.get_min_bound(), cloud.get_max_bound()
    _, _, members = cloud.voxel_down_sample_and_trace(voxel_m, low, high)
    kept: Ints = points[np.array([int(group[0]) for group in members], int)]
    return kept


def _cloud(points: F64) -> o3d.geometry.PointCloud:
    return o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
