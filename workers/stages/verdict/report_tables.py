"""The report's tables: rows of words, every string of others made printable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from pydantic import JsonValue

from workers.contract.products import PRODUCT_FILES, Gap, Verdict
from workers.contract.survey import Loop
from workers.contract.words import ScaleSource
from workers.stages.verdict.provenance import printable
from workers.stages.verdict.redive import needs_dive
from workers.stages.verdict.redive_files import minutes_text
from workers.stages.verdict.survey import Survey
from workers.stages.verdict.wording import (
    CAUSE_MEANING,
    CERTAINTY_MEANING,
    NOT_KNOWN,
    STATE_GLYPH,
    centimetres,
    direction,
    lat_lon,
    percent,
    quantity,
    spoken,
)

_FILE_MEANING = {
    "coverage.tif": "coverage grid for a GIS: three layers of view counts and pass",
    "coverage.png": "the map as a picture, a block of pixels a cell",
    "coverage.pgw": "places coverage.png on the map",
    "frames.csv": "a row a sampled frame: time, place of the camera, registered, usable",
    "gaps.geojson": "outlines of the gaps",
    "tracks.geojson": "tracks of vehicles and cameras",
    "redive.gpx": "waypoints of the re-dive",
    "redive.geojson": "waypoints of the re-dive",
    "redive.kml": "waypoints of the re-dive",
    "redive.csv": "waypoints of the re-dive",
    "cloud.ply": "point cloud with colours, segment and vehicle numbers",
    "cloud_view.npz": "point cloud for the app's window",
    "map.npz": "map for the app's window",
    "report.html": "this report",
    "verdict.json": "the verdict for other programs",
}


@dataclass(frozen=True)
class Table:
    """``columns`` are headings; ``numeric`` the numbers of columns set to the right; rows have a word a column."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int] = frozenset()


def gaps(verdict: Verdict) -> Table:
    """A row a gap, in the verdict's order."""
    columns = (
        "Gap",
        "Certainty",
        "Cause",
        "Area",
        "Longest width",
        "Centre",
        "To the nearest track",
        "Remedy",
        "Re-dive",
    )
    rows = []
    for gap in verdict.gaps:
        mixed = len([share for share in gap.shares.values() if share >= 0.005]) > 1
        shares = ", ".join(
            f"{spoken(cause)} {percent(share)}" for cause, share in gap.shares.items() if share >= 0.005
        )
        cause = f"{spoken(gap.cause)}: {CAUSE_MEANING[gap.cause]}" + (f" ({shares})" if mixed else "")
        rows.append(
            (
                str(gap.id),
                CERTAINTY_MEANING[gap.certainty],
                cause,
                quantity(gap.area_m2, "m²", 1 if gap.area_m2 >= 1 else 2),
                quantity(gap.width_m, "m"),
                lat_lon(gap.centre_lonlat),
                quantity(gap.distance_to_track_m, "m"),
                printable(gap.remedy),
                _redive(gap),
            )
        )
    return Table(columns, tuple(rows), frozenset({0, 3, 4, 6}))


def _redive(gap: Gap) -> str:
    if gap.redive_minutes is not None:
        return minutes_text(gap.redive_minutes)
    return NOT_KNOWN if needs_dive(gap) else "no dive"


def clocks(verdict: Verdict) -> Table:
    """Camera clocks against nav."""
    columns = ("Recording", "Camera", "Nav time minus camera time", "Drift", "One sigma", "Found", "Detail")
    rows = []
    for clock in verdict.clock_offsets:
        found = "not found" if clock.offset_s is None else "ambiguous" if clock.ambiguous else "clear"
        rows.append(
            (
                printable(clock.recording),
                printable(clock.camera),
                "–" if clock.offset_s is None else f"{clock.offset_s:+.2f} s",
                quantity(clock.drift_ppm, "ppm", 0),
                quantity(clock.sigma_s, "s", 2),
                found,
                printable(clock.detail),
            )
        )
    return Table(columns, tuple(rows), frozenset({2, 3, 4}))


def components(survey: Survey) -> Table:
    """Frames that lie rigidly together, and how well each is placed."""
    columns = (
        "No.",
        "Segments",
        "Frames",
        "Place",
        "Scale",
        "Residual to nav",
        "Place, one sigma",
        "Weak direction",
        "Why",
    )
    rows = []
    for part in survey.stitch.components:
        state = "not placed" if not part.placed else "doubtful" if part.doubtful else "good"
        weak = direction(part.weak_direction, placed=survey.place is not None)
        if part.weak_sigma_m is not None:
            weak += f", {centimetres(part.weak_sigma_m)}"
        rows.append(
            (
                str(part.id),
                _names(part.segments),
                str(part.frames),
                state,
                "–" if part.scale is None else f"{part.scale:.4g}",
                centimetres(part.residual_m),
                centimetres(part.sigma_m),
                weak,
                printable("; ".join(part.reasons)),
            )
        )
    return Table(columns, tuple(rows), frozenset({0, 2, 4, 5, 6}))


