"""Writing what 06 leaves: see :mod:`workers.contract.survey`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workers.contract.params import StitchParams
from workers.contract.survey import NAV_TRACKS, STITCH, STITCH_CLOUD, STITCH_FRAMES, SURFACE, StitchSummary
from workers.geometry import F64, surface
from workers.geometry.sim3 import Sim3
from workers.stages.stitch.assemble import FramePoses
from workers.stages.stitch.chains import Chain
from workers.stages.stitch.clouds import PlacedCloud, merge
from workers.stages.stitch.load import Frames, Piece
from workers.stages.stitch.navigation import Track

SURFACE_CELL = 0.15
"""Side of a surface cell, as a share of the cameras' median height above the ground."""
SURFACE_MARGIN = 4.0
DEFAULT_HEIGHT_M = 2.0


@dataclass(frozen=True)
class Stitched:
    """All that is written: ``to_map`` takes placed pieces (indices) to the map frame; ``sure`` ones make the seabed."""

    summary: StitchSummary
    frames: Frames
    poses: FramePoses
    pieces: Sequence[Piece]
    chains: Sequence[Chain]
    to_map: Mapping[int, Sim3]
    sure: Sequence[int]
    tracks: Mapping[str, Track]


def write(out: Path, stitched: Stitched, params: StitchParams) -> None:
    """Write every file of the stitch to ``out``."""
    s = stitched
    _write_frames(out / STITCH_FRAMES, s.frames, s.poses)
    _write_cloud(out / STITCH_CLOUD, s.pieces, s.chains, s.to_map, params)
    grounds = [s.to_map[n].apply(s.pieces[n].cloud_xyz) for n in s.sure]
    _write_surface(out / SURFACE, make_surface(s.poses, grounds, list(s.tracks.values())))
    arrays: dict[str, F64] = {}
    for vehicle, track in s.tracks.items():
        arrays[f"{vehicle}/utc_s"], arrays[f"{vehicle}/xyz"] = track.time_s, track.xyz
    np.savez(out / NAV_TRACKS, **arrays)  # type: ignore[arg-type]
    (out / STITCH).write_text(s.summary.model_dump_json(indent=1))


def _write_frames(path: Path, frames: Frames, poses: FramePoses) -> None:
    np.savez_compressed(
        path,
        frame_id=frames.frame_id,
        segment=frames.segment,
        recording=frames.recording,
        camera=frames.camera,
        vehicle=frames.vehicle,
        footage_file=frames.file,
        image=frames.image,
        chapter_time_s=frames.chapter_time_s,
        recording_time_s=frames.recording_time_s,
        utc_s=poses.utc_s,
        camera_to_map=poses.camera_to_map,
        pinhole=poses.pinhole,
        size=frames.size,
        registered=poses.registered,
        usable=frames.usable,
        doubtful=poses.doubtful,
        source=poses.source,
        component=poses.component,
        place_sigma_m=poses.place_sigma_m,
    )


def _write_cloud(
    path: Path,
    pieces: Sequence[Piece],
    chains: Sequence[Chain],
    to_map: Mapping[int, Sim3],
    params: StitchParams,
) -> None:
    chain_of = {index: number for number, chain in enumerate(chains) for index in chain.pieces}
    members = sorted(to_map)
    segments = sorted({pieces[n].segment.id for n in members})
    vehicles = sorted({pieces[n].vehicle for n in members})
    placed = [
        PlacedCloud(
            n,
            pieces[n].cloud_xyz,
            to_map[n].apply(pieces[n].cloud_xyz),
            pieces[n].cloud_rgb,
            pieces[n].recording,
        )
        for n in members
    ]
    xyz, rgb, piece = merge(placed, np.array(members, int), params)
    segment = {n: segments.index(pieces[n].segment.id) for n in members}
    vehicle = {n: vehicles.index(pieces[n].vehicle) for n in members}
    np.savez_compressed(
        path,
        xyz=xyz,
        rgb=rgb,
        segment=np.array([segment[int(n)] for n in piece], int),
        vehicle=np.array([vehicle[int(n)] for n in piece], int),
        component=np.array([chain_of[int(n)] for n in piece], int),
        segment_names=np.array(segments, dtype=np.str_),
        vehicle_names=np.array(vehicles, dtype=np.str_),
    )


def _write_surface(path: Path, seabed: surface.Surface) -> None:
    np.savez_compressed(
        path,
        x0=seabed.grid.x0,
        y0=seabed.grid.y0,
        cell_m=seabed.grid.cell_m,
        height_m=seabed.height_m,
        known=seabed.known,
    )


def make_surface(poses: FramePoses, clouds: Sequence[F64], tracks: Sequence[Track]) -> surface.Surface:
    """The seabed under all cameras: from the clouds, or level ground an altitude below the cameras."""
    placed = poses.source != "none"
    centres = poses.camera_to_map[placed, :3, 3]
    if len(centres) == 0:
        return surface.flat(0.0, (0.0, 0.0, 1.0, 1.0), 1.0)
    points = np.concatenate(clouds) if clouds else np.zeros((0, 3))
    points = points[np.isfinite(points).all(1)]
    altitudes = [track.median_altitude_m() for track in tracks]
    known = [altitude for altitude in altitudes if altitude is not None]
    height = float(np.median(known)) if known else DEFAULT_HEIGHT_M
    if len(points):
        height = max(float(np.median(centres[:, 2]) - np.median(points[:, 2])), 1e-3)
    margin = SURFACE_MARGIN * height
    low, high = centres.min(0) - margin, centres.max(0) + margin
    bounds = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    cell = max(SURFACE_CELL * height, float(np.ptp(centres[:, :2], axis=0).max()) / 4000.0)
    if len(points) == 0:
        return surface.flat(float(np.median(centres[:, 2])) - height, bounds, cell)
    return surface.from_points(points, bounds, cell)
