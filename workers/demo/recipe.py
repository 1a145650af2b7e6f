"""What a demo dive is made from: one frozen recipe, and the recipes that are used by name."""

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

Codec = Literal["h264", "hevc"]
GapKind = Literal["leg", "turbid", "none"]

START_UTC = datetime(2026, 5, 12, 9, 30, tzinfo=UTC)
ORIGIN_LAT_LON_DEG = (43.1, 5.9)
METRES_PER_DEG = 111_111.0
NAV_HZ = 4.0
TRUTH_CELL_M = 0.05
TRUTH_FPS = 2.0
VEHICLE = "AUV01"
NEVER_S = 1e9


@dataclass(frozen=True)
class CameraMount:
    """One camera of the vehicle.

    ``offset_body_m`` is x forward, y to port, z up; ``file_number`` is the four digits of the GoPro file names;
    ``clock_error_s`` is what the camera's clock shows minus the true time.
    """

    name: str
    offset_body_m: tuple[float, float, float]
    file_number: int
    clock_error_s: float


@dataclass(frozen=True)
class DemoRecipe:
    """A rendered dive: a rectangle of seabed, survey legs along x over it, and one gap or none.

    Legs run along x and are ``area_m[1] / round(area_m[1] / leg_spacing_m)`` apart, the first on y = 0 and the last
    on the far side. ``gap`` is ``leg`` (leg ``gap_leg`` is not flown), ``turbid`` (``turbid_s`` seconds of milky,
    blurred water around the middle of that leg) or ``none``. ``run_in_m`` is how far a leg starts before the area and
    ends behind it.
    """

    area_m: tuple[float, float] = (7.0, 6.3)
    leg_spacing_m: float = 2.1
    run_in_m: float = 0.3
    altitude_m: float = 1.6
    speed_mps: float = 0.5
    max_turn_radius_m: float = 1.0
    gap: GapKind = "leg"
    gap_leg: int = 2
    turbid_s: float = 14.0
    size_px: tuple[int, int] = (640, 360)
    fps: float = 4.0
    hfov_deg: float = 82.0
    chapter_s: float = 32.0
    codec: Codec = "h264"
    texture_m_per_px: float = 0.004
    seed: int = 7
    cameras: tuple[CameraMount, ...] = (
        CameraMount("PORT", (0.0, 0.15, 0.0), 12, -1.3),
        CameraMount("STBD", (0.0, -0.15, 0.0), 15, 2.4),
    )

    @property
    def leg_ys_m(self) -> tuple[float, ...]:
        """The y of every planned leg, flown or not."""
        gaps = max(1, round(self.area_m[1] / self.leg_spacing_m))
        return tuple(self.area_m[1] * n / gaps for n in range(gaps + 1))

    @property
    def skipped_leg(self) -> int | None:
        """The planned leg that is not flown."""
        return self.gap_leg if self.gap == "leg" else None

    @property
    def focal_px(self) -> float:
        """Focal length from the horizontal field of view."""
        return self.size_px[0] / 2 / math.tan(math.radians(self.hfov_deg) / 2)

    @property
    def reach_m(self) -> float:
        """How far from below the vehicle a camera sees the ground, with room for relief and attitude."""
        half_diagonal = math.hypot(*self.size_px) / 2 / self.focal_px
        lever = max(abs(v) for mount in self.cameras for v in mount.offset_body_m)
        return 1.3 * self.altitude_m * half_diagonal + lever


DEMO = DemoRecipe()
"""One survey leg of four is missing; two cameras; about a minute of footage a camera."""

SMALL = DemoRecipe(
    area_m=(3.0, 4.1), leg_spacing_m=2.05, gap_leg=1, turbid_s=7.0, size_px=(480, 270), chapter_s=15.0,
    texture_m_per_px=0.005, seed=11,
)  # fmt: skip
"""For the test suite: 25 s of footage a camera and one certain gap of more than 1 m2."""

SMALL_COMPLETE = replace(SMALL, area_m=(3.0, 1.6), leg_spacing_m=1.6, gap="none")
"""For the test suite: two overlapping legs, no gap."""
