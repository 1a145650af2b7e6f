"""What the mission stages read: every sampled frame once, and every component of every segment."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from workers.contract.artefacts import CAMERA, CLOUD, CLOUD_COMPONENT, FRAMES, OVERLAP, POSES, WorkingCamera
from workers.contract.dive import Segment
from workers.contract.job import SegmentResult, StitchInputs
from workers.geometry import F64, AnyArray, Bools
from workers.media.ply import read_ply


@dataclass(frozen=True)
class Overlap:
    """Points by which neighbours are joined: (frame, pixel) -> xyz in the component's own frame."""

    frame_id: AnyArray
    pixel: F64
    xyz: F64
    weight: F64


@dataclass(frozen=True)
class Piece:
    """One component of one segment, in its own frame and scale.

    ``frame_id`` (N,) in order of ``time_s`` (N,) recording time; ``camera_to_world`` (N,4,4); ``pinhole`` (N,4);
    ``cloud_xyz`` (P,3), ``cloud_rgb`` (P,3) uint8; ``depth`` the median distance of the cloud below the cameras, in own
    units.
    """

    segment: Segment
    number: int
    vehicle: str
    frame_id: AnyArray
    time_s: F64
    camera_to_world: F64
    pinhole: F64
    overlap: Overlap
    cloud_xyz: F64
    cloud_rgb: AnyArray
    depth: float

    @property
    def recording(self) -> str:
        """The recording it was filmed in."""
        return self.segment.recording

    @property
    def camera(self) -> str:
        """The camera that filmed it."""
        return self.segment.camera

    @property
    def centres(self) -> F64:
        """Camera centres (N,3), own frame."""
        return self.camera_to_world[:, :3, 3]


@dataclass(frozen=True)
class Frames:
    """Every sampled frame of the mission once, ordered by recording and time (arrays of length N)."""

    frame_id: AnyArray
    segment: AnyArray
    recording: AnyArray
    camera: AnyArray
    vehicle: AnyArray
    file: AnyArray
    image: AnyArray
    chapter_time_s: F64
    recording_time_s: F64
    pinhole: F64
    size: F64
    usable: Bools


@dataclass(frozen=True)
class _FrameRow:
    frame_id: str
    segment: str
    recording: str
    camera: str
    vehicle: str
    file: str
    image: str
    chapter_time_s: float
    recording_time_s: float
    pinhole: tuple[float, float, float, float]
    size: tuple[int, int]
    usable: bool


_TEXTS = ("frame_id", "segment", "recording", "camera", "vehicle", "file", "image")


def load_frames(inputs: StitchInputs) -> Frames:
    """Read every segment's frames; a frame shared by two segments belongs to the one that owns its time."""
    vehicle_of = {entry.camera: entry.vehicle for entry in inputs.vehicles}
    rows: dict[tuple[str, str], _FrameRow] = {}
    for result in inputs.segments:
        if result.frames is None:
            continue
        for row in _rows_of(
            result, result.frames, vehicle_of.get(result.segment.camera, result.segment.camera)
        ):
            name = (row.recording, row.frame_id)
            before = rows.get(name)
            owned = result.segment.start_s <= row.recording_time_s < result.segment.own_end_s
            kept = row if before is None or owned else before
            rows[name] = replace(kept, usable=row.usable or (before is not None and before.usable))
    ordered = sorted(rows.values(), key=lambda row: (row.recording, row.recording_time_s, row.frame_id))
    return Frames(
        **{name: np.array([getattr(row, name) for row in ordered], dtype=np.str_) for name in _TEXTS},
        chapter_time_s=np.array([row.chapter_time_s for row in ordered], float),
        recording_time_s=np.array([row.recording_time_s for row in ordered], float),
        pinhole=np.array([row.pinhole for row in ordered], float).reshape(-1, 4),
        size=np.array([row.size for row in ordered], float).reshape(-1, 2),
        usable=np.array([row.usable for row in ordered], bool),
    )


