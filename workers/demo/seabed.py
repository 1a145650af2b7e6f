"""A seeded seabed of sand ripples, gravel, weed and rocks: its relief and its colours as arrays.

Both grids have row = y and column = x, both growing; sample (0, 0) lies at (``west_m``, ``south_m``).
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from workers.demo.recipe import DemoRecipe

Image = NDArray[np.float32]
Picture = NDArray[np.uint8]

RELIEF_M_PER_PX = 0.02
# wavelength and amplitude, metres: slopes stay under 1, so that no ray meets the ground twice
_RELIEF_OCTAVES = ((4.0, 0.085), (2.0, 0.042), (0.9, 0.014), (0.4, 0.004))
_TONE_OCTAVES = ((1.3, 0.10), (0.45, 0.10), (0.15, 0.10), (0.05, 0.10), (0.02, 0.10), (0.010, 0.09))
# blue, green, red
_SAND, _GRAVEL, _WEED, _ROCK = (128, 152, 168), (100, 114, 122), (58, 88, 72), (88, 92, 100)
_CRUSTS = ((108, 108, 130), (150, 164, 170), (64, 112, 132), (80, 122, 88))
_STONES = ((70, 78, 84), (120, 136, 146), (150, 172, 186), (84, 104, 128), (52, 58, 60), (190, 206, 214))
_SHIFT = 4  # cv2 draws in 1/16 pixels


@dataclass(frozen=True)
class Seabed:
    """Relief (metres over the mean seabed, one sample every ``RELIEF_M_PER_PX``) and colour (BGR)."""

    west_m: float
    south_m: float
    relief_m: Image
    texture_bgr: Picture
    texture_m_per_px: float

    def ground_m(self, x_m: Image, y_m: Image) -> Image:
        """Height of the ground under the points, bilinear, same shape as given (two dimensions)."""
        column = ((x_m - self.west_m) / RELIEF_M_PER_PX).astype(np.float32)
        row = ((y_m - self.south_m) / RELIEF_M_PER_PX).astype(np.float32)
        found = cv2.remap(self.relief_m, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(found, np.float32)

    def colour_bgr(self, x_m: Image, y_m: Image) -> Picture:
        """Colour of the ground at the points (H,W) as (H,W,3)."""
        column = ((x_m - self.west_m) / self.texture_m_per_px).astype(np.float32)
        row = ((y_m - self.south_m) / self.texture_m_per_px).astype(np.float32)
        found = cv2.remap(self.texture_bgr, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        return np.asarray(found, np.uint8)


def grow(recipe: DemoRecipe) -> Seabed:
    """Make the seabed under the recipe's area and as far around it as the cameras see."""
    rng = np.random.default_rng([recipe.seed, 0])
    around_x = recipe.run_in_m + recipe.max_turn_radius_m + recipe.reach_m
    around_y = recipe.reach_m
    size_m = np.array([recipe.area_m[0] + 2 * around_x, recipe.area_m[1] + 2 * around_y])
    columns, rows = (int(v) for v in np.ceil(size_m / RELIEF_M_PER_PX))
    relief, rockiness, gravel, weed = _relief(rng, rows, columns)
    m_per_px = recipe.texture_m_per_px
    width, height = (int(v) for v in np.ceil(size_m / m_per_px))
    texture = _texture(rng, (height, width), m_per_px, (relief, rockiness, gravel, weed))
    return Seabed(-around_x, -around_y, relief, texture, m_per_px)


def _noise(rng: np.random.Generator, shape: tuple[int, int], wavelength_px: float) -> Image:
    """Smooth noise of unit standard deviation (H,W): a random grid, enlarged with cubic interpolation."""
    rows, columns = shape
    pitch = max(1.0, wavelength_px / 2)
    grid = rng.standard_normal(
        (math.ceil(rows / pitch) + 3, math.ceil(columns / pitch) + 3), dtype=np.float32
    )
    size = (math.ceil(grid.shape[1] * pitch), math.ceil(grid.shape[0] * pitch))
    big = cv2.resize(grid, size, interpolation=cv2.INTER_CUBIC)
    # the cubic spline of a white grid has about 0.72 of its deviation
    return np.asarray(
        big[int(pitch) : int(pitch) + rows, int(pitch) : int(pitch) + columns] / 0.72, np.float32
    )