def seams(survey: Survey) -> Table:
    """Joints of neighbouring segments, the broken ones first."""
    columns = ("From", "To", "Joint", "Points", "Inliers", "Scale ratio", "Residual / depth")
    rows = []
    for seam in sorted(survey.stitch.seams, key=lambda seam: seam.broken is None):
        state = "holds" if seam.broken is None else f"broken: {printable(seam.broken)}"
        figures = (f"{seam.correspondences}", percent(seam.inliers), f"{seam.scale_ratio:.3f}")
        rows.append(
            (
                printable(seam.a),
                printable(seam.b),
                state,
                *figures,
                quantity(seam.residual_relative * 100.0, "%", 2),
            )
        )
    return Table(columns, tuple(rows), frozenset({3, 4, 5, 6}))


def loops(survey: Survey) -> Table:
    """Components over the same ground; none without metres to say it in."""
    columns = ("Components", "Points in common", "Shift asked for", "RMSE", "Could slide by", "Applied")
    metric = survey.stitch.scale.source is not ScaleSource.NONE
    rows = tuple(_loop(loop) for loop in survey.stitch.loops if metric)
    return Table(columns, rows, frozenset({1, 2, 3, 4}))


def _loop(loop: Loop) -> tuple[str, ...]:
    return (
        f"{loop.a} and {loop.b}",
        str(loop.overlap_points),
        quantity(loop.shift_m * 100, "cm"),
        quantity(loop.rmse_m * 100, "cm"),
        quantity(loop.weak_cm, "cm"),
        "yes" if loop.applied else "no",
    )


def segments(survey: Survey) -> Table:
    """State, grade and figures of every segment."""
    columns = ("Segment", "State", "Grade", "Frames", "Usable", "Registered", "Reason")
    frames = survey.frames
    names, segment = np.unique(frames.segment, return_inverse=True)
    masks = (np.ones(len(frames), bool), frames.usable, frames.registered)
    counted = [np.bincount(segment[mask], minlength=len(names)) for mask in masks]
    row_of = {str(name): n for n, name in enumerate(names)}
    rows = []
    for result in survey.segments:
        n = row_of.get(result.segment.id)
        counts = (0, 0, 0) if n is None else tuple(int(column[n]) for column in counted)
        rows.append(
            (
                printable(result.segment.id),
                f"{STATE_GLYPH[result.state]} {result.state}",
                result.grade or "–",
                *(str(count) for count in counts),
                printable(result.reason or ""),
            )
        )
    return Table(columns, tuple(rows), frozenset({3, 4, 5}))


def left_out(verdict: Verdict) -> Table:
    """Files that did not count, with cause and hint."""
    rows = tuple(
        (printable(problem.subject), f"{printable(problem.cause)} [{problem.code}]", printable(problem.hint))
        for problem in verdict.left_out
    )
    return Table(("What", "Cause", "What to do"), rows)


def files(absent: dict[str, str]) -> Table:
    """The products that lie beside the report."""
    rows = tuple((name, _FILE_MEANING[name], absent.get(name, "written")) for name in PRODUCT_FILES)
    return Table(("File", "What it is", "Status"), rows)


def settings(verdict: Verdict) -> Table:
    """All params, one a row, named as ``--set`` names them."""
    rows = tuple(_flat("", verdict.params))
    return Table(("Setting", "Value"), rows)


def pairs(values: dict[str, str], columns: tuple[str, str]) -> Table:
    """A mapping as a table."""
    return Table(columns, tuple((printable(name), printable(value)) for name, value in values.items()))


def _flat(prefix: str, value: JsonValue) -> Iterable[tuple[str, str]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _flat(f"{prefix}.{name}" if prefix else name, item)
    else:
        yield printable(prefix), "–" if value is None else printable(str(value))


def _names(names: tuple[str, ...]) -> str:
    """Names in a row; the middle of a long list is left out."""
    shown = names if len(names) <= 6 else (*names[:3], f"… {len(names) - 6} more …", *names[-3:])
    return printable(", ".join(shown)) or NOT_KNOWN
