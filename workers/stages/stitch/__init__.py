"""06 stitch: seams, place and scale; every frame and one cloud in the map frame.

The way through: pieces (components of segments) -> seams -> chains -> clocks -> first guess -> one optimisation with
nav, attitude and seams -> loops between clouds -> the optimisation with them -> trust -> frames, surface, cloud.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from workers.contract.events import Report
from workers.contract.job import StitchInputs
from workers.contract.params import StitchParams
from workers.contract.products import Scale
from workers.contract.survey import Loop, MapFrame, StitchSummary
from workers.contract.words import ScaleSource
from workers.geometry.place import Place
from workers.geometry.sim3 import Sim3
from workers.media.nav import NavTrack, read_nav
from workers.stages.stitch import assemble, clouds, local, outputs
from workers.stages.stitch.chains import make_chains
from workers.stages.stitch.guess import Survey
from workers.stages.stitch.load import load_frames, load_pieces
from workers.stages.stitch.navigation import Track, make_track
from workers.stages.stitch.offsets import clock_offsets
from workers.stages.stitch.place import Placement, place_pieces, tie_loops
from workers.stages.stitch.seams import fit_seams
from workers.stages.stitch.trust import PieceTrust, describe, judge_pieces, loop_doubts

STEPS = 6


def run(inputs: StitchInputs, params: StitchParams, out: Path, report: Report) -> None:
    """Stitch the mission: see :mod:`workers.contract.survey` for what is written to ``out``."""
    logs, why_no_nav = _read_logs(inputs)
    place, tracks = _make_tracks(logs)
    frames, pieces = load_frames(inputs), load_pieces(inputs)
    report(1, of=STEPS)
    seams = fit_seams(pieces, params)
    chains = make_chains(pieces, seams)
    report(2, of=STEPS)
    recordings = {recording.id: recording for recording in inputs.inventory.recordings}
    survey = Survey(pieces, chains, seams, recordings, tracks, inputs.inventory.rig, params)
    placement = place_pieces(survey) if tracks else None
    report(3, of=STEPS)
    loops: tuple[Loop, ...] = ()
    trust: dict[int, PieceTrust] = {}
    if placement is not None:
        placement, loops = _close_loops(survey, placement)
        trust = judge_pieces(pieces, placement, params)
        doubts = loop_doubts(loops, {node: piece for piece, node in placement.nodes.items()})
        trust = {n: _with_reason(entry, doubts.get(n)) for n, entry in trust.items()}
        to_map: Mapping[int, Sim3] = {n: placement.sim3(n) for n in placement.nodes}
        scale = _nav_scale(placement, trust)
    else:
        altitude = local.find_altitude(_altimeters(logs), inputs.inventory.rig, params)
        to_map = local.lay_out(pieces, chains, altitude)
        scale = local.scale_of(altitude, why_no_nav)
    report(4, of=STEPS)
    poses = assemble.empty_poses(frames)
    assemble.put_registered(poses, frames, pieces, chains, to_map, trust)
    assemble.predict_from_nav(poses, frames, survey, placement)
    assemble.bridge(poses, frames)
    report(5, of=STEPS)
    summary = StitchSummary(
        frame=place.frame if place is not None else MapFrame(epsg=None),
        placed=bool(tracks),
        scale=scale,
        clock_offsets=clock_offsets(survey, placement, list(recordings)),
        components=tuple(describe(n, chain, pieces, placement, trust) for n, chain in enumerate(chains)),
        seams=tuple(fit.seam for fit in seams),
        loops=loops,
        warnings=placement.warnings if placement is not None else (),
        nav_sigma_m=placement.nav_sigma_m if placement is not None else None,
    )
    outputs.write(out, outputs.Stitched(summary, frames, poses, pieces, chains, to_map, tracks), params)
    report(STEPS, of=STEPS)


def _read_logs(inputs: StitchInputs) -> tuple[dict[str, NavTrack], str]:
    """Every nav log that was read, good ones only as tracks; and why there is no good one."""
    logs, why = {}, [] if inputs.inventory.nav else ["no nav log was given"]
    for log in inputs.inventory.nav:
        track = read_nav(log.path, log.vehicle)
        if log.refused is not None:
            why.append(f"the nav log of {log.vehicle} was refused: {log.refused}")
            track_name = f"!{log.vehicle}"
        else:
            track_name = log.vehicle
        logs[track_name] = track
    return logs, "; ".join(why) or "no camera's vehicle has a nav log that fits its track"


def _make_tracks(logs: Mapping[str, NavTrack]) -> tuple[Place | None, dict[str, Track]]:
    """Tracks in the map frame. Logs with lon/lat make the place; logs in local metres only without those."""
    good = {name: log for name, log in logs.items() if not name.startswith("!") and log.has_position}
    earth = {name: log for name, log in good.items() if log.lon_deg is not None}
    if earth:
        lon = np.concatenate([log.lon_deg for log in earth.values() if log.lon_deg is not None])
        lat = np.concatenate([log.lat_deg for log in earth.values() if log.lat_deg is not None])
        place = Place.at(float(np.median(lon)), float(np.median(lat)))
        return place, {name: make_track(name, log, place) for name, log in earth.items()}
    return None, {name: make_track(name, log, None) for name, log in good.items()}


def _close_loops(survey: Survey, placement: Placement) -> tuple[Placement, tuple[Loop, ...]]:
    if not survey.params.refine_with_clouds:
        return placement, ()
    found = clouds.find_loops(_placed_clouds(survey, placement))
    placement = tie_loops(placement, [fit.tie for fit in found if fit.tie is not None])
    return placement, tuple(fit.loop for fit in found)


def _placed_clouds(survey: Survey, placement: Placement) -> list[clouds.PlacedCloud]:
    placed = []
    for index, node in placement.nodes.items():
        piece = survey.pieces[index]
        moved = placement.sim3(index).apply(piece.cloud_xyz)
        placed.append(clouds.PlacedCloud(node, piece.cloud_xyz, moved, piece.cloud_rgb, piece.recording))
    return placed


def _altimeters(logs: Mapping[str, NavTrack]) -> list[tuple[str, float, float]]:
    found = []
    for name, log in logs.items():
        if log.altitude_m is not None:
            good = log.altitude_m[np.isfinite(log.altitude_m) & (log.altitude_m > 0.0)]
            if len(good) >= 3:
                median = float(np.median(good))
                found.append(
                    (
                        name.removeprefix("!"),
                        median,
                        float(np.median(np.abs(good - median)) * 1.4826 / median),
                    )
                )
    return found


def _nav_scale(placement: Placement, trust: Mapping[int, PieceTrust]) -> Scale:
    sure = [entry for entry in trust.values() if not entry.reasons]
    if not sure:
        detail = "nav is there, but no reconstructed stretch fits it beyond doubt"
        return Scale(source=ScaleSource.NAV, relative_uncertainty=None, detail=detail)
    uncertainty = float(np.median([entry.scale_sigma for entry in sure]))
    off = math.sqrt(float(np.mean([entry.residual_m**2 for entry in sure])))
    detail = f"tracks fitted to nav, {off:.2f} m RMS apart; nav noise {placement.nav_sigma_m:.3f} m"
    return Scale(source=ScaleSource.NAV, relative_uncertainty=uncertainty, detail=detail)


def _with_reason(entry: PieceTrust, reason: str | None) -> PieceTrust:
    if reason is None:
        return entry
    return PieceTrust(
        entry.covariance,
        entry.sigma_m,
        entry.residual_m,
        entry.scale_sigma,
        entry.doubtful_frames,
        (*entry.reasons, reason),
    )
