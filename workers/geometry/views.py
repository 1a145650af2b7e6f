"""Which cameras see which cells: cells at their height on the seabed, projected into every camera."""

import math
from dataclasses import dataclass

import numpy as np

from workers.geometry import F64, AnyArray, Bools, Ints
from workers.geometry.grid import Grid

GRAZING_SINE = 0.34
"""Ground seen under less than about 20 degrees is not counted as seen: an oblique picture has no far end."""


@dataclass(frozen=True)
class Cameras:
    """N pinhole cameras in the map frame.

    ``camera_to_map`` (N,4,4); ``pinhole`` (N,4): fx fy cx cy, pixels; ``size`` (N,2): width, height, pixels;
    ``place_sigma_m`` (N,): horizontal standard deviation of their places.
    """

    camera_to_map: F64
    pinhole: F64
    size: F64
    place_sigma_m: F64

    def take(self, which: Bools) -> "Cameras":
        """Only some of the cameras, (N,) mask."""
        return self.take_numbers(np.flatnonzero(which))

    def take_numbers(self, which: Ints) -> "Cameras":
        """The cameras of these numbers, in this order."""
        return Cameras(
            self.camera_to_map[which], self.pinhole[which], self.size[which], self.place_sigma_m[which]
        )


def sees(cameras: Cameras, n: int, points: F64, margin_m: float) -> Bools:
    """Whether camera n sees points (M,3), with its picture shrunk by ``margin_m`` on the ground (grown if negative).

    Points seen under less than about 20 degrees (:data:`GRAZING_SINE`) do not count. The margin is turned into pixels
    at each point's own depth: focal * margin / depth.
    """
    pose = cameras.camera_to_map[n]
    local = (points - pose[:3, 3]) @ pose[:3, :3]
    depth = local[:, 2]
    ahead = depth > 0.05
    safe = np.where(ahead, depth, 1.0)
    fx, fy, cx, cy = cameras.pinhole[n]
    width, height = cameras.size[n]
    u, v = fx * local[:, 0] / safe + cx, fy * local[:, 1] / safe + cy
    above = pose[2, 3] - points[:, 2]
    aside = np.maximum(np.linalg.norm(points[:, :2] - pose[:2, 3], axis=1) + margin_m, 0.0)
    steep = above >= GRAZING_SINE * np.hypot(above, aside)
    mu, mv = fx * margin_m / safe, fy * margin_m / safe
    found: Bools = ahead & steep & (u >= mu) & (u <= width - mu) & (v >= mv) & (v <= height - mv)
    return found


def count_views(cameras: Cameras, grid: Grid, height_m: F64, sigmas: float = 0.0) -> AnyArray:
    """Number of cameras that see each cell's centre, uint16 (rows, columns).

    Args:
        cameras: the cameras that count.
        grid: the cells.
        height_m: height of the seabed at the cells' centres, (rows, columns), map frame.
        sigmas: shrink each picture by so many of its camera's place sigmas (negative: grow it).
    """
    views = np.zeros((grid.rows, grid.columns), np.uint16)
    centres = np.dstack([grid.centres(), height_m])
    lowest = float(np.nanmin(height_m)) if height_m.size else 0.0
    across = math.hypot(grid.rows, grid.columns) * grid.cell_m
    for n in range(len(cameras.camera_to_map)):
        margin = sigmas * float(cameras.place_sigma_m[n])
        if -margin > across + float(np.linalg.norm(cameras.camera_to_map[n, :2, 3] - centres[0, 0, :2])):
            views += 1
            continue
        box = _box(cameras, n, grid, lowest, max(0.0, -margin))
        if box is None:
            continue
        points = centres[box].reshape(-1, 3)
        views[box] += sees(cameras, n, points, margin).reshape(views[box].shape)
    return views


def seen_window(cameras: Cameras, grid: Grid, lowest_m: float, sigmas: float) -> tuple[slice, slice]:
    """Rows and columns outside which none of the cameras sees anything, each grown by ``sigmas`` of its place.

    An area of interest may be much larger than what was filmed; nothing has to be counted there.
    """
    boxes = [
        box
        for n in range(len(cameras.camera_to_map))
        if (box := _box(cameras, n, grid, lowest_m, sigmas * float(cameras.place_sigma_m[n]))) is not None
    ]
    if not boxes:
        return slice(0, 0), slice(0, 0)
    rows = slice(min(r.start for r, _ in boxes), max(r.stop for r, _ in boxes))
    return rows, slice(min(c.start for _, c in boxes), max(c.stop for _, c in boxes))


def footprint_corners(cameras: Cameras, n: int, ground_m: float) -> F64 | None:
    """The picture's corners on the plane z = ``ground_m``, (4,2) map frame; None when a corner looks to the sky."""
    pose = cameras.camera_to_map[n]
    fx, fy, cx, cy = cameras.pinhole[n]
    width, height = cameras.size[n]
    pixels = np.array([[0.0, 0.0], [width, 0.0], [width, height], [0.0, height]])
    rays = np.column_stack([(pixels[:, 0] - cx) / fx, (pixels[:, 1] - cy) / fy, np.ones(4)]) @ pose[:3, :3].T
    drop = ground_m - pose[2, 3]
    if drop >= 0.0 or (rays[:, 2] >= -0.05).any():
        return None
    corners: F64 = (pose[:3, 3] + rays * (drop / rays[:, 2])[:, None])[:, :2]
    return corners


def _box(cameras: Cameras, n: int, grid: Grid, lowest: float, grow_m: float) -> tuple[slice, slice] | None:
    """The part of the grid that camera n can see at all: everything when it looks towards the horizon."""
    corners = footprint_corners(cameras, n, lowest)
    if corners is None:
        return (slice(0, grid.rows), slice(0, grid.columns))
    low, high = corners.min(0) - grow_m, corners.max(0) + grow_m
    c0, c1 = np.floor((low[0] - grid.x0) / grid.cell_m), np.ceil((high[0] - grid.x0) / grid.cell_m)
    r0, r1 = np.floor((low[1] - grid.y0) / grid.cell_m), np.ceil((high[1] - grid.y0) / grid.cell_m)
    rows = slice(int(np.clip(r0, 0, grid.rows)), int(np.clip(r1, 0, grid.rows)))
    columns = slice(int(np.clip(c0, 0, grid.columns)), int(np.clip(c1, 0, grid.columns)))
    return None if rows.start >= rows.stop or columns.start >= columns.stop else (rows, columns)
