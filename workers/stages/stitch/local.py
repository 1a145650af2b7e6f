"""Without nav: levelled chains side by side in a local frame, in metres where an altitude is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workers.contract.dive import Rig
from workers.contract.params import StitchParams
from workers.contract.products import Scale
from workers.contract.words import ScaleSource
from workers.geometry.attitude import turn_to_down
from workers.geometry.sim3 import Sim3
from workers.stages.stitch.chains import Chain, track_of
from workers.stages.stitch.load import Piece
from workers.stages.stitch.logs import Altimeter

SPACING = 3.0
"""Gap between chains laid side by side, in heights above the ground."""


@dataclass(frozen=True)
class Altitude:
    """A height above the ground that gives the scale: metres, relative sigma, where it comes from."""

    metres: float
    relative_sigma: float
    source: ScaleSource
    detail: str


def find_altitude(altimeters: Sequence[Altimeter], rig: Rig | None, params: StitchParams) -> Altitude | None:
    """The best altitude there is: an altimeter's, else a typed-in one, else None.

    Args:
        altimeters: of logs that have heights.
        rig: may hold a typed-in altitude.
        params: may hold a typed-in altitude, which goes before the rig's.
    """
    if altimeters:
        best = altimeters[0]
        detail = (
            f"median altitude {best.median_m:.2f} m of {best.vehicle}'s altimeter; times could not be matched"
        )
        return Altitude(best.median_m, max(0.1, best.spread), ScaleSource.ALTITUDE, detail)
    typed = (
        params.typed_altitude_m
        if params.typed_altitude_m is not None
        else (rig.altitude_m if rig is not None else None)
    )
    if typed is not None:
        return Altitude(typed, 0.2, ScaleSource.TYPED, f"typed-in altitude {typed:.2f} m")
    return None


def lay_out(pieces: Sequence[Piece], chains: Sequence[Chain], altitude: Altitude | None) -> dict[int, Sim3]:
    """Piece frames to a local frame: each chain levelled, running east, ground at z = 0, one north of the other.

    Without an altitude the unit is the camera's height above the ground.
    """
    height = altitude.metres if altitude is not None else 1.0
    to_map: dict[int, Sim3] = {}
    north = 0.0
    for chain in chains:
        track = track_of(chain, pieces)
        if not track.depth > 0:
            continue
        axis = track.poses[:, :3, 2].mean(0)
        level = turn_to_down(axis / np.linalg.norm(axis))
        centres = (track.centres - track.centres.mean(0)) @ level.T
        _, _, vt = np.linalg.svd(centres[:, :2], full_matrices=False)
        along = vt[0] if len(centres) > 1 else np.array([1.0, 0.0])
        turn = np.array([[along[0], along[1], 0.0], [-along[1], along[0], 0.0], [0.0, 0.0, 1.0]])
        scale = height / track.depth
        rotation = turn @ level
        flat = scale * (track.centres @ rotation.T)
        shift = np.array([-flat[:, 0].min(), north - flat[:, 1].min(), height - flat[:, 2].mean()])
        chain_to_map = Sim3(scale, rotation, shift)
        north += float(np.ptp(flat[:, 1])) + SPACING * height
        for index in chain.pieces:
            to_map[index] = chain_to_map.compose(chain.to_chain[index])
    return to_map


def scale_of(altitude: Altitude | None, why_no_nav: str) -> Scale:
    """What the verdict says of the scale when nav does not give it."""
    if altitude is None:
        return Scale(
            source=ScaleSource.NONE, relative_uncertainty=None, detail=f"{why_no_nav}; no altitude either"
        )
    return Scale(
        source=altitude.source,
        relative_uncertainty=altitude.relative_sigma,
        detail=f"{altitude.detail}; {why_no_nav}",
    )
