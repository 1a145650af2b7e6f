"""Stitch, coverage and decision of a made mission, measured against its truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from tests.stages.mission_factory import TRUTH_CELL_M, Mission, Plan, Silent, fly, write_mission
from workers.contract.dive import Rig
from workers.contract.job import CoverageInputs
from workers.contract.params import CoverageParams, StitchParams, VerdictParams
from workers.contract.products import Reason
from workers.contract.survey import (
    COVERAGE,
    COVERAGE_GRID,
    STITCH,
    STITCH_FRAMES,
    CoverageSummary,
    StitchSummary,
)
from workers.contract.words import VerdictWord
from workers.geometry import F64, AnyArray, Bools
from workers.stages import coverage, stitch
from workers.stages.verdict.decide import Evidence, decide

EDGE_BAND_M = 0.15


@dataclass(frozen=True)
class Seen:
    """What the mission stages made of a mission. ``true_poses`` (N,4,4) are in the order of ``frames``, map frame."""

    mission: Mission
    stitch: StitchSummary
    frames: dict[str, AnyArray]
    true_poses: F64
    coverage: CoverageSummary
    grid: dict[str, AnyArray]
    word: VerdictWord
    reasons: tuple[Reason, ...]

    @property
    def codes(self) -> set[str]:
        """Codes of the reasons."""
        return {reason.code for reason in self.reasons}

    @property
    def sure(self) -> Bools:
        """Frames that count as reconstructed views."""
        found: Bools = (self.frames["source"] == "registered") & ~self.frames["doubtful"]
        return found

    @property
    def centre_error_m(self) -> F64:
        """Horizontal errors (N,) of the camera centres; NaN without a pose."""
        off = self.frames["camera_to_map"][:, :2, 3] - self.true_poses[:, :2, 3]
        return np.asarray(np.linalg.norm(off, axis=1))

    @property
    def ground_error_m(self) -> F64:
        """Horizontal errors (N,) of the ground before the cameras."""
        high = self.mission.plan.altitude_m

        def ground(poses: F64) -> F64:
            reach = -high / poses[:, 2, 2]
            return poses[:, :2, 3] + poses[:, :2, 2] * reach[:, None]

        off = ground(self.frames["camera_to_map"]) - ground(self.true_poses)
        return np.asarray(np.linalg.norm(off, axis=1))

    def component_of(self, camera: str) -> set[int]:
        """Numbers of the components of a camera's registered frames."""
        mine = (self.frames["camera"] == camera) & self.frames["registered"]
        return set(self.frames["component"][mine].tolist())

    def passed_by_mistake(self, band_m: float = EDGE_BAND_M) -> float:
        """Share of the true cells that pass without three clear views, outside a band about the true edges."""
        clear = self.mission.truth_views() >= 3
        reach = round(band_m / TRUTH_CELL_M)
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
        disc = x**2 + y**2 <= reach**2
        near = ndimage.maximum_filter(clear, footprint=disc) != ndimage.minimum_filter(clear, footprint=disc)
        return float((self._passes_at_truth(clear.shape) & ~clear & ~near).mean())

    def _passes_at_truth(self, shape: tuple[int, ...]) -> Bools:
        rows, columns = np.indices(shape)
        place = self.mission.place.frame
        assert self.stitch.frame.epsg == place.epsg
        origin = self.mission.origin + np.array(place.origin) - np.array(self.stitch.frame.origin)
        x = origin[0] + (columns + 0.5) * TRUTH_CELL_M
        y = origin[1] + (rows + 0.5) * TRUTH_CELL_M
        passes, cell = self.grid["passes"], float(self.grid["cell_m"])
        row = np.floor((y - self.grid["y0"]) / cell).astype(int)
        column = np.floor((x - self.grid["x0"]) / cell).astype(int)
        inside = (row >= 0) & (row < passes.shape[0]) & (column >= 0) & (column < passes.shape[1])
        found = np.zeros(shape, bool)
        found[inside] = passes[row[inside], column[inside]]
        return found


def look(
    plan: Plan,
    folder: Path,
    params: StitchParams | None = None,
    *,
    rig: Rig | None = None,
    aoi: bool = True,
) -> Seen:
    """Fly a plan, run 06 and 07 on it, and decide."""
    mission = fly(plan)
    written = write_mission(mission, folder / "mission", rig=rig)
    stitched, covered = folder / "stitch", folder / "coverage"
    stitched.mkdir()
    covered.mkdir()
    stitch.run(written.inputs, params or StitchParams(), stitched, Silent())
    area = written.aoi if aoi else None
    coverage.run(CoverageInputs(stitch=stitched, aoi=area), CoverageParams(), covered, Silent())
    summary = StitchSummary.model_validate_json((stitched / STITCH).read_text())
    cover = CoverageSummary.model_validate_json((covered / COVERAGE).read_text())
    word, reasons = decide(Evidence(summary, cover, 0, (), {}), VerdictParams())
    frames = dict(np.load(stitched / STITCH_FRAMES))
    grid = dict(np.load(covered / COVERAGE_GRID)) if (covered / COVERAGE_GRID).exists() else {}
    return Seen(mission, summary, frames, _true_poses(mission, summary, frames), cover, grid, word, reasons)


def _true_poses(mission: Mission, summary: StitchSummary, frames: dict[str, AnyArray]) -> F64:
    pose_of = {
        name: pose for one in mission.filmed for name, pose in zip(one.frame_ids, one.poses, strict=True)
    }
    poses = np.array([pose_of[str(name)] for name in frames["frame_id"]])
    if summary.frame.epsg is not None:
        poses[:, :2, 3] += np.array(mission.place.frame.origin) - np.array(summary.frame.origin)
    return poses
