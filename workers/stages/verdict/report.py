"""``report.html``: what a scientist reads without the app; one file, no network, no script."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import markupsafe
import numpy as np

from workers.contract.products import PRODUCT_FILES, Verdict
from workers.stages.verdict import report_tables as tables
from workers.stages.verdict.map_drawing import MapScene
from workers.stages.verdict.map_picture import layers_figure, map_figure
from workers.stages.verdict.provenance import clean, printable
from workers.stages.verdict.redive_files import Plans, minutes_text
from workers.stages.verdict.survey import Survey
from workers.stages.verdict.tables import utc_text
from workers.stages.verdict.wording import (
    AOI_MEANING,
    NBSP,
    SCALE_MEANING,
    VERDICT_MEANING,
    centimetres,
    frame_name,
    percent_fine,
    plus_minus,
    quantity,
)

TEMPLATE = "report.html.j2"
WIDE_IN, NARROW_IN = 9.0, 3.9
_CHUNK = re.compile(r"[^\s/_-]{24}|[/_-]")


@dataclass(frozen=True)
class Picture:
    """A figure for wide and for narrow pages, as ``data:`` addresses, with its words for who cannot see it."""

    wide: str
    narrow: str
    words: str


def write_report(path: Path, survey: Survey, verdict: Verdict, scene: MapScene | None, plans: Plans) -> None:
    """Fill the template; every string is escaped, and characters that no page can hold are spelled out."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["breakable"] = breakable
    source = (resources.files(__package__) / "templates" / TEMPLATE).read_text(encoding="utf-8")
    text = environment.from_string(source).render(**_context(survey, verdict, scene, plans))
    path.write_text(text + "\n", encoding="utf-8")


def _context(survey: Survey, verdict: Verdict, scene: MapScene | None, plans: Plans) -> dict[str, Any]:
    """All that the template names."""
    stitch, coverage = survey.stitch, survey.coverage
    return {
        "verdict": verdict.verdict.value,
        "sentence": printable(verdict.sentence),
        "meaning": VERDICT_MEANING[verdict.verdict],
        "summary": _summary(survey),
        "reasons": clean(verdict.model_dump(mode="json", include={"reasons"}))["reasons"],
        "map": _map_picture(survey, verdict, scene),
        "layers": _layers_picture(scene),
        "gaps": tables.gaps(verdict),
        "redive": _redive_sentence(plans, placed=survey.place is not None),
        "numbers": [
            (
                "Best estimate",
                percent_fine(verdict.coverage.best),
                "passes: views enough, place not doubtful",
            ),
            (
                "Worst case",
                percent_fine(verdict.coverage.worst),
                "doubtful segments dropped, map shifted against us",
            ),
            (
                "Filmed only",
                percent_fine(verdict.coverage.filmed),
                "usable frames, before any reconstruction",
            ),
        ],
        "aoi": AOI_MEANING[verdict.aoi_source],
        "aoi_area": quantity(coverage.aoi_area_m2, "m²"),
        "smallest_hole": f"{verdict.smallest_hole_m:g}{NBSP}m",
        "cell": f"{verdict.cell_m:.3g}{NBSP}m",
        "scale": SCALE_MEANING[verdict.scale.source],
        "scale_uncertainty": plus_minus(verdict.scale.relative_uncertainty),
        "scale_detail": printable(verdict.scale.detail),
        "nav_sigma": centimetres(stitch.nav_sigma_m),
        "frame": frame_name(stitch.frame),
        "warnings": [printable(text) for text in (*stitch.warnings, *coverage.warnings)],
        "clocks": tables.clocks(verdict),
        "components": tables.components(survey),
        "seams": tables.seams(survey),
        "loops": tables.loops(survey),
        "segments": tables.segments(survey),
        "unfinished": survey.unfinished,
        "left_out": tables.left_out(verdict),
        "files": tables.files(_absent(survey, plans)),
        "settings": tables.settings(verdict),
        "software": tables.pairs(verdict.software, ("Program", "Version")),
        "inputs": tables.pairs(verdict.inputs, ("Input", "Checksum")),
    }


