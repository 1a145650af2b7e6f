"""The first guess of the optimisation: every chain laid on nav by itself, and how cameras seem to be mounted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from workers.contract.dive import Recording, Rig
from workers.contract.params import StitchParams
from workers.geometry import F64
from workers.geometry.attitude import NADIR, log_so3, mean_rotation
from workers.geometry.sim3 import Sim3, umeyama
from workers.stages.stitch import graph as gn
from workers.stages.stitch.chains import Chain, ChainTrack
from workers.stages.stitch.clock import FLAT_TRACK, ClockFit, base_time
from workers.stages.stitch.load import Piece
from workers.stages.stitch.navigation import Track
from workers.stages.stitch.seams import SeamFit
from workers.stages.stitch.turning import Turning

ROTATED_RAD = math.radians(25.0)


@dataclass(frozen=True)
class Survey:
    """What placing works on."""

    pieces: Sequence[Piece]
    chains: Sequence[Chain]
    seams: Sequence[SeamFit]
    recordings: Mapping[str, Recording]
    tracks: Mapping[str, Track]
    rig: Rig | None
    params: StitchParams
    turning: Turning = field(default_factory=Turning)


@dataclass(frozen=True)
class Guess:
    """Where the optimisation starts: placed pieces (indices), their nodes, turns ``mount_rad`` (C,3) of the cameras."""

    pieces: tuple[int, ...]
    nodes: tuple[Sim3, ...]
    recordings: tuple[str, ...]
    cameras: tuple[str, ...]
    mount_rad: F64
    tracks: Mapping[str, Track]
    warnings: tuple[str, ...]


def first_guess(
    survey: Survey, chain_tracks: Sequence[ChainTrack], placed: Sequence[int], clocks: Mapping[str, ClockFit]
) -> Guess:
    """Lay every chain (``placed``: their numbers) on nav at its clock's offset; names cameras that seem turned."""
    pieces: list[int] = []
    nodes: list[Sim3] = []
    recordings: list[str] = []
    cameras: list[str] = []
    rotated: dict[str, list[F64]] = {}
    for n in placed:
        chain, track = survey.chains[n], chain_tracks[n]
        piece = survey.pieces[chain.pieces[0]]
        nav = survey.tracks[piece.vehicle]
        base = base_time(survey.recordings[piece.recording], nav)
        time_s = base + track.time_s + clocks[piece.recording].offset_s
        to_map, mount = _guess_chain(track, nav, time_s)
        if mount is not None:
            rotated.setdefault(piece.camera, []).append(mount)
        for index in chain.pieces:
            pieces.append(index)
            nodes.append(to_map.compose(chain.to_chain[index]))
        recordings.append(piece.recording)
        cameras.append(piece.camera)
    camera_names = tuple(sorted(set(cameras)))
    mounts = _rig_mounts(survey.rig, camera_names)
    warnings = []
    for c, name in enumerate(camera_names):
        turns = rotated.get(name, [])
        if turns and not _in_rig(survey.rig, name):
            turn = np.median(np.array(turns), axis=0)
            if np.linalg.norm(turn) > ROTATED_RAD:
                mounts[c] = turn
                warnings.append(
                    f"{name} seems to be mounted turned by {math.degrees(float(np.linalg.norm(turn))):.0f} degrees"
                )
    return Guess(
        tuple(pieces),
        tuple(nodes),
        tuple(sorted(set(recordings))),
        camera_names,
        mounts,
        survey.tracks,
        tuple(warnings),
    )


def _guess_chain(track: ChainTrack, nav: Track, time_s: F64) -> tuple[Sim3, F64 | None]:
    """Chain frame to map, and the mount rotation vector (3,) that positions alone imply (None: a straight track)."""
    covered = nav.covers(time_s)
    covered = covered if covered.sum() >= 3 else np.ones(len(time_s), bool)
    centres, there = track.centres[covered], nav.position(time_s[covered], steady=True)
    body, rotations = nav.attitude(time_s[covered]), track.poses[covered, :3, :3]
    spread = np.linalg.svd(centres - centres.mean(0), compute_uv=False)
    if spread[1] > FLAT_TRACK * spread[0]:
        fit = umeyama(centres, there)
        implied = mean_rotation(np.einsum("nji,njk->nik", body, fit.rotation @ rotations))
        return fit, log_so3((implied @ NADIR.T)[None])[0]
    rotation = mean_rotation(np.einsum("nij,jk,nlk->nil", body, NADIR, rotations))
    ours, theirs = (centres - centres.mean(0)) @ rotation.T, there - there.mean(0)
    power = float((ours**2).sum())
    scale = float((ours * theirs).sum() / power) if power > 0 else 0.0
    altitude = nav.median_altitude_m(time_s)
    if scale <= 0.0 or (altitude is not None and abs(math.log(scale * track.depth / altitude)) > 0.5):
        scale = altitude / track.depth if altitude is not None else max(scale, 1e-3)
    return Sim3(scale, rotation, there.mean(0) - scale * rotation @ centres.mean(0)), None


def _in_rig(rig: Rig | None, camera: str) -> bool:
    return rig is not None and any(mount.camera == camera for mount in rig.mounts)


def _rig_mounts(rig: Rig | None, cameras: Sequence[str]) -> F64:
    mounts = np.zeros((len(cameras), 3))
    for mount in rig.mounts if rig is not None else ():
        if mount.camera in cameras:
            turn = np.radians([mount.roll_deg, mount.pitch_deg, mount.yaw_deg])
            mounts[cameras.index(mount.camera)] = turn
    return mounts


def priors_of(survey: Survey, guess: Guess, clocks: Mapping[str, ClockFit]) -> gn.Priors:
    """What is known of levers and mounts before looking: the rig file's, else zero and wide."""
    params = survey.params
    lever, sigma = np.zeros((len(guess.cameras), 3)), np.zeros((len(guess.cameras), 3))
    turn = np.zeros((len(guess.cameras), 3))
    for c, name in enumerate(guess.cameras):
        # Along the track a lever arm and a clock offset look alike; only a tight prior keeps them apart.
        sigma[c] = params.lever_sigma_m * np.array([0.1, 1.0, 0.2])
        turn[c] = math.radians(8.0)
        for mount in survey.rig.mounts if survey.rig is not None else ():
            if mount.camera == name:
                lever[c], sigma[c], turn[c] = mount.lever_m, 0.02, math.radians(2.0)
    return gn.Priors(
        nav_sigma_m=params.nav_sigma_m,
        attitude_sigma_rad=math.radians(params.attitude_sigma_deg),
        lever_m=lever,
        lever_sigma_m=np.maximum(sigma, 1e-3),
        mount_rad=guess.mount_rad,
        mount_sigma_rad=turn,
        offset_s=np.array([clocks[name].offset_s for name in guess.recordings]),
    )
