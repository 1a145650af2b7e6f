"""What a card, folder, video or nav log holds, from its headers: ``python -m workers inspect PATH [--json]``."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workers.contract.errors import CosmaError, NavUnreadable
from workers.media import gpmf
from workers.media.aoi import area_m2, read_aoi
from workers.media.gopro import parse_name
from workers.media.nav import read_nav
from workers.media.nav_judgement import assess, remarks
from workers.media.stills import read_folder
from workers.media.video import probe
from workers.stages.ingest.walk import find

_NAV_SUFFIXES = frozenset({".csv", ".txt", ".tsv", ".log"})
_AOI_SUFFIXES = frozenset({".geojson", ".json", ".kml"})

Report = dict[str, Any]


def inspect(path: Path) -> Report:
    """What is there, as plain values.

    Args:
        path: a card or folder, a video, a nav log (CSV) or an area (GeoJSON, KML).

    Raises:
        CosmaError: it cannot be understood.
    """
    path = path.absolute()
    if path.is_file() and path.suffix.lower() in _AOI_SUFFIXES:
        return {"path": str(path), "area": _area(path)}
    if path.is_file() and path.suffix.lower() in _NAV_SUFFIXES:
        try:
            return {"path": str(path), "nav": _nav(path)}
        except NavUnreadable as error:
            try:
                return {"path": str(path), "area": _area(path)}
            except CosmaError:
                raise error from None
    return {"path": str(path), **_footage(path)}


def _footage(path: Path) -> Report:
    found = find((path,), None)
    problems = [problem.model_dump(mode="json") for problem in found.problems]
    videos = []
    for video in found.videos:
        try:
            header = probe(video.path)
        except (CosmaError, OSError) as error:
            problems.append({"subject": str(video.path), "cause": str(error)})
            continue
        telemetry = gpmf.identify([video.path]).get(video.path) if header.has_gpmf else None
        name = parse_name(video.path.name)
        videos.append(
            {
                "file": str(video.path),
                "vehicle": video.place.vehicle,
                "camera": video.place.camera,
                "number": name.number if name else None,
                "chapter": name.chapter if name else None,
                "size": [header.width, header.height],
                "fps": round(float(header.fps), 4),
                "frames": header.frame_count,
                "duration_s": round(header.duration_s, 3),
                "codec": header.codec,
                "creation_time": header.creation_time,
                "loss": header.loss,
                "serial": telemetry.serial if telemetry else None,
                "model": telemetry.model if telemetry else None,
            }
        )
    return {
        "videos": videos,
        "stills": [_stills(s.folder, s.paths) for s in found.stills],
        "problems": problems,
    }


def _stills(folder: Path, paths: Sequence[Path]) -> Report:
    read = read_folder(paths)
    return {
        "folder": str(folder),
        "usable": len(read.stills),
        "of": len(paths),
        "size": [read.stills[0].width, read.stills[0].height] if read.stills else None,
        "seconds": float(read.times_s[-1]) if read.stills else None,
        "start": _iso(read.start_utc_s),
        "with_gps": sum(still.lat_deg is not None for still in read.stills),
        "notes": [*read.notes, *(problem.cause for problem in read.problems)],
    }


def _nav(path: Path) -> Report:
    track = read_nav(path)
    return {
        "rows": track.rows,
        "used": len(track.utc_s),
        "start": _iso(float(track.utc_s[0])) if track.clock != "relative" else None,
        "seconds": float(track.utc_s[-1] - track.utc_s[0]),
        "clock": track.clock,
        "columns": track.columns,
        "dropped": track.dropped,
        "distinct_positions": track.distinct_positions,
        "refused": assess(track),
        "notes": [*track.notes, *remarks(track)],
    }


def _area(path: Path) -> Report:
    area = read_aoi(path)
    return {
        "polygons": len(getattr(area, "geoms", [area])),
        "area_m2": area_m2(area),
        "bounds_lonlat": list(area.bounds),
    }


def _iso(utc_s: float | None) -> str | None:
    return None if utc_s is None else datetime.fromtimestamp(utc_s, UTC).isoformat()


def _lines(value: object, indent: int = 0) -> Iterator[str]:
    """Plain text: a line a value, empty ones left out."""
    pad = "  " * indent
    if isinstance(value, dict):
        for key, part in value.items():
            if part in (None, [], {}, ()):
                continue
            if isinstance(part, dict) or (isinstance(part, list) and part and isinstance(part[0], dict)):
                yield f"{pad}{key}:"
                yield from _lines(part, indent + 1)
            else:
                yield f"{pad}{key}: {', '.join(map(str, part)) if isinstance(part, list) else part}"
    elif isinstance(value, list):
        for part in value:
            yield f"{pad}-"
            yield from _lines(part, indent + 1)


def main(argv: Sequence[str]) -> int:
    """The command line; returns the exit code: 0, or 2 when it cannot be understood."""
    parser = argparse.ArgumentParser(prog="python -m workers inspect", description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args(argv)
    try:
        found = inspect(arguments.path)
    except CosmaError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    text = json.dumps(found, indent=2) if arguments.json else "\n".join(_lines(found))
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode() + "\n")
    return 0
