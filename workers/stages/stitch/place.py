"""Placing pieces by nav: clocks, first guess, the optimisation, and how far the result can be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse.linalg import SuperLU

from workers.contract.dive import Recording, Rig
from workers.contract.params import StitchParams
from workers.contract.products import ClockOffset
from workers.geometry import F64
from workers.geometry.attitude import NADIR, log_so3, mean_rotation, skew
from workers.geometry.sim3 import Sim3, umeyama
from workers.stages.stitch import graph as gn
from workers.stages.stitch.chains import Chain, ChainTrack, track_of
from workers.stages.stitch.clock import ClockFit, search_clock
from workers.stages.stitch.load import Piece
from workers.stages.stitch.navigation import Track
from workers.stages.stitch.seams import SeamFit

SMALLEST_NAV_SIGMA_M = 0.01
SEAM_SIGMA = 0.004
"""Spread of a seam's correspondences, as a share of the depth."""
MOST_SEAM_POINTS = 80
FLAT_TRACK = 0.12
"""Second over first singular value of the camera centres below which a track counts as one straight line."""
ROTATED_RAD = math.radians(25.0)
SIGN_RATIO = 0.8


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


def place_pieces(survey: Survey) -> Placement | None:
    """Place every chain whose vehicle has nav; None when there is none to place."""
    chain_tracks = [track_of(chain, survey.pieces) for chain in survey.chains]
    clocks = _search_clocks(survey, chain_tracks)
    placed = [
        n for n, chain in enumerate(survey.chains) if survey.pieces[chain.pieces[0]].recording in clocks
    ]
    if not placed:
        return None
    first = _first_guess(survey, chain_tracks, placed, clocks)
    placement = _optimise(survey, first, clocks)
    tracks, warnings = _choose_signs(placement)
    if warnings:
        first = replace(first, tracks=tracks)
        placement = replace(_optimise(survey, first, clocks), warnings=placement.warnings + warnings)
    return placement


@dataclass(frozen=True)
class _Guess:
    pieces: tuple[int, ...]
    nodes: tuple[Sim3, ...]
    recordings: tuple[str, ...]
    cameras: tuple[str, ...]
    mount_rad: F64
    tracks: Mapping[str, Track]
    warnings: tuple[str, ...]


def _search_clocks(survey: Survey, chain_tracks: Sequence[ChainTrack]) -> dict[str, ClockFit]:
    clocks: dict[str, ClockFit] = {}
    by_recording: dict[str, list[int]] = {}
    for n, chain in enumerate(survey.chains):
        by_recording.setdefault(survey.pieces[chain.pieces[0]].recording, []).append(n)
    for name, members in by_recording.items():
        vehicle = survey.pieces[survey.chains[members[0]].pieces[0]].vehicle
        if vehicle not in survey.tracks:
            continue
        nav, stated = survey.tracks[vehicle], survey.recordings[name].start_utc_s
        fit = search_clock([chain_tracks[n] for n in members], stated, nav, survey.params.clock_search_s)
        if fit is not None:
            clocks[name] = fit
    return clocks


def base_time(recording: Recording, nav: Track) -> float:
    """POSIX time that stands for recording time 0 before any offset: the camera's clock, else nav's start."""
    return float(nav.time_s[0]) if recording.start_utc_s is None else recording.start_utc_s


def _first_guess(
    survey: Survey, chain_tracks: Sequence[ChainTrack], placed: Sequence[int], clocks: Mapping[str, ClockFit]
) -> _Guess:
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
    return _Guess(
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


def _priors(survey: Survey, guess: _Guess) -> gn.Priors:
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
    )


def _optimise(survey: Survey, guess: _Guess, clocks: Mapping[str, ClockFit]) -> Placement:
    """Solve, learn the nav noise and its correlation from the residuals, and solve again with them."""
    graph, state = _build_graph(survey, guess, clocks)
    state, factor = gn.solve(graph, state, rounds=25)
    sigma, inflate = _noise(graph, state)
    graph = replace(graph, priors=replace(graph.priors, nav_sigma_m=sigma), inflate=inflate)
    state, factor = gn.solve(graph, state)
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


def _build_graph(survey: Survey, guess: _Guess, clocks: Mapping[str, ClockFit]) -> tuple[gn.Graph, gn.State]:
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
        priors=_priors(survey, guess),
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


