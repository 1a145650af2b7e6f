"""06 stitch: seams, place and scale; every frame and one cloud in the map frame.

The way through: pieces (components of segments) -> seams -> chains -> clocks -> first guess -> one optimisation with
nav, attitude and seams -> loops between clouds -> the optimisation with them -> trust -> frames, surface, cloud.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
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
from workers.stages.stitch import assemble, clouds, local, outputs
from workers.stages.stitch.chains import make_chains
from workers.stages.stitch.guess import Survey
from workers.stages.stitch.load import load_frames, load_pieces
from workers.stages.stitch.logs import Logs, read_logs
from workers.stages.stitch.offsets import clock_offsets
from workers.stages.stitch.place import Placement, place_pieces, tie_loops
from workers.stages.stitch.seams import fit_seams
from workers.stages.stitch.trust import PieceTrust, describe, judge_pieces, loop_doubts
from workers.stages.stitch.turning import read_turning

STEPS = 6


def run(inputs: StitchInputs, params: StitchParams, out: Path, report: Report) -> None:
    """Stitch the mission: see :mod:`workers.contract.survey` for what is written to ``out``."""
    logs = read_logs(inputs.inventory.nav)
    tracks = logs.tracks
    frames, pieces = load_frames(inputs), load_pieces(inputs)
    report(1, of=STEPS)
    seams = fit_seams(pieces, params)
    chains = make_chains(pieces, seams)
    report(2, of=STEPS)
    recordings = {recording.id: recording for recording in inputs.inventory.recordings}
    vehicle_of = {entry.camera: entry.vehicle for entry in inputs.vehicles}
    turning = read_turning(recordings, inputs.telemetry, vehicle_of, tracks)
    survey = Survey(pieces, chains, seams, recordings, tracks, inputs.inventory.rig, params, turning)
    laid = _lay_on_nav(survey, report) if tracks else _lay_out(survey, logs)
    report(4, of=STEPS)
    poses = assemble.empty_poses(frames)
    assemble.put_registered(poses, frames, pieces, chains, laid.to_map, laid.trust)
    assemble.predict_from_nav(poses, frames, survey, laid.placement)
    assemble.bridge(poses, frames)
    report(5, of=STEPS)
    summary = _summary(survey, laid, logs.place)
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
        detail = f"nav is there, but no recording lies inside it in time: {_spans(survey)}"
        return _Laid(
            None, {}, {}, (), Scale(source=ScaleSource.NAV, relative_uncertainty=None, detail=detail)
        )
    placement, fits = _close_loops(survey, placement)
    trust = judge_pieces(survey.pieces, placement, survey.params)
    doubts = loop_doubts(fits, {node: piece for piece, node in placement.nodes.items()})
    trust = {n: _with_reason(entry, doubts.get(n)) for n, entry in trust.items()}
    to_map = {n: placement.sim3(n) for n in placement.nodes}
    return _Laid(placement, to_map, trust, tuple(fit.loop for fit in fits), _nav_scale(placement, trust))


def _lay_out(survey: Survey, logs: Logs) -> _Laid:
    """Without nav: side by side, in metres where an altitude is known."""
    altitude = local.find_altitude(logs.altimeters, survey.rig, survey.params)
    to_map = local.lay_out(survey.pieces, survey.chains, altitude)
    return _Laid(None, to_map, {}, (), local.scale_of(altitude, logs.why_no_nav))


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
        syncs=survey.turning.summary(),
    )


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


def _spans(survey: Survey) -> str:
    """When nav was logged and when the cameras say that they filmed, for an operator who gave the wrong log."""

    def said(first: float, last: float) -> str:
        days = [datetime.fromtimestamp(moment, UTC) for moment in (first, last)]
        return f"{days[0]:%Y-%m-%d %H:%M} to {days[1]:%Y-%m-%d %H:%M}"

    logged = [
        f"{name}'s nav covers {said(float(track.time_s[0]), float(track.time_s[-1]))} UTC"
        for name, track in survey.tracks.items()
    ]
    filmed = [
        (recording.start_utc_s, recording.start_utc_s + recording.duration_s)
        for recording in survey.recordings.values()
        if recording.start_utc_s is not None
    ]
    if filmed:
        logged.append(f"the cameras say {said(min(a for a, _ in filmed), max(b for _, b in filmed))}")
    return ", ".join(logged)


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
    return replace(entry, reasons=(*entry.reasons, reason))
