"""Nav logs, area of interest and rig: copied into ``inputs/`` as they are, and understood."""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from natsort import natsorted

from workers.contract.dive import Aoi, Camera, NavLog, Problem, Rig
from workers.contract.errors import ErrorCode, NavUnreadable
from workers.contract.layout import AOI, NAV, RIG
from workers.contract.words import AoiSource
from workers.media.aoi import check_near, read_aoi, to_geojson
from workers.media.checksums import checksum_of_bytes
from workers.media.gopro import safe
from workers.media.nav import NavTrack, read_nav, vehicles_in
from workers.media.nav_columns import mapping_file
from workers.media.nav_judgement import assess, remarks
from workers.media.rig import read_rig, resolved
from workers.stages.ingest.scan import TakenStills

EXIF_SUFFIX = "_exif"


def nav_logs(
    given: Sequence[tuple[str | None, Path]], vehicles: Sequence[str], before: Sequence[NavLog]
) -> tuple[NavLog, ...]:
    """The mission's nav logs: those of before, and those given now in place of what they overlap.

    Args:
        given: a vehicle (None: the only one, or the one that the file speaks of) and a file each.
        vehicles: the vehicles that have footage.
        before: the logs so far.

    Raises:
        NavUnreadable: a log cannot be understood, it is not clear whose it is, or no footage is of that vehicle.
    """
    logs = list(before)
    for vehicle, path in given:
        if vehicle is not None and vehicle not in vehicles:
            raise NavUnreadable(
                f"The nav log {path.name} was given for {vehicle}, but the footage is of {', '.join(vehicles)}.",
                f"Write --nav {vehicles[0]}={path.name}, or give {vehicle}'s footage with its log.",
            )
        for name in [vehicle] if vehicle else _vehicles_of(path, vehicles):
            new = _nav_log(name, path, per_image=False)
            logs = [old for old in logs if not _replaces(new, old)]
            logs.append(new)
    return tuple(natsorted(logs, key=lambda log: (log.vehicle, log.start_utc_s)))


def _vehicles_of(path: Path, vehicles: Sequence[str]) -> list[str]:
    """Whose log it is: by its vehicle column, by its file name, or because there is one vehicle only."""
    inside = vehicles_in(path)
    if len(inside) > 1:
        return list(inside)
    matching = [name for name in vehicles if path.name.lower().startswith(name.lower())]
    if matching:
        return [max(matching, key=len)]
    if len(vehicles) == 1:
        return list(vehicles)
    if inside:
        return list(inside)
    cause = f"It is not clear to which vehicle {path} belongs (there are {', '.join(vehicles) or 'none'})."
    raise NavUnreadable(cause, f"Name it: --nav VEHICLE={path.name}.")


def _nav_log(vehicle: str, path: Path, *, per_image: bool) -> NavLog:
    track = read_nav(path, vehicle)
    stored = _stored(path)
    contents = [file.read_bytes() for file in (stored, mapping_file(stored)) if file.is_file()]
    return NavLog(
        vehicle=vehicle,
        path=stored,
        checksum=checksum_of_bytes(*contents),
        rows=track.rows,
        distinct_positions=track.distinct_positions,
        start_utc_s=float(track.utc_s[0]),
        end_utc_s=float(track.utc_s[-1]),
        columns=track.columns,
        refused=assess(track, max_interval_s=np.inf) if per_image else assess(track),
        notes=(*track.notes, *_dropped(track), *remarks(track)),
    )


def _dropped(track: NavTrack) -> tuple[str, ...]:
    return tuple(
        f"{count} of {track.rows} rows dropped: {reason}." for reason, count in track.dropped.items()
    )


def _replaces(new: NavLog, old: NavLog) -> bool:
    """The same vehicle at the same time, or a log made of pictures' EXIF, gives way to the new one.

    An altimeter's log, which has no positions, goes beside one that has.
    """
    overlap = new.start_utc_s <= old.end_utc_s and old.start_utc_s <= new.end_utc_s
    alike = (new.distinct_positions > 0) == (old.distinct_positions > 0)
    return new.vehicle == old.vehicle and alike and (overlap or is_from_exif(old))


def is_from_exif(log: NavLog) -> bool:
    """Was it made from the pictures' EXIF?"""
    return log.path.stem.endswith(EXIF_SUFFIX)


