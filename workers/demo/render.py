"""What a camera sees of the seabed: rays onto the relief, its colours, and the water between."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from workers.demo.recipe import DemoRecipe
from workers.demo.seabed import Image, Picture, Seabed
from workers.demo.survey import Floats

# per metre of water, blue, green, red: red goes first
_ATTENUATION = np.array([0.14, 0.20, 0.42], np.float32)
_BACKSCATTER = np.array([0.05, 0.05, 0.04], np.float32)
_VEIL_BGR = np.array([150.0, 140.0, 50.0], np.float32)
_MILK_BGR = np.array([138.0, 136.0, 84.0], np.float32)
_EXPOSURE = 1.15
_NOISE_SIGMA = 2.2
_SNOW_FLAKES = 7
_COARSE_PX = 4
_COARSE_STEPS = 8


@dataclass(frozen=True)
class Pinhole:
    """A distortion-free camera: pixel (0, 0) has its centre at (0.5, 0.5), the principal point is the middle."""

    width_px: int
    height_px: int
    focal_px: float

    @classmethod
    def of(cls, recipe: DemoRecipe) -> "Pinhole":
        """The recipe's camera."""
        return cls(*recipe.size_px, recipe.focal_px)

    @property
    def matrix(self) -> Floats:
        """K (3,3)."""
        f = self.focal_px
        return np.array([[f, 0.0, self.width_px / 2], [0.0, f, self.height_px / 2], [0.0, 0.0, 1.0]])

    def rays(self, step_px: int = 1, margin: int = 0) -> Image:
        """Directions (rows, columns, 3) with z = 1, camera axes, of blocks of ``step_px`` pixels.

        ``margin`` blocks are added on every side.
        """
        u, v = (
            (np.arange(-margin, -(-size // step_px) + margin) + 0.5) * step_px - size / 2
            for size in (self.width_px, self.height_px)
        )
        x, y = np.meshgrid(u / self.focal_px, v / self.focal_px)
        return np.stack([x, y, np.ones_like(x)], axis=-1).astype(np.float32)


class Renderer:
    """Renders frames of one camera model over one seabed."""

    def __init__(self, seabed: Seabed, camera: Pinhole, seed: int) -> None:
        self._seabed = seabed
        self._camera = camera
        self._rays = camera.rays()
        self._coarse_rays = camera.rays(_COARSE_PX, margin=1)
        rng = np.random.default_rng([seed, 2])
        shape = (camera.height_px + 61, camera.width_px + 61, 3)
        self._noise = rng.normal(0.0, _NOISE_SIGMA, shape).astype(np.float32)
        r2 = (self._coarse_rays[..., 0] ** 2 + self._coarse_rays[..., 1] ** 2).astype(np.float32)
        self._lamp = 1.0 / (1.0 + 0.55 * r2)

    def frame(self, camera_to_world: Floats, rng: np.random.Generator, milky: bool) -> Picture:  # noqa: FBT001
        """One frame (height, width, 3) BGR.

        Args:
            camera_to_world: (4,4), OpenCV axes.
            rng: this frame's noise and drifting particles.
            milky: blurred and veiled, as in a cloud of silt.
        """
        coarse_depth_m = self._coarse_depth_m(camera_to_world)
        x_m, y_m = self._ground_points(camera_to_world, coarse_depth_m)
        colour = self._seabed.colour_bgr(x_m, y_m)
        gain, veil = self._water(coarse_depth_m)
        seen = np.asarray(cv2.multiply(colour, gain, dtype=cv2.CV_32F), np.float32)
        seen += veil
        if milky:
            blurred = cv2.GaussianBlur(seen, (0, 0), self._camera.width_px / 130)
            seen = np.asarray(
                0.3 * blurred + 0.7 * _MILK_BGR * self._enlarge(self._lamp)[..., None], np.float32
            )
        self._snow(seen, rng)
        top, left = rng.integers(0, 61, 2)
        seen += self._noise[top : top + seen.shape[0], left : left + seen.shape[1]]
        return np.asarray(np.clip(seen, 0, 255), np.uint8)

    def _coarse_depth_m(self, camera_to_world: Floats) -> Image:
        """Depth along the optical axis on the coarse grid: iterates ray height against ground height.

        It converges because slope times tan(angle off the vertical) stays under 1 on this seabed.
        """
        rays = self._coarse_rays @ camera_to_world[:3, :3].T.astype(np.float32)
        x0, y0, z0 = (float(v) for v in camera_to_world[:3, 3])
        depth_m = np.asarray(-z0 / rays[..., 2], np.float32)
        for _ in range(_COARSE_STEPS):
            ground_m = self._seabed.ground_m(x0 + rays[..., 0] * depth_m, y0 + rays[..., 1] * depth_m)
            depth_m = (ground_m - z0) / rays[..., 2]
        return depth_m

    def _ground_points(self, camera_to_world: Floats, coarse_depth_m: Image) -> tuple[Image, Image]:
        """Where every pixel's ray meets the ground, x and y (height, width): one more step at full size."""
        rays = self._rays @ camera_to_world[:3, :3].T.astype(np.float32)
        x0, y0, z0 = (float(v) for v in camera_to_world[:3, 3])
        depth_m = self._enlarge(coarse_depth_m)
        ground_m = self._seabed.ground_m(x0 + rays[..., 0] * depth_m, y0 + rays[..., 1] * depth_m)
        depth_m = (ground_m - z0) / rays[..., 2]
        return x0 + rays[..., 0] * depth_m, y0 + rays[..., 1] * depth_m

    def _enlarge(self, coarse: Image) -> Image:
        """A coarse grid at full size, its margin cut off."""
        size = (coarse.shape[1] * _COARSE_PX, coarse.shape[0] * _COARSE_PX)
        big = np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR), np.float32)
        rows, columns = self._camera.height_px, self._camera.width_px
        return big[_COARSE_PX : _COARSE_PX + rows, _COARSE_PX : _COARSE_PX + columns]

    def _water(self, coarse_depth_m: Image) -> tuple[Image, Image]:
        """Gain and added veil (height, width, 3): Beer-Lambert along the ray, backscatter of the lamps."""
        range_m = coarse_depth_m * np.linalg.norm(self._coarse_rays, axis=-1)
        lamp = self._lamp[..., None]
        gain = _EXPOSURE * lamp * np.exp(-_ATTENUATION * range_m[..., None])
        veil = lamp * _VEIL_BGR * (1.0 - np.exp(-_BACKSCATTER * range_m[..., None]))
        return self._enlarge(gain.astype(np.float32)), self._enlarge(veil.astype(np.float32))

    def _snow(self, seen: Image, rng: np.random.Generator) -> None:
        """Drifting particles: each frame has others, so that they match nothing."""
        for x, y in rng.uniform((0, 0), (seen.shape[1], seen.shape[0]), (_SNOW_FLAKES, 2)):
            centre = (int(x * 16), int(y * 16))
            radius = int(16 * seen.shape[1] * rng.uniform(0.0008, 0.002))
            cv2.circle(seen, centre, radius, (190.0, 205.0, 150.0), -1, cv2.LINE_AA, 4)


def project(points_m: Floats, camera_to_world: Floats, camera: Pinhole) -> NDArray[np.bool_]:
    """Which of the world points (N,3) fall inside the image of a camera."""
    seen = (points_m - camera_to_world[:3, 3]) @ camera_to_world[:3, :3]
    ahead = seen[:, 2] > 0
    depth = np.where(ahead, seen[:, 2], 1.0)
    u = camera.focal_px * seen[:, 0] / depth + camera.width_px / 2
    v = camera.focal_px * seen[:, 1] / depth + camera.height_px / 2
    return np.asarray(ahead & (u >= 0) & (u < camera.width_px) & (v >= 0) & (v < camera.height_px))
