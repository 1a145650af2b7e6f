"""Every sampled frame in the map frame: registered ones from their piece, others predicted from nav."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from workers.geometry import F64, AnyArray, Bools, Ints
from workers.geometry.attitude import NADIR, exp_so3, mean_rotation
from workers.geometry.sim3 import Sim3
from workers.stages.stitch.chains import Chain
from workers.stages.stitch.clock import base_time
from workers.stages.stitch.guess import Survey
from workers.stages.stitch.load import Frames, Piece
from workers.stages.stitch.place import Placement
from workers.stages.stitch.trust import PieceTrust

STATED_CLOCK_SIGMA_S = 10.0
LONGEST_BRIDGE_S = 5.0


@dataclass
class FramePoses:
    """Arrays of length N (N,4,4 for poses), in the order of :class:`Frames`; filled in step by step."""

    camera_to_map: F64
    pinhole: F64
    source: AnyArray
    registered: Bools
    doubtful: Bools
    component: Ints
    place_sigma_m: F64
    utc_s: F64


def empty_poses(frames: Frames) -> FramePoses:
    """No frame has a pose yet."""
    n = len(frames.frame_id)
    return FramePoses(
        camera_to_map=np.full((n, 4, 4), np.nan),
        pinhole=frames.pinhole.copy(),
        source=np.full(n, "none", dtype="<U12"),
        registered=np.zeros(n, bool),
        doubtful=np.zeros(n, bool),
        component=np.full(n, -1),
        place_sigma_m=np.full(n, np.nan),
        utc_s=np.full(n, np.nan),
    )


def put_registered(
    poses: FramePoses,
    frames: Frames,
    pieces: Sequence[Piece],
    chains: Sequence[Chain],
    to_map: Mapping[int, Sim3],
    trust: Mapping[int, PieceTrust],
) -> None:
    """Poses of registered frames.

    One registered in several pieces takes that of the segment which owns it, and of those the more certain one. Pieces
    without a place on the map only mark their frames as registered.
    """
    row_of = {
        (str(r), str(f)): n for n, (r, f) in enumerate(zip(frames.recording, frames.frame_id, strict=True))
    }
    best: dict[int, tuple[bool, bool, float]] = {}
    for number, chain in enumerate(chains):
        for index in chain.pieces:
            piece = pieces[index]
            placed = index in to_map
            moved = to_map[index].of_poses(piece.camera_to_world) if placed else None
            for k, name in enumerate(piece.frame_id):
                row = row_of.get((piece.recording, str(name)))
                if row is None:
                    continue
                judged = trust.get(index)
                doubtful = (
                    not placed or judged is None or bool(judged.reasons) or bool(judged.doubtful_frames[k])
                )
                sigma = float(judged.sigma_m[k]) if judged is not None else math.nan
                owned = str(frames.segment[row]) == piece.segment.id
                rank = (doubtful, not owned, sigma if math.isfinite(sigma) else math.inf)
                if row in best and best[row] <= rank:
                    continue
                best[row] = rank
                poses.registered[row] = True
                poses.component[row] = number
                poses.doubtful[row] = doubtful
                poses.pinhole[row] = piece.pinhole[k]
                if moved is not None:
                    poses.camera_to_map[row] = moved[k]
                    poses.source[row] = "registered"
                    poses.place_sigma_m[row] = sigma


def predict_from_nav(poses: FramePoses, frames: Frames, survey: Survey, placement: Placement | None) -> None:
    """UTC of every frame whose vehicle has nav, and poses of those that have none yet, from nav."""
    for recording in np.unique(frames.recording):
        rows = np.flatnonzero(frames.recording == recording)
        vehicle, camera = str(frames.vehicle[rows[0]]), str(frames.camera[rows[0]])
        nav = (placement.tracks if placement is not None else survey.tracks).get(vehicle)
        stated = survey.recordings[str(recording)]
        if nav is None:
            if stated.start_utc_s is not None:
                poses.utc_s[rows] = stated.start_utc_s + frames.recording_time_s[rows]
            continue
        offset, drift, clock_sigma = _clock_of(str(recording), camera, survey, placement)
        base = base_time(stated, nav) + frames.recording_time_s[rows]
        middle = base_time(stated, nav) + stated.duration_s / 2.0
        time_s = base + offset + drift * (base - middle)
        poses.utc_s[rows] = time_s
        todo = nav.covers(time_s) & (poses.source[rows] == "none")
        if not todo.any():
            continue
        mount, lever, tilt_rad = _mount_of(camera, placement)
        at, when = rows[todo], time_s[todo]
        body = nav.attitude(when)
        poses.camera_to_map[at] = np.eye(4)
        poses.camera_to_map[at, :3, :3] = body @ mount
        poses.camera_to_map[at, :3, 3] = nav.position(when, steady=True) + body @ lever
        speed = np.linalg.norm(nav.velocity(when)[:, :2], axis=1)
        height = nav.median_altitude_m(when) or 2.0
        nav_sigma = placement.nav_sigma_m if placement is not None else survey.params.nav_sigma_m
        poses.place_sigma_m[at] = np.sqrt(
            nav_sigma**2 + (tilt_rad * height) ** 2 + (speed * clock_sigma) ** 2
        )
        poses.source[at] = "nav"


def bridge(poses: FramePoses, frames: Frames) -> None:
    """Poses of frames without any, between registered neighbours of one component at most a few seconds apart."""
    for recording in np.unique(frames.recording):
        rows = np.flatnonzero(frames.recording == recording)
        known = rows[poses.source[rows] == "registered"]
        for before, after in itertools.pairwise(known):
            gap_s = frames.recording_time_s[after] - frames.recording_time_s[before]
            if (
                after - before < 2
                or gap_s > LONGEST_BRIDGE_S
                or poses.component[before] != poses.component[after]
            ):
                continue
            for row in range(before + 1, after):
                if poses.source[row] != "none":
                    continue
                share = (frames.recording_time_s[row] - frames.recording_time_s[before]) / gap_s
                pair = poses.camera_to_map[[before, after]]
                weight = np.array([1.0 - share, share])
                pose = np.eye(4)
                pose[:3, :3] = mean_rotation(pair[:, :3, :3], weight)
                pose[:3, 3] = weight @ pair[:, :3, 3]
                poses.camera_to_map[row] = pose
                poses.source[row] = "interpolated"
                poses.place_sigma_m[row] = np.nanmax(poses.place_sigma_m[[before, after]]) + 0.1


def _clock_of(
    recording: str, camera: str, survey: Survey, placement: Placement | None
) -> tuple[float, float, float]:
    """Offset (s), drift (s/s) and sigma (s) of a recording's clock; the camera's others stand in for a missing one."""
    if placement is not None and recording in placement.recordings:
        r = placement.recordings.index(recording)
        fit = placement.clocks[recording]
        sigma = fit.sigma_s if fit.ambiguous else 0.05
        return float(placement.state.offset_s[r]), float(placement.state.drift[r]), sigma
    by_gyro = survey.turning.nav.get(recording)
    if by_gyro is not None:
        return by_gyro.offset_s, 0.0, by_gyro.sigma_s
    others = (
        []
        if placement is None
        else [
            float(placement.state.offset_s[r])
            for r, name in enumerate(placement.recordings)
            if survey.recordings[name].camera == camera
            and survey.recordings[name].start_utc_s is not None
            and not placement.clocks[name].ambiguous
        ]
    )
    if others and survey.recordings[recording].start_utc_s is not None:
        return float(np.median(others)), 0.0, max(1.0, float(np.ptp(others)))
    return 0.0, 0.0, STATED_CLOCK_SIGMA_S


def _mount_of(camera: str, placement: Placement | None) -> tuple[F64, F64, float]:
    """``R_body_camera`` (3,3), lever arm (3,) m, and sigma (rad) of a camera's mount."""
    if placement is not None and camera in placement.cameras:
        c = placement.cameras.index(camera)
        return exp_so3(placement.state.mount_rad[c])[0] @ NADIR, placement.state.lever_m[c], math.radians(1.5)
    return NADIR, np.zeros(3), math.radians(5.0)
