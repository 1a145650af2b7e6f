"""What gyros say of the clocks: each camera against nav, and the cameras of one vehicle against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from workers.contract.artefacts import IMU
from workers.contract.dive import Recording
from workers.contract.survey import CameraSync
from workers.stages.stitch.clock import ClockFit, base_time
from workers.stages.stitch.gyro import Sync, TurnRate, clock_from_nav, gyro_rate, synchronise
from workers.stages.stitch.navigation import Track

DISAGREES_S = 1.5
"""A track fit and a turn-rate fit of one clock further apart than this do not speak of the same moment."""
SYNC_SIGMA_S = 0.1


@dataclass(frozen=True)
class Turning:
    """``nav``: sure clock offsets to nav by recording; ``syncs``: sure ties (a, b) of two cameras' stated clocks."""

    nav: Mapping[str, ClockFit] = field(default_factory=dict)
    syncs: Mapping[tuple[str, str], Sync] = field(default_factory=dict)

    def summary(self) -> tuple[CameraSync, ...]:
        """For ``stitch.json``."""
        return tuple(
            CameraSync(
                a=a,
                b=b,
                offset_s=sync.offset_s,
                drift_ppm=sync.drift * 1e6,
                peak_ratio=sync.peak_ratio,
                detail=sync.detail,
            )
            for (a, b), sync in self.syncs.items()
        )


def read_turning(
    recordings: Mapping[str, Recording],
    telemetry: Mapping[str, Path],
    vehicle_of: Mapping[str, str],
    tracks: Mapping[str, Track],
) -> Turning:
    """Correlate every recording that has a gyro with its vehicle's nav and with the vehicle's other cameras.

    Args:
        recordings: by id.
        telemetry: output folders of 02 by recording id.
        vehicle_of: vehicle by camera id.
        tracks: good nav by vehicle.
    """
    rates: dict[str, TurnRate] = {}
    for name, folder in telemetry.items():
        path = folder / IMU
        if name in recordings and path.exists():
            with np.load(path) as imu:
                rates[name] = gyro_rate(imu["time_s"], imu["gyro_rad_s"])
    nav = {}
    for name, rate in rates.items():
        track = tracks.get(vehicle_of.get(recordings[name].camera, ""))
        fit = None if track is None else clock_from_nav(rate, base_time(recordings[name], track), track)
        if fit is not None and not fit.ambiguous:
            nav[name] = fit
    return Turning(nav, _syncs(recordings, rates, vehicle_of))


def _syncs(
    recordings: Mapping[str, Recording], rates: Mapping[str, TurnRate], vehicle_of: Mapping[str, str]
) -> dict[tuple[str, str], Sync]:
    syncs = {}
    for a, b in combinations(sorted(rates), 2):
        one, two = recordings[a], recordings[b]
        same_vehicle = vehicle_of.get(one.camera) == vehicle_of.get(two.camera)
        if one.camera == two.camera or not same_vehicle or one.start_utc_s is None or two.start_utc_s is None:
            continue
        found = synchronise(_stated(rates[a], one.start_utc_s), _stated(rates[b], two.start_utc_s))
        if found is not None and not found.ambiguous:
            syncs[a, b] = found
    return syncs


def _stated(rate: TurnRate, start_s: float) -> TurnRate:
    return TurnRate(rate.time_s + start_s, rate.rate)


def settle_clocks(clocks: Mapping[str, ClockFit], turning: Turning) -> dict[str, ClockFit]:
    """Track fits set against gyros: an ambiguous one is replaced, a contradicted one becomes ambiguous.

    A recording that no track fit speaks of is not added here: see :meth:`Turning.nav`.
    """
    settled = {}
    for name, fit in clocks.items():
        sure = turning.nav.get(name) or _by_sibling(name, clocks, turning)
        if sure is None:
            settled[name] = fit
        elif fit.ambiguous:
            settled[name] = sure
        elif abs(sure.offset_s - fit.offset_s) > DISAGREES_S:
            apart = abs(sure.offset_s - fit.offset_s)
            detail = f"track and turn rate disagree by {apart:.1f} s ({fit.detail}; {sure.detail})"
            settled[name] = replace(fit, ambiguous=True, sigma_s=max(fit.sigma_s, apart), detail=detail)
        else:
            settled[name] = fit
    return settled


def _by_sibling(name: str, clocks: Mapping[str, ClockFit], turning: Turning) -> ClockFit | None:
    """The offset that follows from the vehicle's other camera, whose own track fit is sure."""
    for (a, b), sync in turning.syncs.items():
        other, offset = (a, sync.offset_s) if b == name else (b, -sync.offset_s)
        fit = clocks.get(other)
        if name not in (a, b) or fit is None or fit.ambiguous:
            continue
        detail = f"by the gyro of {other}: {sync.detail}"
        return ClockFit(fit.offset_s + offset, max(SYNC_SIGMA_S, fit.sigma_s), sync.peak_ratio, False, detail)
    return None