def _step(values: Image, low: float, high: float) -> Image:
    """Smooth step from 0 at ``low`` to 1 at ``high``."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t), np.float32)


def _relief(rng: np.random.Generator, rows: int, columns: int) -> tuple[Image, Image, Image, Image]:
    """Height in metres, and how rocky, gravelly and weedy each spot is (0 to 1); all (rows, columns)."""
    shape = (rows, columns)
    height = np.zeros(shape, np.float32)
    for wavelength_m, amplitude_m in _RELIEF_OCTAVES:
        height += amplitude_m * _noise(rng, shape, wavelength_m / RELIEF_M_PER_PX)
    gravel = _step(_noise(rng, shape, 1.8 / RELIEF_M_PER_PX), 0.2, 1.0)
    weed = _step(_noise(rng, shape, 1.4 / RELIEF_M_PER_PX), 0.7, 1.4)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32) * RELIEF_M_PER_PX
    bend = 0.09 * _noise(rng, shape, 1.6 / RELIEF_M_PER_PX)
    across = 0.8 * x + 0.6 * y + bend
    rocks = _rocks(rng, shape)
    rockiness = _step(rocks, 0.002, 0.02)
    height += rocks + 0.009 * (1.0 - gravel) * (1.0 - rockiness) * np.sin(2 * math.pi * across / 0.26)
    height -= height.mean()
    return height, rockiness, gravel, weed


def _rocks(rng: np.random.Generator, shape: tuple[int, int]) -> Image:
    """Height that rocks add (H,W), metres: lobed domes, low enough to hide nothing."""
    added = np.zeros(shape, np.float32)
    area_m2 = shape[0] * shape[1] * RELIEF_M_PER_PX**2
    for _ in range(int(0.8 * area_m2)):
        radius_m = float(np.clip(rng.lognormal(-1.8, 0.5), 0.07, 0.38))
        row, column = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        peak_m = radius_m * rng.uniform(0.17, 0.27)
        phase, lobes = rng.uniform(0, 2 * math.pi), rng.integers(2, 6)
        reach = math.ceil(1.3 * radius_m / RELIEF_M_PER_PX)
        top, left = max(0, int(row) - reach), max(0, int(column) - reach)
        patch = added[top : int(row) + reach + 1, left : int(column) + reach + 1]
        dy, dx = np.mgrid[top : top + patch.shape[0], left : left + patch.shape[1]].astype(np.float32)
        dy, dx = (dy - row) * RELIEF_M_PER_PX, (dx - column) * RELIEF_M_PER_PX
        edge_m = radius_m * (1.0 + 0.12 * np.sin(lobes * np.arctan2(dy, dx) + phase))
        dome = peak_m * np.clip(1.0 - (dx * dx + dy * dy) / edge_m**2, 0.0, None) ** 1.4
        np.maximum(patch, dome.astype(np.float32), out=patch)
    return added


def _texture(
    rng: np.random.Generator,
    shape: tuple[int, int],
    m_per_px: float,
    ground: tuple[Image, Image, Image, Image],
) -> Picture:
    """The colours (H,W,3), BGR, lit from one side so that ripples and rocks show."""
    relief, rockiness, gravel, weed = (
        np.asarray(cv2.resize(layer, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR), np.float32)
        for layer in ground
    )
    tone = np.ones(shape, np.float32)
    for wavelength_m, amplitude in _TONE_OCTAVES:
        tone += amplitude * (0.75 + 0.35 * gravel) * _noise(rng, shape, wavelength_m / m_per_px)
    slope_y, slope_x = np.gradient(relief, m_per_px)
    tone *= np.clip(1.0 - 0.8 * slope_x - 0.6 * slope_y, 0.6, 1.35)
    crust = _noise(rng, shape, 0.12 / m_per_px)
    out = np.empty((*shape, 3), np.uint8)
    for band in range(3):
        colour = _SAND[band] + gravel * (_GRAVEL[band] - _SAND[band])
        colour += 0.75 * weed * (_WEED[band] - colour)
        colour += rockiness * (_ROCK[band] - colour)
        for n, tint in enumerate(_CRUSTS):
            colour += 0.6 * rockiness * _step(crust, n - 1.4, n - 1.1) * (tint[band] - colour) / (1 + n)
        out[..., band] = np.clip(colour * tone, 8, 250)
    _scatter_stones(rng, out, m_per_px, gravel)
    _plant_weed(rng, out, m_per_px, weed)
    return out


def _scatter_stones(rng: np.random.Generator, out: Picture, m_per_px: float, gravel: Image) -> None:
    """Paint pebbles and shells with a shadow and a lit side: what SIFT finds again from any height."""
    area_m2 = out.shape[0] * out.shape[1] * m_per_px**2
    for _ in range(int(110 * area_m2)):
        x, y = rng.uniform(0, out.shape[1] - 1), rng.uniform(0, out.shape[0] - 1)
        if rng.random() > 0.25 + 0.75 * gravel[int(y), int(x)]:
            continue
        radius = float(np.clip(rng.lognormal(-4.5, 0.5), 0.005, 0.045)) / m_per_px
        axes, turn = (radius, radius * rng.uniform(0.5, 0.95)), rng.uniform(0, 180)
        colour = np.array(_STONES[rng.integers(len(_STONES))]) * rng.uniform(0.75, 1.2)
        _ellipse(out, (x + 0.3 * radius, y + 0.25 * radius), axes, turn, colour * 0.3)
        _ellipse(out, (x, y), axes, turn, colour)
        lit = (axes[0] * 0.55, axes[1] * 0.5)
        _ellipse(out, (x - 0.25 * radius, y - 0.2 * radius), lit, turn, np.minimum(colour * 1.25, 245))


def _ellipse(
    out: Picture,
    centre: tuple[float, float],
    axes: tuple[float, float],
    turn: float,
    bgr: NDArray[np.float64],
) -> None:
    """Fill one smooth-edged ellipse, placed to 1/16 pixel."""
    one = 1 << _SHIFT
    middle = (round(centre[0] * one), round(centre[1] * one))
    half = (max(1, round(axes[0] * one)), max(1, round(axes[1] * one)))
    cv2.ellipse(out, middle, half, turn, 0, 360, bgr.tolist(), -1, cv2.LINE_AA, _SHIFT)


def _plant_weed(rng: np.random.Generator, out: Picture, m_per_px: float, weed: Image) -> None:
    """Paint bent fronds where the ground is weedy."""
    area_m2 = out.shape[0] * out.shape[1] * m_per_px**2
    along = np.linspace(0.0, 1.0, 6)
    for _ in range(int(160 * area_m2)):
        x, y = rng.uniform(0, out.shape[1] - 1), rng.uniform(0, out.shape[0] - 1)
        if rng.random() > weed[int(y), int(x)]:
            continue
        length, heading, bend = (
            rng.uniform(0.03, 0.12) / m_per_px,
            rng.uniform(0, 2 * math.pi),
            rng.normal(0, 1.2),
        )
        angle = heading + bend * along
        curve = np.array([x, y]) + length * np.column_stack([along * np.cos(angle), along * np.sin(angle)])
        colour = np.array([44.0, 92.0, 70.0]) * rng.uniform(0.45, 1.6)
        points = np.round(curve * (1 << _SHIFT)).astype(np.int32)[:, None]
        cv2.polylines(out, [points], False, colour.tolist(), int(rng.integers(1, 3)), cv2.LINE_AA, _SHIFT)
