"""Placing pieces by nav: clocks, first guess, the optimisation, and how far the result can be trusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse.linalg import SuperLU

from workers.geometry.sim3 import Sim3
from workers.stages.stitch import graph as gn
from workers.stages.stitch.chains import Chain, ChainTrack, track_of
from workers.stages.stitch.clock import SIBLING_S, ClockFit, base_time, search_clock
from workers.stages.stitch.guess import Guess, Survey, first_guess, priors_of
from workers.stages.stitch.navigation import Track
from workers.stages.stitch.noise import choose_signs, noise_of
from workers.stages.stitch.solve import solve
from workers.stages.stitch.turning import settle_clocks

SEAM_SIGMA = 0.004
"""Spread of a seam's correspondences, as a share of the depth."""
MOST_SEAM_POINTS = 80


@dataclass(frozen=True)
class Placement:
    """The optimised graph: ``nodes`` maps placed pieces (indices) to node numbers."""

    graph: gn.Graph
    state: gn.State
    factor: SuperLU
    nodes: dict[int, int]
    clocks: dict[str, ClockFit]
    recordings: tuple[str, ...]
    cameras: tuple[str, ...]
    tracks: Mapping[str, Track]
    nav_sigma_m: float
    warnings: tuple[str, ...]

    def sim3(self, piece: int) -> Sim3:
        """Piece frame to map frame."""
        return self.state.nodes[self.nodes[piece]]


def place_pieces(survey: Survey) -> Placement | None:
    """Place every chain whose vehicle has nav; None when there is none to place."""
    chain_tracks = [track_of(chain, survey.pieces) for chain in survey.chains]
    clocks = _search_clocks(survey, chain_tracks)
    placed = [
        n for n, chain in enumerate(survey.chains) if survey.pieces[chain.pieces[0]].recording in clocks
    ]
    if not placed:
        return None
    first = first_guess(survey, chain_tracks, placed, clocks)
    placement = _optimise(survey, first, clocks)
    tracks, warnings = choose_signs(placement.graph, placement.state, placement.tracks)
    if warnings:
        first = replace(first, tracks=tracks)
        placement = replace(_optimise(survey, first, clocks), warnings=placement.warnings + warnings)
    return placement


def _search_clocks(survey: Survey, chain_tracks: Sequence[ChainTrack]) -> dict[str, ClockFit]:
    clocks: dict[str, ClockFit] = {}
    by_recording: dict[str, list[int]] = {}
    for n, chain in enumerate(survey.chains):
        by_recording.setdefault(survey.pieces[chain.pieces[0]].recording, []).append(n)
    for name, members in by_recording.items():
        if survey.pieces[survey.chains[members[0]].pieces[0]].vehicle in survey.tracks:
            fit = _search_clock(survey, name, members, chain_tracks)
            if fit is not None:
                clocks[name] = fit
    for name in [name for name, fit in clocks.items() if fit.ambiguous]:
        near = _sibling_offset(survey, name, clocks)
        if near is not None:
            fit = _search_clock(survey, name, by_recording[name], chain_tracks, near)
            if fit is not None and not fit.ambiguous:
                said = f"{fit.detail}; near that of the camera's other recordings"
                clocks[name] = replace(fit, detail=said)
    return settle_clocks(clocks, survey.turning)


def _search_clock(
    survey: Survey,
    name: str,
    chains: Sequence[int],
    chain_tracks: Sequence[ChainTrack],
    near_s: float | None = None,
) -> ClockFit | None:
    """By the shape of whole chains; where these have drifted too far to tell, piece by piece.

    Fifty minutes of made seams bend a chain by metres, and every offset then fits equally badly.
    """
    members = [n for c in chains for n in survey.chains[c].pieces]
    nav, stated = survey.tracks[survey.pieces[members[0]].vehicle], survey.recordings[name].start_utc_s
    search_s = survey.params.clock_search_s
    whole = search_clock([chain_tracks[c] for c in chains], stated, nav, search_s, near_s)
    if whole is None or not whole.ambiguous or len(members) == len(chains):
        return whole
    alone = [track_of(Chain((n,), {n: Sim3.identity()}), survey.pieces) for n in members]
    parts = search_clock(alone, stated, nav, search_s, near_s)
    return whole if parts is None or parts.ambiguous else parts