def _summary(survey: Survey) -> str:
    """One line: when, with what, how much."""
    frames = survey.frames
    vehicles = sorted({printable(str(name)) for name in frames.vehicle})
    cameras = sorted({printable(str(name)) for name in frames.camera})
    parts = [
        _when(survey),
        f"{_counted(len(vehicles), 'vehicle')} ({', '.join(vehicles)})" if vehicles else "no vehicle",
        f"{_counted(len(cameras), 'camera')} ({', '.join(cameras)})" if cameras else "no camera",
        _counted(len(survey.segments), "segment"),
        _counted(len(frames), "sampled frame"),
    ]
    return " · ".join(parts)


def _map_picture(survey: Survey, verdict: Verdict, scene: MapScene | None) -> Picture | None:
    if scene is None:
        return None
    placed = survey.place is not None
    wide, narrow = (_data_address(map_figure(scene, width, placed=placed)) for width in (WIDE_IN, NARROW_IN))
    words = f"Coverage map: {verdict.sentence}. Every gap is in the table below."
    return Picture(wide, narrow, printable(words))


def _layers_picture(scene: MapScene | None) -> Picture | None:
    if scene is None:
        return None
    wide, narrow = (_data_address(layers_figure(scene, width)) for width in (WIDE_IN, NARROW_IN))
    return Picture(wide, narrow, "Views of each cell: all frames, usable frames, and reconstructed frames.")


def _redive_sentence(plans: Plans, *, placed: bool) -> str:
    """What it takes to close the gaps that need a dive; empty when none does."""
    if not plans:
        return ""
    minutes = sum(plan.minutes for _, plan in plans)
    legs = sum(len(plan.waypoints) // 2 for _, plan in plans)
    text = (
        f"Re-dive: {_counted(len(plans), 'gap')}, {_counted(legs, 'leg')}, {minutes_text(minutes)} on the legs in all, "
        f"at {plans[0][1].footprint.altitude_m:.1f} m above the seabed. The way there and back comes on top."
    )
    files = " Waypoints: redive.gpx, redive.geojson, redive.kml, redive.csv."
    return text + (files if placed else " There are no waypoints: the place on the earth is not known.")


def _absent(survey: Survey, plans: Plans) -> dict[str, str]:
    """Products that were not written, and why."""
    found: dict[str, str] = {}
    if survey.grid is None:
        found |= dict.fromkeys(
            ("coverage.tif", "coverage.png", "coverage.pgw"), "not written: there is no scale"
        )
    if not plans or survey.place is None:
        if survey.grid is None:
            why = "gaps cannot be looked for"
        else:
            why = "the place on the earth is not known" if plans else "no gap needs a dive"
        found |= {name: f"not written: {why}" for name in PRODUCT_FILES if name.startswith("redive.")}
    return found


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _when(survey: Survey) -> str:
    """First and last minute in nav time; without nav, by the cameras' clocks, which may be wrong by hours."""
    known = survey.frames.utc_s[np.isfinite(survey.frames.utc_s)]
    if len(known):
        return f"Filmed {_span(float(known.min()), float(known.max()))} UTC"
    clocks = [(one.start_utc_s, one.duration_s) for one in survey.inventory.recordings if one.start_utc_s]
    if not clocks:
        return "Date not known"
    span = _span(min(start for start, _ in clocks), max(start + length for start, length in clocks))
    return f"Filmed {span} by the cameras' clocks, which were not compared with nav"


def _span(first_s: float, last_s: float) -> str:
    """Two POSIX times as date and minutes; the date once when it is the same."""
    first, last = (utc_text(time)[:16].replace("T", " ") for time in (first_s, last_s))
    return f"{first} to {last[11:] if last[:10] == first[:10] else last}"


def breakable(text: str) -> markupsafe.Markup:
    """Escaped text with places where a line may break: after separators, and within very long words."""
    parts, start = [], 0
    for found in _CHUNK.finditer(text):
        parts.append(text[start : found.end()])
        start = found.end()
    parts.append(text[start:])
    return markupsafe.Markup("<wbr>").join(parts)


def _data_address(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
