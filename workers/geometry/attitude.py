"""Rotations of vehicles and cameras.

World: east, north, up. Body: x forward, y to port, z up. ``yaw`` counter-clockwise from east, radians; ``pitch``
positive nose down and ``roll`` positive starboard down, both right-handed about the body axes:
``R_world_body = Rz(yaw) Ry(pitch) Rx(roll)``. A nadir camera has its image x to starboard and its image top forward.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from workers.geometry import F64

NADIR: F64 = np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
"""``R_body_camera`` of a nadir camera: its columns are the camera's axes in the body frame."""


def from_yaw_pitch_roll(yaw: F64, pitch: F64, roll: F64) -> F64:
    """``R_world_body`` (N,3,3) from angles (N,) in radians."""
    cy, sy, cp, sp, cr, sr = (
        np.cos(yaw),
        np.sin(yaw),
        np.cos(pitch),
        np.sin(pitch),
        np.cos(roll),
        np.sin(roll),
    )
    rows = [
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def exp_so3(vector: F64) -> F64:
    """Rotation matrices (N,3,3) of rotation vectors (N,3), Rodrigues' formula."""
    vector = np.atleast_2d(vector)
    angle = np.linalg.norm(vector, axis=1)
    a = np.where(angle > 1e-9, np.sin(angle) / np.maximum(angle, 1e-12), 1.0)
    b = np.where(angle > 1e-9, (1.0 - np.cos(angle)) / np.maximum(angle, 1e-12) ** 2, 0.5)
    k = skew(vector)
    turned: F64 = np.eye(3) + a[:, None, None] * k + b[:, None, None] * (k @ k)
    return turned


def log_so3(rotation: F64) -> F64:
    """Rotation vectors (N,3) of rotation matrices (N,3,3); angles up to pi, half a turn included.

    By quaternions: the antisymmetric part of a matrix says nothing of half a turn.
    """
    if len(rotation) == 0:
        return np.zeros((0, 3))
    vector: F64 = Rotation.from_matrix(rotation).as_rotvec()
    return vector


def skew(vector: F64) -> F64:
    """Cross-product matrices (N,3,3) of vectors (N,3)."""
    vector = np.atleast_2d(vector)
    zero = np.zeros(len(vector))
    x, y, z = vector.T
    return np.moveaxis(np.array([[zero, -z, y], [z, zero, -x], [-y, x, zero]]), -1, 0)


def mean_rotation(rotations: F64, weight: F64 | None = None) -> F64:
    """The rotation (3,3) nearest to the (weighted) sum of rotations (N,3,3), by SVD (chordal mean)."""
    total = rotations.sum(0) if weight is None else np.einsum("n,nij->ij", weight, rotations)
    u, _, vt = np.linalg.svd(total)
    flip = np.array([1.0, 1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    nearest: F64 = (u * flip) @ vt
    return nearest


def turn_to_down(axis: F64) -> F64:
    """A rotation (3,3) that takes a unit vector (3,) to (0, 0, -1); the turn about the vertical is arbitrary."""
    side = np.cross(axis, [1.0, 0.0, 0.0] if abs(axis[0]) < 0.9 else [0.0, 1.0, 0.0])
    side /= np.linalg.norm(side)
    ours = np.stack([side, np.cross(axis, side), axis], axis=1)
    theirs = np.stack([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]], axis=1)
    turned: F64 = theirs @ ours.T
    return turned
