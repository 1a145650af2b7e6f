"""The mission's nav logs: good ones as tracks on the map, altimeters, and why there is no good one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from workers.contract.dive import NavLog
from workers.geometry import F64, Bools
from workers.geometry.place import Place
from workers.media.nav import NavTrack, read_nav
from workers.stages.stitch.navigation import LONGEST_BREAK_S, Track, make_track


@dataclass(frozen=True)
class Altimeter:
    """Heights above the seabed: ``time_s`` (N,) POSIX, ``altitude_m`` (N,), positive and finite."""

    vehicle: str
    time_s: F64
    altitude_m: F64

    @property
    def median_m(self) -> float:
        """Median height."""
        return float(np.median(self.altitude_m))

    @property
    def spread(self) -> float:
        """Robust relative spread of the heights."""
        return float(np.median(np.abs(self.altitude_m - self.median_m)) * 1.4826 / self.median_m)


@dataclass(frozen=True)
class Logs:
    """``tracks`` by vehicle in the map frame; ``place`` None where they are local or there are none."""

    tracks: Mapping[str, Track]
    place: Place | None
    altimeters: tuple[Altimeter, ...]
    why_no_nav: str


def read_logs(logs: Sequence[NavLog]) -> Logs:
    """Read every log. A refused one gives neither scale nor place, but its altimeter is still good.

    A vehicle may have several logs, one after the other; where two overlap in time the longer one counts.
    """
    why = [] if logs else ["no nav log was given"]
    good: dict[str, list[NavTrack]] = {}
    altimeters = []
    for log in logs:
        nav = read_nav(log.path, log.vehicle)
        altimeter = _altimeter(log.vehicle, nav)
        if altimeter is not None:
            altimeters.append(altimeter)
        if log.refused is not None:
            why.append(f"the nav log of {log.vehicle} was refused: {log.refused.rstrip('.')}")
        elif nav.has_position:
            good.setdefault(log.vehicle, []).append(nav)
    place, tracks = _tracks(good)
    tracks = {name: _with_altitude(track, altimeters) for name, track in tracks.items()}
    reason = "; ".join(why) or "no camera's vehicle has a nav log that fits its track"
    return Logs(tracks, place, tuple(altimeters), reason)


def joined(tracks: Sequence[Track]) -> Track:
    """One track from a vehicle's tracks; of those that overlap in time the one of more fixes counts."""
    kept: list[Track] = []
    for track in sorted(tracks, key=lambda track: -len(track.time_s)):
        clash = [k for k in kept if track.time_s[0] <= k.time_s[-1] and k.time_s[0] <= track.time_s[-1]]
        if not clash:
            kept.append(track)
    if len(kept) == 1:
        return kept[0]
    kept.sort(key=lambda track: float(track.time_s[0]))
    altitudes = [
        np.full(len(track.time_s), np.nan) if track.altitude_m is None else track.altitude_m for track in kept
    ]
    return replace(
        kept[0],
        time_s=np.concatenate([track.time_s for track in kept]),
        xyz=np.concatenate([track.xyz for track in kept]),
        steady_xyz=np.concatenate([track.steady_xyz for track in kept]),
        yaw=np.unwrap(np.concatenate([track.yaw for track in kept])),
        pitch=np.concatenate([track.pitch for track in kept]),
        roll=np.concatenate([track.roll for track in kept]),
        has_depth=all(track.has_depth for track in kept),
        has_heading=all(track.has_heading for track in kept),
        has_attitude=all(track.has_attitude for track in kept),
        altitude_m=np.concatenate(altitudes) if any(t.altitude_m is not None for t in kept) else None,
        absolute_clock=all(track.absolute_clock for track in kept),
    )


def _tracks(good: Mapping[str, Sequence[NavTrack]]) -> tuple[Place | None, dict[str, Track]]:
    """Tracks in the map frame. Logs with lon/lat make the place; logs in local metres count only without those."""
    earth = {
        name: found
        for name, navs in good.items()
        if (found := [nav for nav in navs if nav.lon_deg is not None])
    }
    place = _place_of(next(iter(earth.values()))[0]) if earth else None
    chosen = earth or good
    return place, {
        name: joined([make_track(name, nav, place) for nav in navs]) for name, navs in chosen.items()
    }


def _place_of(log: NavTrack) -> Place:
    """The place of a log: of one of its fixes, as the mean of fixes either side of 180 degrees is far away."""
    assert log.lon_deg is not None
    assert log.lat_deg is not None
    middle = int(np.argsort(log.lat_deg)[len(log.lat_deg) // 2])
    return Place.at(float(log.lon_deg[middle]), float(log.lat_deg[middle]))


def _altimeter(vehicle: str, nav: NavTrack) -> Altimeter | None:
    if nav.altitude_m is None:
        return None
    good: Bools = np.isfinite(nav.altitude_m) & (nav.altitude_m > 0.0)
    return Altimeter(vehicle, nav.utc_s[good], nav.altitude_m[good]) if good.sum() >= 3 else None


def _with_altitude(track: Track, altimeters: Sequence[Altimeter]) -> Track:
    """A track without heights takes those of an altimeter log of the same vehicle and time."""
    if track.altitude_m is not None and np.isfinite(track.altitude_m).any():
        return track
    for altimeter in altimeters:
        if altimeter.vehicle != track.vehicle:
            continue
        after = np.clip(np.searchsorted(altimeter.time_s, track.time_s), 1, len(altimeter.time_s) - 1)
        nearest = np.minimum(
            np.abs(altimeter.time_s[after] - track.time_s), np.abs(altimeter.time_s[after - 1] - track.time_s)
        )
        heights = np.interp(track.time_s, altimeter.time_s, altimeter.altitude_m)
        heights[nearest > LONGEST_BREAK_S] = np.nan
        if np.isfinite(heights).any():
            return replace(track, altitude_m=heights)
    return track
