"""08 verdict: complete, not complete or cannot tell, with every gap's cause and remedy; all products."""

from __future__ import annotations

import platform
from collections import Counter
from importlib import metadata
from pathlib import Path

import shapely

from workers.contract import CONTRACT_VERSION
from workers.contract.dive import Problem
from workers.contract.errors import ErrorCode
from workers.contract.events import Report
from workers.contract.job import VerdictInputs
from workers.contract.params import VerdictParams
from workers.contract.products import Gap, SegmentCounts, Verdict
from workers.contract.survey import GapShape
from workers.contract.words import Cause, Certainty, JobState
from workers.geometry.views import Cameras, footprint_corners
from workers.stages.verdict.decide import Evidence, decide
from workers.stages.verdict.outlines import gap_outline
from workers.stages.verdict.products import write_products
from workers.stages.verdict.redive import Redive, redive_for
from workers.stages.verdict.redive_files import minutes_text
from workers.stages.verdict.survey import Survey, inputs_checksums, load_survey

SOFTWARE = ("cosmaqc", "pycolmap", "open3d-cpu", "av", "opencv-python-headless", "numpy", "telemetry-parser")


def run(inputs: VerdictInputs, params: VerdictParams, out: Path, report: Report) -> None:
    """Decide, and write all files of ``products/`` to ``out``."""
    survey = load_survey(inputs)
    report(1, of=3)
    verdict = make_verdict(survey, params)
    report(2, of=3)
    write_products(out, survey, verdict)
    report(3, of=3)


def make_verdict(survey: Survey, params: VerdictParams) -> Verdict:
    """The verdict of a survey."""
    near = {gap.id: segments_at(survey, gap) for gap in survey.coverage.gaps}
    unread = tuple(
        one.segment.id for one in survey.segments if one.state is JobState.FAILED and one.frames is None
    )
    word, reasons = decide(Evidence(survey.stitch, survey.coverage, survey.unfinished, unread, near), params)
    states = Counter(one.state.value for one in survey.segments)
    grades = Counter(one.grade.value for one in survey.segments if one.grade is not None)
    return Verdict(
        verdict=word,
        reasons=reasons,
        coverage=survey.coverage.shares,
        aoi_source=survey.coverage.aoi_source,
        scale=survey.stitch.scale,
        smallest_hole_m=survey.coverage.cell_m * 3.0,
        cell_m=survey.coverage.cell_m,
        gaps=tuple(_gap(gap, survey, params, near[gap.id]) for gap in survey.coverage.gaps),
        segments=SegmentCounts(by_state=dict(states), by_grade=dict(grades)),
        clock_offsets=survey.stitch.clock_offsets,
        left_out=(*survey.inventory.problems, *_lost_segments(survey)),
        software=_software(),
        params=survey.params,
        inputs=inputs_checksums(survey),
    )


def segments_at(survey: Survey, gap: GapShape) -> tuple[str, ...]:
    """Segments whose pictures reach into a gap, in their order."""
    outline = gap_outline(survey, gap.id)
    if outline.is_empty or survey.surface is None:
        return ()
    frames = survey.frames
    posed = survey.posed
    cameras = Cameras(
        frames.camera_to_map[posed], frames.pinhole[posed], frames.size[posed], frames.place_sigma_m[posed]
    )
    ground = float(survey.surface.height_m.mean())
    shapely.prepare(outline)
    found = []
    for n, segment in enumerate(frames.segment[posed]):
        corners = footprint_corners(cameras, n, ground)
        if (
            corners is not None
            and str(segment) not in found
            and shapely.intersects(shapely.Polygon(corners), outline)
        ):
            found.append(str(segment))
    return tuple(sorted(found))


def _gap(gap: GapShape, survey: Survey, params: VerdictParams, segments: tuple[str, ...]) -> Gap:
    plan = redive_for(gap, survey, params.survey_speed_m_s) if gap.stays else None
    place = survey.place
    centre = None
    if place is not None:
        lon, lat = place.to_lonlat(shapely.get_coordinates(shapely.Point(gap.centre)))[0]
        centre = (float(lon), float(lat))
    return Gap(
        id=gap.id,
        certainty=gap.certainty,
        cause=gap.cause,
        area_m2=gap.area_m2,
        width_m=gap.width_m,
        centre_lonlat=centre,
        remedy=remedy_for(gap, plan, segments),
        shares=gap.shares,
        distance_to_track_m=gap.distance_to_track_m,
        redive_minutes=plan.minutes if plan is not None else None,
    )


def remedy_for(gap: GapShape, plan: Redive | None, segments: tuple[str, ...]) -> str:
    """What closes a gap, in words."""
    if gap.certainty is Certainty.POSSIBLE:
        return "Narrower than the smallest hole that matters: nothing needs to be done."
    where = f" ({', '.join(segments[:6])}{', ...' if len(segments) > 6 else ''})" if segments else ""
    dive = (
        f"{len(plan.waypoints)} waypoints, {minutes_text(plan.minutes)}"
        if plan is not None
        else "see the map"
    )
    if gap.cause in (Cause.NOT_FILMED, Cause.UNUSABLE) and not gap.stays:
        return "The map is too uncertain here: mend what the reasons name and stitch again; dive only if the gap stays."
    if gap.cause is Cause.NOT_FILMED:
        return f"Dive again: {dive}."
    if gap.cause is Cause.UNUSABLE:
        return f"Dive again with other settings (more light, slower, closer, or in clearer water): {dive}."
    if gap.cause is Cause.NOT_RECONSTRUCTED:
        return f"Replay inference with more features or more frames per second{where}; no dive is needed."
    return f"Stitch again once nav or its clock is mended{where}; no dive is needed."


def _lost_segments(survey: Survey) -> tuple[Problem, ...]:
    """Segments without a reconstruction, each with its reason."""
    return tuple(
        Problem(
            subject=one.segment.id,
            code=ErrorCode.TOO_FEW_FRAMES
            if one.state is JobState.SKIPPED
            else ErrorCode.RECONSTRUCTION_FAILED,
            cause=one.reason or f"The segment is {one.state.value}.",
            hint="See its cause; what it filmed counts only as footprint.",
        )
        for one in survey.segments
        if one.inference is None
    )


def _software() -> dict[str, str]:
    found = {"contract": str(CONTRACT_VERSION), "python": platform.python_version()}
    for name in SOFTWARE:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