def _stored(path: Path) -> Path:
    """Copy a log and the TOML beside it to ``inputs/nav``, under a name that no other content has."""
    contents = {path.suffix: path.read_bytes()}
    if mapping_file(path).is_file():
        contents[".toml"] = mapping_file(path).read_bytes()
    stem, number = safe(path.stem), 2
    target = NAV / f"{stem}{path.suffix}"
    while not _holds(target, contents):
        target = NAV / f"{stem}_{number}{path.suffix}"
        number += 1
    for suffix, content in contents.items():
        write_whole(target.with_suffix(suffix), content)
    return target


def _holds(target: Path, contents: Mapping[str, bytes]) -> bool:
    """Is the name free, or has it these contents already?"""
    for suffix in {*contents, ".toml"}:
        file = target.with_suffix(suffix)
        if file.exists() and file.read_bytes() != contents.get(suffix):
            return False
    return True


def nav_from_exif(vehicle: str, folders: Sequence[TakenStills]) -> NavLog | None:
    """A nav log made of the stills' own GPS, in ``inputs/nav``; None when fewer than two carry it.

    EXIF altitudes are above sea level, so they stand under a name that is not taken for the height above ground.
    """
    rows = ["timestamp_utc,latitude_deg,longitude_deg,gps_altitude_above_sea_m"]
    for folder in folders:
        for still, moment_s in zip(folder.stills, folder.taken_s or (), strict=folder.taken_s is not None):
            if still.lat_deg is not None and still.lon_deg is not None:
                stamp = datetime.fromtimestamp(moment_s, UTC).isoformat(timespec="milliseconds")
                above_sea = "" if still.altitude_m is None else f"{still.altitude_m:.2f}"
                rows.append(f"{stamp},{still.lat_deg:.9f},{still.lon_deg:.9f},{above_sea}")
    if len(rows) < 3:
        return None
    path = NAV / f"{safe(vehicle)}{EXIF_SUFFIX}.csv"
    write_whole(path, ("\n".join(rows) + "\n").encode())
    log = _nav_log(vehicle, path, per_image=True)
    note = f"Made of the GPS positions in the EXIF of {len(rows) - 1} stills, by the camera's clock."
    return log.model_copy(update={"notes": (note, *log.notes)})


def nav_problems(logs: Sequence[NavLog], vehicles: Sequence[str]) -> tuple[Problem, ...]:
    """A problem for each log that was refused or whose vehicle has no footage."""
    found = []
    for log in logs:
        if log.refused is not None:
            cause = (
                f"The nav log of {log.vehicle} ({log.path.name}) cannot give scale or place. {log.refused}"
            )
            found.append((log, cause, "Export the vehicle's full-rate navigation, and run again with it."))
        if log.vehicle not in vehicles:
            cause = f"There is a nav log of {log.vehicle} ({log.path.name}), but no footage of that vehicle."
            found.append(
                (log, cause, f"Vehicles with footage: {', '.join(vehicles)}. Name one: --nav VEHICLE=FILE.")
            )
    return tuple(
        Problem(subject=log.path.as_posix(), code=ErrorCode.NAV_REFUSED, cause=cause, hint=hint)
        for log, cause, hint in found
    )


def area_of_interest(given: Path | None, before: Aoi | None, logs: Sequence[NavLog]) -> Aoi | None:
    """The area given now, or the one of before.

    Raises:
        AoiUnreadable: it cannot be read, or lies far from the vehicles' tracks.
    """
    if given is None:
        return before
    area = read_aoi(given)
    for log in logs:
        track = read_nav(log.path, log.vehicle)
        if log.refused is None and track.lon_deg is not None and track.lat_deg is not None:
            check_near(given, area, float(np.median(track.lon_deg)), float(np.median(track.lat_deg)))
    content = to_geojson(area).encode()
    write_whole(AOI, content)
    return Aoi(path=AOI, checksum=checksum_of_bytes(content), source=AoiSource.FILE)


def rig(
    given: Path | None, before: Rig | None, cameras: Sequence[Camera]
) -> tuple[Rig | None, tuple[Problem, ...]]:
    """The rig given now or kept in the mission, for the cameras that there are.

    Raises:
        RigUnreadable: the file cannot be read.
    """
    if given is not None:
        read_rig(given)
        write_whole(RIG, given.read_bytes())
    if not RIG.is_file():
        return before, ()
    return resolved(read_rig(RIG), cameras, RIG)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is never seen half-written."""
    if path.is_file() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    partial.replace(path)