def _rows_of(result: SegmentResult, folder: Path, vehicle: str) -> list[_FrameRow]:
    camera = WorkingCamera.model_validate_json((folder / CAMERA).read_text())
    usable = set(result.usable)
    with (folder / FRAMES).open(newline="", encoding="utf-8") as file:
        return [
            _FrameRow(
                frame_id=row["frame_id"],
                segment=result.segment.id,
                recording=result.segment.recording,
                camera=result.segment.camera,
                vehicle=vehicle,
                file=row["file"],
                image=str(folder / row["image"]),
                chapter_time_s=float(row["chapter_time_s"]),
                recording_time_s=float(row["recording_time_s"]),
                pinhole=(camera.fx, camera.fy, camera.cx, camera.cy),
                size=(camera.width, camera.height),
                usable=row["frame_id"] in usable,
            )
            for row in csv.DictReader(file)
        ]


def load_pieces(inputs: StitchInputs) -> list[Piece]:
    """Read every component of every reconstructed segment, in the order of the segments."""
    vehicle_of = {entry.camera: entry.vehicle for entry in inputs.vehicles}
    pieces: list[Piece] = []
    for result in inputs.segments:
        if result.inference is not None:
            pieces += _pieces_of(result, vehicle_of.get(result.segment.camera, result.segment.camera))
    return pieces


def _pieces_of(result: SegmentResult, vehicle: str) -> list[Piece]:
    assert result.inference is not None
    folder: Path = result.inference
    poses, overlap = np.load(folder / POSES), np.load(folder / OVERLAP)
    xyz, rgb = read_ply(folder / CLOUD)
    cloud_component = np.load(folder / CLOUD_COMPONENT)
    pieces = []
    for number in np.unique(poses["component"]):
        mine = np.flatnonzero(poses["component"] == number)
        mine = mine[np.argsort(poses["time_s"][mine], kind="stable")]
        seam = overlap["component"] == number
        cloud = xyz[cloud_component == number]
        k = poses["K"][mine]
        piece = Piece(
            segment=result.segment,
            number=int(number),
            vehicle=vehicle,
            frame_id=poses["frame_id"][mine],
            time_s=poses["time_s"][mine].astype(float),
            camera_to_world=poses["camera_to_world"][mine].astype(float),
            pinhole=np.stack([k[:, 0, 0], k[:, 1, 1], k[:, 0, 2], k[:, 1, 2]], axis=1),
            overlap=Overlap(
                overlap["frame_id"][seam],
                overlap["pixel"][seam].astype(float),
                overlap["xyz"][seam].astype(float),
                overlap["weight"][seam].astype(float),
            ),
            cloud_xyz=cloud,
            cloud_rgb=rgb[cloud_component == number],
            depth=0.0,
        )
        pieces.append(replace(piece, depth=median_depth(piece.camera_to_world, cloud)))
    return pieces


def median_depth(camera_to_world: F64, cloud: F64) -> float:
    """Median depth of a cloud (P,3) under its cameras (N,4,4), own units.

    Each point is measured in the camera whose centre is nearest to its line of sight, taken as the nearest centre.
    """
    if len(cloud) == 0:
        return float("nan")
    points = cloud[:: max(1, len(cloud) // 4000)]
    centres = camera_to_world[:, :3, 3]
    nearest = np.argmin(np.linalg.norm(points[:, None] - centres[None], axis=2), axis=1)
    axes = camera_to_world[nearest, :3, 2]
    return float(np.median(np.einsum("ni,ni->n", points - centres[nearest], axes)))


def by_recording(pieces: Sequence[Piece]) -> dict[str, list[int]]:
    """Indices of the pieces of each recording."""
    found: dict[str, list[int]] = {}
    for index, piece in enumerate(pieces):
        found.setdefault(piece.recording, []).append(index)
    return found
