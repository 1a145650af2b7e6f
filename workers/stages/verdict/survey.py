"""What stitch and coverage left, loaded once for the verdict and its products."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from workers.contract.dive import Inventory
from workers.contract.job import SegmentResult, VerdictInputs
from workers.contract.survey import (
    COVERAGE,
    COVERAGE_GRID,
    NAV_TRACKS,
    STITCH,
    STITCH_CLOUD,
    STITCH_FRAMES,
    SURFACE,
    CoverageSummary,
    GapShape,
    StitchSummary,
)
from workers.geometry import F64, AnyArray, Bools
from workers.geometry.place import Place


@dataclass(frozen=True)
class Frames:
    """A row a sampled frame, ordered by recording and time; fields as in :mod:`workers.contract.survey`."""

    frame_id: AnyArray
    segment: AnyArray
    recording: AnyArray
    camera: AnyArray
    vehicle: AnyArray
    footage_file: AnyArray
    chapter_time_s: F64
    recording_time_s: F64
    utc_s: F64
    camera_to_map: F64
    pinhole: F64
    size: AnyArray
    registered: Bools
    usable: Bools
    doubtful: Bools
    source: AnyArray
    component: AnyArray
    place_sigma_m: F64

    def __len__(self) -> int:
        return len(self.frame_id)

    @property
    def centres(self) -> F64:
        """Camera centres (N,3) in the map frame, metres; NaN when unknown."""
        return self.camera_to_map[:, :3, 3]


@dataclass(frozen=True)
class Coverage:
    """The coverage grid: arrays (rows, columns), rows from south to north; lower left corner in the map frame."""

    x0: float
    y0: float
    cell_m: float
    inside: Bools
    footprint_views: AnyArray
    filmed_views: AnyArray
    reconstructed_views: AnyArray
    passes: Bools
    passes_worst: Bools
    cause: AnyArray
    gap: AnyArray

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """West, east, south, north edge of the grid, map frame, metres."""
        rows, columns = self.inside.shape
        return self.x0, self.x0 + columns * self.cell_m, self.y0, self.y0 + rows * self.cell_m

    def views_at(self, xy: F64) -> AnyArray:
        """Reconstructed views (N,) of the cells under points (N,2); 0 outside the grid."""
        rows, columns = self.inside.shape
        with np.errstate(invalid="ignore"):
            row = np.floor((xy[:, 1] - self.y0) / self.cell_m)
            column = np.floor((xy[:, 0] - self.x0) / self.cell_m)
            within = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
        views = np.zeros(len(xy), np.uint16)
        views[within] = self.reconstructed_views[row[within].astype(int), column[within].astype(int)]
        return views


@dataclass(frozen=True)
class Surface:
    """Height of the seabed, (rows, columns), rows from south to north, map frame, metres."""

    x0: float
    y0: float
    cell_m: float
    height_m: F64
    known: Bools


@dataclass(frozen=True)
class Cloud:
    """The merged cloud: ``xyz`` (M,3) map frame; ``rgb`` (M,3) uint8; ``segment``, ``vehicle``, ``component`` (M,)."""

    xyz: F64
    rgb: AnyArray
    segment: AnyArray
    vehicle: AnyArray
    component: AnyArray
    segment_names: tuple[str, ...]
    vehicle_names: tuple[str, ...]


@dataclass(frozen=True)
class NavTrack:
    """One vehicle's nav: ``utc_s`` (N,), ``xyz`` (N,3) map frame, metres."""

    utc_s: F64
    xyz: F64


@dataclass(frozen=True)
class Survey:
    """All that the verdict and its products are made from.

    ``coverage_grid`` is None when there is no scale. The cloud is large and read on demand (:func:`load_cloud`).
    """

    stitch: StitchSummary
    coverage: CoverageSummary
    inventory: Inventory
    segments: tuple[SegmentResult, ...]
    unfinished: int
    params: dict[str, JsonValue]
    frames: Frames
    grid: Coverage | None
    surface: Surface | None
    nav: dict[str, NavTrack]
    stitch_folder: Path

    @property
    def place(self) -> Place | None:
        """Converts to lon/lat; None when the survey has no place on the earth."""
        frame = self.stitch.frame
        return Place(frame) if self.stitch.placed and frame.epsg is not None else None

    @property
    def posed(self) -> Bools:
        """Frames (N,) whose camera centre is known on the map."""
        known: Bools = np.asarray(np.isfinite(self.frames.centres).all(axis=1))
        if not self.stitch.placed:
            return known
        adrift = [component.id for component in self.stitch.components if not component.placed]
        floating = (self.frames.source == "registered") & np.isin(self.frames.component, adrift)
        placed: Bools = known & ~floating
        return placed

    def gap_shape(self, gap_id: int) -> GapShape | None:
        """The gap of that id as coverage found it."""
        return next((gap for gap in self.coverage.gaps if gap.id == gap_id), None)


