"""What is really covered by a demo dive, counted on the relief it was rendered from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from workers.demo.recipe import ORIGIN_LAT_LON_DEG, TRUTH_CELL_M, TRUTH_FPS, VEHICLE, DemoRecipe
from workers.demo.render import Pinhole, project
from workers.demo.seabed import Seabed
from workers.demo.survey import Survey, camera_to_world

_ENOUGH_VIEWS = 3
_SMALLEST_HOLE_M = 0.5


@dataclass(frozen=True)
class Coverage:
    """Views of each ``TRUTH_CELL_M`` cell of the area (row = y, column = x), all frames and the clear ones."""

    filmed_views: NDArray[np.int32]
    clear_views: NDArray[np.int32]


def count_views(recipe: DemoRecipe, seabed: Seabed, survey: Survey) -> Coverage:
    """Project every cell, at its height, into every camera ``TRUTH_FPS`` times a second."""
    columns, rows = (round(side / TRUTH_CELL_M) for side in recipe.area_m)
    y, x = (np.mgrid[0:rows, 0:columns].astype(np.float32) + 0.5) * TRUTH_CELL_M
    cells = np.column_stack([x.ravel(), y.ravel(), seabed.ground_m(x, y).ravel()]).astype(np.float64)
    times_s = survey.frame_times_s(recipe.fps)[:: max(1, round(recipe.fps / TRUTH_FPS))]
    milky = survey.is_turbid(times_s)
    camera = Pinhole.of(recipe)
    filmed, clear = np.zeros(len(cells), np.int32), np.zeros(len(cells), np.int32)
    for pose, is_milky in zip(survey.at(times_s), milky, strict=True):
        for mount in recipe.cameras:
            seen = project(cells, camera_to_world(pose, mount.offset_body_m), camera)
            filmed += seen
            clear += seen & ~is_milky
    return Coverage(filmed.reshape(rows, columns), clear.reshape(rows, columns))


def describe(recipe: DemoRecipe, survey: Survey, coverage: Coverage) -> dict[str, Any]:
    """The content of ``truth.json``."""
    times_s = survey.nav_times_s()
    path = np.column_stack([times_s, survey.at(times_s), survey.leg_at(times_s)])
    filmed = coverage.filmed_views >= _ENOUGH_VIEWS
    clear = coverage.clear_views >= _ENOUGH_VIEWS
    vehicle = {
        "path": np.round(path, 4).tolist(),
        "turbid": list(survey.turbid_s),
        "skipped_leg": recipe.skipped_leg,
        "cameras": {
            mount.name: {"offset_body": list(mount.offset_body_m), "clock_error_s": mount.clock_error_s}
            for mount in recipe.cameras
        },
    }
    return {
        "area": list(recipe.area_m),
        "cell": TRUTH_CELL_M,
        "K": Pinhole.of(recipe).matrix.tolist(),
        "size": list(recipe.size_px),
        "fps": recipe.fps,
        "alt": recipe.altitude_m,
        "origin": list(ORIGIN_LAT_LON_DEG),
        "seed": recipe.seed,
        "vehicles": {VEHICLE: vehicle},
        "filmed_3plus": float(filmed.mean()),
        "clear_3plus": float(clear.mean()),
        "gaps": _gaps(~filmed, "not filmed") + _gaps(filmed & ~clear, "unusable"),
        "gaps_any_cause": _gaps(~clear, "any"),
    }


def _gaps(failing: NDArray[np.bool_], cause: str) -> list[dict[str, Any]]:
    """Connected failing areas that contain a box of ``_SMALLEST_HOLE_M``, largest first."""
    labels, _ = ndimage.label(failing, structure=np.ones((3, 3), bool))
    side = round(_SMALLEST_HOLE_M / TRUTH_CELL_M)
    cores = ndimage.binary_erosion(failing, structure=np.ones((side, side), bool))
    gaps = []
    for label in np.unique(labels[cores]):
        rows, columns = np.nonzero(labels == label)
        centre = [(float(columns.mean()) + 0.5) * TRUTH_CELL_M, (float(rows.mean()) + 0.5) * TRUTH_CELL_M]
        area_m2 = len(rows) * TRUTH_CELL_M**2
        gap = {"cause": cause, "area_m2": round(area_m2, 3), "centre_xy_m": [round(v, 3) for v in centre]}
        gaps.append((area_m2, gap))
    return [gap for _, gap in sorted(gaps, key=lambda found: -found[0])]
