"""Similarity transforms Sim(3): x -> scale * R x + t, and their fits to correspondences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workers.geometry import F64, Bools


@dataclass(frozen=True)
class Sim3:
    """``x -> scale * rotation @ x + translation``; rotation (3,3), translation (3,)."""

    scale: float
    rotation: F64
    translation: F64

    @staticmethod
    def identity() -> Sim3:
        """The transform that changes nothing."""
        return Sim3(1.0, np.eye(3), np.zeros(3))

    def apply(self, points: F64) -> F64:
        """Transform points (..., 3)."""
        moved: F64 = self.scale * points @ self.rotation.T + self.translation
        return moved

    def of_poses(self, camera_to_world: F64) -> F64:
        """Transform camera-to-world poses (N,4,4); rotations stay rotations, centres are scaled."""
        moved = np.array(camera_to_world, dtype=float)
        moved[:, :3, :3] = self.rotation @ camera_to_world[:, :3, :3]
        moved[:, :3, 3] = self.apply(camera_to_world[:, :3, 3])
        return moved

    def compose(self, first: Sim3) -> Sim3:
        """The transform that applies ``first``, then this one."""
        return Sim3(self.scale * first.scale, self.rotation @ first.rotation, self.apply(first.translation))

    def inverse(self) -> Sim3:
        """The transform back."""
        rotation = self.rotation.T
        return Sim3(1.0 / self.scale, rotation, -(rotation @ self.translation) / self.scale)


def umeyama(source: F64, target: F64, weight: F64 | None = None, *, with_scale: bool = True) -> Sim3:
    """Least-squares Sim(3) from ``source`` (N,3) to ``target`` (N,3), weights (N,).

    Source: S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    IEEE PAMI 13(4), 1991, eq. 40-43, with weights.

    Raises:
        ValueError: fewer than three points, or a source without extent.
    """
    if len(source) < 3:
        raise ValueError("a Sim(3) needs three correspondences")
    w = np.full(len(source), 1.0 / len(source)) if weight is None else weight / weight.sum()
    mean_s, mean_t = w @ source, w @ target
    s, t = source - mean_s, target - mean_t
    variance = float(w @ (s**2).sum(1))
    if variance <= 0.0:
        raise ValueError("the source points coincide")
    u, d, vt = np.linalg.svd((t * w[:, None]).T @ s)
    flip = np.array([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = (u * flip) @ vt
    scale = float((d * flip).sum() / variance) if with_scale else 1.0
    return Sim3(scale, rotation, mean_t - scale * rotation @ mean_s)


def robust_sim3(
    source: F64, target: F64, weight: F64, threshold: float, *, seed: int = 0, tries: int = 200
) -> tuple[Sim3, Bools] | None:
    """RANSAC with local optimisation (weighted Umeyama on the inliers), then Huber-like trimming.

    Args:
        source: (N,3) points.
        target: (N,3) points, in the units of ``threshold``.
        weight: (N,) positive weights.
        threshold: largest residual of an inlier.
        seed: of the sampling, so that a seam is the same each time.
        tries: samples drawn.

    Returns:
        The transform and the inliers (N,), or None when no sample gave three inliers.
    """
    n = len(source)
    if n < 3:
        return None
    random = np.random.default_rng(seed)
    best: tuple[float, Sim3, Bools] | None = None
    for _ in range(tries):
        pick = random.choice(n, size=min(n, 4), replace=False)
        try:
            fit = umeyama(source[pick], target[pick])
            for _ in range(3):
                inlier = np.linalg.norm(fit.apply(source) - target, axis=1) < threshold
                if inlier.sum() < 3:
                    break
                fit = umeyama(source[inlier], target[inlier], weight[inlier])
        except (ValueError, np.linalg.LinAlgError):
            continue
        inlier = np.linalg.norm(fit.apply(source) - target, axis=1) < threshold
        score = float(weight[inlier].sum())
        if inlier.sum() >= 3 and (best is None or score > best[0]):
            best = (score, fit, inlier)
            if inlier.mean() > 0.95:
                break
    if best is None:
        return None
    _, fit, inlier = best
    return fit, inlier
