"""06 stitch: seams, place and scale; every frame and one cloud in the map frame.

The way through: pieces (components of segments) -> seams -> chains -> clocks -> first guess -> one optimisation with
nav, attitude and seams -> loops between clouds -> the optimisation with them -> trust -> frames, surface, cloud.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
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
    laid = _lay_on_nav(survey, report) if tracks else _lay_out(survey, logs, why_no_nav)
    report(4, of=STEPS)
    poses = assemble.empty_poses(frames)
    assemble.put_registered(poses, frames, pieces, chains, laid.to_map, laid.trust)
    assemble.predict_from_nav(poses, frames, survey, laid.placement)
    assemble.bridge(poses, frames)
    report(5, of=STEPS)
    summary = _summary(survey, laid, place)
    stitched = outputs.Stitched(summary, frames, poses, pieces, chains, laid.to_map, _sure(laid), tracks)
    outputs.write(out, stitched, params)
    report(STEPS, of=STEPS)


@dataclass(frozen=True)
class _Laid:
    """Pieces laid on the map: by nav (``placement``), or side by side."""

    placement: Placement | None
    to_map: Mapping[int, Sim3]
    trust: Mapping[int, PieceTrust]
    loops: tuple[Loop, ...]
    scale: Scale


def _lay_on_nav(survey: Survey, report: Report) -> _Laid:
    """Where nav is good; pieces that fit no log in time stay without a place."""
    placement = place_pieces(survey)
    report(3, of=STEPS)
    if placement is None:
        return _Laid(None, {}, {}, (), _nav_scale(None, {}))
    placement, fits = _close_loops(survey, placement)
    trust = judge_pieces(survey.pieces, placement, survey.params)
    doubts = loop_doubts(fits, {node: piece for piece, node in placement.nodes.items()})
    trust = {n: _with_reason(entry, doubts.get(n)) for n, entry in trust.items()}
    to_map = {n: placement.sim3(n) for n in placement.nodes}
    return _Laid(placement, to_map, trust, tuple(fit.loop for fit in fits), _nav_scale(placement, trust))


def _lay_out(survey: Survey, logs: Mapping[str, NavTrack], why_no_nav: str) -> _Laid:
    """Without nav: side by side, in metres where an altitude is known."""
    altitude = local.find_altitude(_altimeters(logs), survey.rig, survey.params)
    to_map = local.lay_out(survey.pieces, survey.chains, altitude)
    return _Laid(None, to_map, {}, (), local.scale_of(altitude, why_no_nav))


def _sure(laid: _Laid) -> tuple[int, ...]:
    """Pieces whose clouds make the seabed: those beyond doubt, all of them where there is none."""
    sure = tuple(n for n in laid.to_map if n in laid.trust and not laid.trust[n].reasons)
    return sure or tuple(laid.to_map)


def _summary(survey: Survey, laid: _Laid, place: Place | None) -> StitchSummary:
    placement = laid.placement
    return StitchSummary(
        frame=place.frame if place is not None else MapFrame(epsg=None),
        placed=bool(survey.tracks),
        scale=laid.scale,
        clock_offsets=clock_offsets(survey, placement, list(survey.recordings)),
        components=tuple(
            describe(n, chain, survey.pieces, placement, laid.trust) for n, chain in enumerate(survey.chains)
        ),
        seams=tuple(fit.seam for fit in survey.seams),
        loops=laid.loops,
        warnings=placement.warnings if placement is not None else (),
        nav_sigma_m=placement.nav_sigma_m if placement is not None else None,
    )


def _read_logs(inputs: StitchInputs) -> tuple[dict[str, NavTrack], str]:
    """Every nav log that was read, good ones only as tracks; and why there is no good one."""
    logs, why = {}, [] if inputs.inventory.nav else ["no nav log was given"]
    for log in inputs.inventory.nav:
        track = read_nav(log.path, log.vehicle)
        if log.refused is not None:
            why.append(f"the nav log of {log.vehicle} was refused: {log.refused.rstrip('.')}")
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
        place = _place_of(next(iter(earth.values())))
        return place, {name: make_track(name, log, place) for name, log in earth.items()}
    return None, {name: make_track(name, log, None) for name, log in good.items()}


def _place_of(log: NavTrack) -> Place:
    """The place of a log: of one of its fixes, as the mean of fixes either side of 180 degrees is far away."""
    assert log.lon_deg is not None
    assert log.lat_deg is not None
    middle = int(np.argsort(log.lat_deg)[len(log.lat_deg) // 2])
    return Place.at(float(log.lon_deg[middle]), float(log.lat_deg[middle]))


def _close_loops(survey: Survey, placement: Placement) -> tuple[Placement, tuple[clouds.LoopFit, ...]]:
    if not survey.params.refine_with_clouds:
        return placement, ()
    found = clouds.find_loops(_placed_clouds(survey, placement))
    placement = tie_loops(placement, [fit.tie for fit in found if fit.tie is not None])
    return placement, tuple(found)


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


def _nav_scale(placement: Placement | None, trust: Mapping[int, PieceTrust]) -> Scale:
    sure = [entry for entry in trust.values() if not entry.reasons]
    if placement is None or not sure:
        detail = "nav is there, but no reconstructed stretch fits it beyond doubt"
        return Scale(source=ScaleSource.NAV, relative_uncertainty=None, detail=detail)
    uncertainty = float(np.median([entry.scale_sigma for entry in sure]))
    off = math.sqrt(float(np.mean([entry.residual_m**2 for entry in sure])))
    detail = f"tracks fitted to nav, {off:.2f} m RMS apart; nav noise {placement.nav_sigma_m:.3f} m"
    return Scale(source=ScaleSource.NAV, relative_uncertainty=uncertainty, detail=detail)


def _with_reason(entry: PieceTrust, reason: str | None) -> PieceTrust:
    if reason is None:
        return entry
    return replace(entry, reasons=(*entry.reasons, reason))