def _noise(graph: gn.Graph, state: gn.State) -> tuple[float, F64]:
    """Nav's standard deviation (m) from the residuals, and each tie's variance inflation by their correlation."""
    everything, inflate = [], np.ones(len(graph.nav))
    for n, tie in enumerate(graph.nav):
        place, _, covered = gn.nav_residuals(graph, tie, state)
        flat = place[covered][:, :2]
        if len(flat) < 4:
            continue
        everything.append(flat)
        centred = flat - flat.mean(0)
        power = float((centred**2).sum())
        rho = float((centred[1:] * centred[:-1]).sum() / power) if power > 0 else 0.0
        rho = float(np.clip(rho, 0.0, 0.98))
        inflate[n] = min((1.0 + rho) / (1.0 - rho), len(flat) / 2.0)
    if not everything:
        return graph.priors.nav_sigma_m, inflate
    spread = 1.4826 * float(np.median(np.abs(np.concatenate(everything))))
    return max(spread, SMALLEST_NAV_SIGMA_M), inflate


def _choose_signs(placement: Placement) -> tuple[dict[str, Track], tuple[str, ...]]:
    """Turn a vehicle's logged pitch or roll round where the reconstruction says so: logs differ in their signs."""
    tracks, warnings = dict(placement.tracks), list[str]()
    for vehicle, track in placement.tracks.items():
        if not track.has_attitude:
            continue
        ties = [t for t in placement.graph.nav if t.track is track]
        if not ties:
            continue
        here = _tilt_spread(placement, ties, track)
        for name in ("pitch", "roll"):
            other = replace(tracks[vehicle], **{name: -getattr(tracks[vehicle], name)})
            axis = 1 if name == "pitch" else 0
            if _tilt_spread(placement, ties, other)[axis] < SIGN_RATIO * here[axis]:
                tracks[vehicle] = other
                warnings.append(
                    f"{vehicle}: the nav log's {name} was taken with the opposite sign, which fits the pictures"
                )
    return tracks, tuple(warnings)


def _tilt_spread(placement: Placement, ties: Sequence[gn.NavTie], track: Track) -> F64:
    """Median absolute deviation (3,) of the attitude residuals about body x, y, z, per piece about its own median."""
    spread = []
    for tie in ties:
        _, turn, covered = gn.nav_residuals(placement.graph, replace(tie, track=track), placement.state)
        turn = turn[covered]
        if len(turn) >= 8:
            spread.append(np.abs(turn - np.median(turn, axis=0)))
    return np.median(np.concatenate(spread), axis=0) if spread else np.ones(3)


def tie_loops(placement: Placement, ties: Sequence[gn.PointTie]) -> Placement:
    """The placement optimised once more with loop ties between pieces over the same ground."""
    if not ties:
        return placement
    graph = replace(placement.graph, points=placement.graph.points + tuple(ties))
    state, factor = gn.solve(graph, placement.state)
    return replace(placement, graph=graph, state=state, factor=factor)


def clock_offsets(
    survey: Survey, placement: Placement | None, names: Sequence[str]
) -> tuple[ClockOffset, ...]:
    """What the verdict says of each recording's clock; ``names``: all recordings."""
    offsets = []
    for name in names:
        camera = survey.recordings[name].camera
        fit = None if placement is None else placement.clocks.get(name)
        if placement is None or fit is None:
            detail = "no nav, or nothing of this recording could be placed on it"
            offsets.append(
                ClockOffset(
                    recording=name,
                    camera=camera,
                    offset_s=None,
                    drift_ppm=None,
                    sigma_s=None,
                    ambiguous=True,
                    detail=detail,
                )
            )
            continue
        r = placement.recordings.index(name)
        sigma = gn.clock_sigma(placement.graph, placement.factor, r)
        offsets.append(
            ClockOffset(
                recording=name,
                camera=camera,
                offset_s=float(placement.state.offset_s[r]),
                drift_ppm=float(placement.state.drift[r] * 1e6),
                sigma_s=max(sigma, fit.sigma_s) if fit.ambiguous else sigma,
                ambiguous=fit.ambiguous,
                detail=fit.detail,
            )
        )
    return tuple(offsets)


def frame_sigmas(placement: Placement, piece: int, centres_map: F64) -> tuple[F64, F64]:
    """Horizontal place covariances (N,2,2) of a piece's cameras at ``centres_map`` (N,3), and their sigmas (N,).

    The sigma is that of the worst direction: the square root of the larger eigenvalue.
    """
    node = placement.nodes[piece]
    cov = gn.covariance(placement.graph, placement.factor, node)
    arm = centres_map - gn.node_centres(placement.graph, placement.state)[node]

    j = np.concatenate([-skew(arm), np.tile(np.eye(3), (len(arm), 1, 1)), arm[:, :, None]], axis=2)[:, :2]
    flat: F64 = j @ cov @ np.transpose(j, (0, 2, 1))
    largest = np.linalg.eigvalsh(flat)[:, 1]
    return flat, np.sqrt(np.maximum(largest, 0.0))