def load_survey(inputs: VerdictInputs) -> Survey:
    """Read the output folders of stitch and coverage; paths are relative to the mission (the current directory)."""
    return Survey(
        stitch=StitchSummary.model_validate_json((inputs.stitch / STITCH).read_bytes()),
        coverage=CoverageSummary.model_validate_json((inputs.coverage / COVERAGE).read_bytes()),
        inventory=inputs.inventory,
        segments=inputs.segments,
        unfinished=inputs.unfinished,
        params=inputs.params,
        frames=_load_frames(inputs.stitch / STITCH_FRAMES),
        grid=_load_grid(inputs.coverage / COVERAGE_GRID),
        surface=_load_surface(inputs.stitch / SURFACE),
        nav=_load_nav(inputs.stitch / NAV_TRACKS),
        stitch_folder=inputs.stitch,
    )


def load_cloud(survey: Survey) -> Cloud:
    """The points of the merged cloud; where others are placed, those of unplaced components are dropped."""
    path = survey.stitch_folder / STITCH_CLOUD
    if not path.exists():
        none = np.zeros(0, np.int32)
        return Cloud(np.zeros((0, 3)), np.zeros((0, 3), np.uint8), none, none, none, (), ())
    with np.load(path) as z:
        xyz, component = z["xyz"].astype(np.float64), z["component"].astype(np.int32)
        keep = np.isfinite(xyz).all(axis=1)
        if survey.stitch.placed:
            keep &= ~np.isin(component, [part.id for part in survey.stitch.components if not part.placed])
        return Cloud(
            xyz[keep],
            z["rgb"].astype(np.uint8)[keep],
            z["segment"].astype(np.int32)[keep],
            z["vehicle"].astype(np.int32)[keep],
            component[keep],
            tuple(str(name) for name in z["segment_names"]),
            tuple(str(name) for name in z["vehicle_names"]),
        )


def inputs_checksums(survey: Survey) -> dict[str, str]:
    """Checksum of every file that the survey rests on, by its path; a folder of stills counts as one."""
    inventory = survey.inventory
    found = {}
    for recording in inventory.recordings:
        for chapter in recording.chapters:
            first = chapter.files[0].path
            found[str(first.parent if recording.stills else first)] = chapter.checksum
    found |= {str(nav.path): nav.checksum for nav in inventory.nav}
    if inventory.aoi is not None:
        found[str(inventory.aoi.path)] = inventory.aoi.checksum
    if inventory.rig is not None:
        rig = json.dumps(inventory.rig.model_dump(mode="json"), sort_keys=True)
        found["rig"] = hashlib.sha256(rig.encode()).hexdigest()[:16]
    return dict(sorted(found.items()))


def _load_frames(path: Path) -> Frames:
    with np.load(path) as z:
        return Frames(**{field.name: z[field.name] for field in fields(Frames)})


def _load_grid(path: Path) -> Coverage | None:
    """The grid, or None where there is none or it has no cells: without a scale there are no metres."""
    if not path.exists():
        return None
    with np.load(path) as z:
        if "inside" not in z.files or not z["inside"].size:
            return None
        layers = {field.name: z[field.name] for field in fields(Coverage) if z[field.name].ndim == 2}
        return Coverage(x0=float(z["x0"]), y0=float(z["y0"]), cell_m=float(z["cell_m"]), **layers)


def _load_surface(path: Path) -> Surface | None:
    if not path.exists():
        return None
    with np.load(path) as z:
        if "height_m" not in z.files or not z["height_m"].size:
            return None
        return Surface(float(z["x0"]), float(z["y0"]), float(z["cell_m"]), z["height_m"], z["known"])


def _load_nav(path: Path) -> dict[str, NavTrack]:
    if not path.exists():
        return {}
    with np.load(path) as z:
        vehicles = [name.removesuffix("/xyz") for name in z.files if name.endswith("/xyz")]
        return {name: NavTrack(z[f"{name}/utc_s"], z[f"{name}/xyz"]) for name in sorted(vehicles)}