def _sibling_offset(survey: Survey, name: str, clocks: Mapping[str, ClockFit]) -> float | None:
    """Offset of the same camera's other recordings, where these agree and are sure."""
    own = survey.recordings[name]
    if own.start_utc_s is None:
        return None
    found = [
        fit.offset_s
        for other, fit in clocks.items()
        if not fit.ambiguous
        and survey.recordings[other].camera == own.camera
        and survey.recordings[other].start_utc_s is not None
    ]
    return float(np.median(found)) if found and np.ptp(found) < SIBLING_S else None


def _optimise(survey: Survey, guess: Guess, clocks: Mapping[str, ClockFit]) -> Placement:
    """Solve, learn the nav noise and its correlation from the residuals, and solve again with them."""
    graph, state = _build_graph(survey, guess, clocks)
    state, factor = solve(graph, state, rounds=25)
    sigma, inflate = noise_of(graph, state)
    graph = replace(graph, priors=replace(graph.priors, nav_sigma_m=sigma), inflate=inflate)
    state, factor = solve(graph, state)
    return Placement(
        graph=graph,
        state=state,
        factor=factor,
        nodes={piece: node for node, piece in enumerate(guess.pieces)},
        clocks=dict(clocks),
        recordings=guess.recordings,
        cameras=guess.cameras,
        tracks=guess.tracks,
        nav_sigma_m=sigma,
        warnings=guess.warnings,
    )


def _build_graph(survey: Survey, guess: Guess, clocks: Mapping[str, ClockFit]) -> tuple[gn.Graph, gn.State]:
    node_of = {piece: node for node, piece in enumerate(guess.pieces)}
    ties, heights = [], []
    middle = np.zeros(len(guess.recordings))
    for index in guess.pieces:
        piece = survey.pieces[index]
        nav = guess.tracks[piece.vehicle]
        recording = survey.recordings[piece.recording]
        base = base_time(recording, nav)
        r = guess.recordings.index(piece.recording)
        middle[r] = base + recording.duration_s / 2.0
        tie = gn.NavTie(
            node_of[index],
            r,
            guess.cameras.index(piece.camera),
            nav,
            base + piece.time_s,
            piece.camera_to_world,
        )
        ties.append(tie)
        altitude = nav.median_altitude_m(tie.base_s + clocks[piece.recording].offset_s)
        if altitude is not None and piece.depth > 0:
            heights.append(gn.HeightTie(node_of[index], piece.depth, altitude))
    points = tuple(_seam_ties(survey, node_of, guess.nodes))
    graph = gn.Graph(
        nav=tuple(ties),
        points=points,
        heights=tuple(heights),
        priors=priors_of(survey, guess, clocks),
        middle_s=middle,
        nodes=len(guess.pieces),
        inflate=np.ones(len(ties)),
    )
    state = gn.State(
        nodes=guess.nodes,
        offset_s=np.array([clocks[name].offset_s for name in guess.recordings]),
        drift=np.zeros(len(guess.recordings)),
        lever_m=graph.priors.lever_m.copy(),
        mount_rad=guess.mount_rad.copy(),
    )
    return graph, state


def _seam_ties(survey: Survey, node_of: Mapping[int, int], nodes: Sequence[Sim3]) -> list[gn.PointTie]:
    ties = []
    for fit in survey.seams:
        if fit.b_to_a is None or fit.a not in node_of or fit.b not in node_of:
            continue
        pick = np.unique(np.linspace(0, len(fit.points_a) - 1, MOST_SEAM_POINTS).astype(int))
        a, b = node_of[fit.a], node_of[fit.b]
        sigma = max(SEAM_SIGMA * survey.pieces[fit.a].depth * nodes[a].scale, 1e-3)
        ties.append(gn.PointTie(a, b, fit.points_a[pick], fit.points_b[pick], sigma))
    return ties


def tie_loops(placement: Placement, ties: Sequence[gn.PointTie]) -> Placement:
    """The placement optimised once more with loop ties between pieces over the same ground."""
    if not ties:
        return placement
    graph = replace(placement.graph, points=placement.graph.points + tuple(ties))
    state, factor = solve(graph, placement.state)
    return replace(placement, graph=graph, state=state, factor=factor)
