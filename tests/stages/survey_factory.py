"""A small made survey: what stitch and coverage would leave for two cameras over a seabed with a hole."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from workers.contract.dive import (
    Aoi,
    Camera,
    Chapter,
    FootageFile,
    Inventory,
    NavLog,
    Problem,
    Recording,
    Segment,
)
from workers.contract.errors import ErrorCode
from workers.contract.job import SegmentResult, VerdictInputs
from workers.contract.params import Params
from workers.contract.products import ClockOffset, CoverageShares, Gap, Reason, Scale, SegmentCounts, Verdict
from workers.contract.survey import (
    COVERAGE,
    COVERAGE_GRID,
    NAV_TRACKS,
    STITCH,
    STITCH_CLOUD,
    STITCH_FRAMES,
    SURFACE,
    Component,
    CoverageSummary,
    GapShape,
    Loop,
    MapFrame,
    Seam,
    StitchSummary,
)
from workers.contract.words import (
    AoiSource,
    Cause,
    Certainty,
    Grade,
    JobState,
    ScaleSource,
    Side,
    VerdictWord,
)
from workers.geometry import F64, AnyArray
from workers.geometry.place import Place

Arrays = dict[str, AnyArray]

SITE_LON_LAT = (5.9, 43.1)
AREA_M = (9.0, 6.2)
CELL_M = 1.0 / 6.0
ALTITUDE_M = 1.6
SPEED_M_S = 0.5
START_UTC_S = 1_778_578_200.25  # 2026-05-12 09:30:00.250
LEGS_Y_M = (0.4, 1.4, 2.4, 5.4)
HOLE_ROWS = slice(21, 27)  # y 3.5 to 4.5 m
CAMERAS = ("AUV01-PORT", "AUV01-STBD")
FRAMES_PER_LEG = 37


@dataclass(frozen=True)
class MadeSurvey:
    """Where the made artefacts lie and what they say."""

    inputs: VerdictInputs
    verdict: Verdict
    frame: MapFrame


def make_survey(mission: Path, *, place: bool = True, scale: bool = True, hostile: str = "") -> MadeSurvey:
    """Write stitch and coverage outputs of a 9 x 6.2 m site with a leg missing and a covered island in the hole.

    Args:
        mission: folder to write into; must be the current directory for the AOI to be found.
        place: with nav, UTM and an AOI file; otherwise a local frame.
        scale: with metres; otherwise no grid, no gaps (and no place).
        hostile: put into every name and text that others choose.
    """
    place = place and scale
    frame = Place.at(*SITE_LON_LAT).frame if place else MapFrame(epsg=None)
    corner = _corner(frame)
    stitch, coverage = mission / "work/stitch/mission/abc", mission / "work/coverage/mission/def"
    for folder in (stitch, coverage):
        folder.mkdir(parents=True)
    summary = _stitch_summary(frame, hostile, place=place, scale=scale)
    (stitch / STITCH).write_text(summary.model_dump_json())
    frames = _frames(corner, hostile, place=place)
    _save(stitch / STITCH_FRAMES, frames)
    _save(stitch / STITCH_CLOUD, _cloud(corner, frames, hostile))
    _save(stitch / SURFACE, _surface(corner))
    if place:
        utc_s = START_UTC_S + np.arange(0.0, 100.0, 0.5)
        _save(
            stitch / NAV_TRACKS, {f"AUV01{hostile}/utc_s": utc_s, f"AUV01{hostile}/xyz": _path(utc_s, corner)}
        )
    grid, gaps = _grid(corner)
    found = _coverage_summary(grid, gaps if scale else (), hostile, place=place, scale=scale)
    (coverage / COVERAGE).write_text(found.model_dump_json())
    if scale:
        _save(coverage / COVERAGE_GRID, grid)
    inputs = VerdictInputs(
        stitch=stitch,
        coverage=coverage,
        inventory=_inventory(mission, corner, frame, hostile),
        segments=_segments(hostile),
        unfinished=0,
        params=Params().model_dump(mode="json"),
    )
    return MadeSurvey(inputs, _verdict(inputs, summary, found, frame, hostile), frame)


def _corner(frame: MapFrame) -> F64:
    """The site's south-west corner (2,) in the map frame."""
    if frame.epsg is None:
        return np.zeros(2)
    lon, lat = SITE_LON_LAT
    return np.asarray(Place(frame).to_map(np.array([lon]), np.array([lat]))[0])


def _save(path: Path, arrays: Arrays) -> None:
    np.savez(path, **arrays)  # type: ignore[arg-type]


def _surface(corner: F64) -> Arrays:
    shape = (22, 28)
    height = np.full(shape, -20.0)
    edges = {"x0": np.asarray(corner[0] - 2), "y0": np.asarray(corner[1] - 2), "cell_m": np.asarray(0.5)}
    return edges | {"height_m": height, "known": np.ones(shape, bool)}


def _coverage_summary(
    grid: Arrays, gaps: tuple[GapShape, ...], hostile: str, *, place: bool, scale: bool
) -> CoverageSummary:
    shares = CoverageShares(best=None, worst=None, filmed=None)
    if scale:
        best = float(grid["passes"].sum() / grid["inside"].sum())
        shares = CoverageShares(best=best, worst=best - 0.05, filmed=best + 0.02)
    return CoverageSummary(
        aoi_source=AoiSource.FILE if place else AoiSource.TRACK_HULL,
        aoi_area_m2=AREA_M[0] * AREA_M[1] if scale else None,
        shares=shares,
        cell_m=CELL_M,
        gaps=gaps,
        doubtful_cells=0,
        warnings=(f"a warning {hostile}",),
    )


def _path(utc_s: F64, corner: F64) -> F64:
    """Places (N,3) along the legs at the survey speed, to and fro; 18.5 s a leg, then straight to the next."""
    leg_s = FRAMES_PER_LEG * 0.5
    time_s = utc_s - START_UTC_S
    leg = np.clip(time_s // leg_s, 0, len(LEGS_Y_M) - 1).astype(int)
    along = np.clip(time_s - leg * leg_s, 0, leg_s) * SPEED_M_S
    x = np.where(leg % 2 == 0, along, AREA_M[0] - along)
    return np.column_stack(
        [x + corner[0], np.take(LEGS_Y_M, leg) + corner[1], np.full(len(x), -20.0 + ALTITUDE_M)]
    )


def _frames(corner: F64, hostile: str, *, place: bool) -> Arrays:
    rows = len(LEGS_Y_M) * FRAMES_PER_LEG
    time_s: F64 = np.linspace(0.0, (rows - 1) * 0.5, rows)
    centres = _path(time_s + START_UTC_S, corner)
    both: dict[str, list[AnyArray]] = {}
    for side, camera in zip((0.15, -0.15), CAMERAS, strict=True):
        pose = np.tile(np.diag([1.0, -1.0, -1.0, 1.0]), (rows, 1, 1))
        leg = np.arange(rows) // FRAMES_PER_LEG
        heading = np.where(leg % 2 == 0, 1.0, -1.0)
        zero, one = np.zeros(rows), np.ones(rows)
        pose[:, :3, 0] = np.column_stack([zero, -heading, zero])  # image x to starboard
        pose[:, :3, 1] = np.column_stack([-heading, zero, zero])  # image y aft
        pose[:, :3, 2] = np.column_stack([zero, zero, -one])
        pose[:, :3, 3] = centres + np.column_stack([zero, heading * side, zero])
        registered = np.ones(rows, bool)
        registered[50:54] = False
        pose[50:54] = np.nan
        part = {
            "frame_id": np.array([f"{camera}_{n:012d}" for n in range(rows)]),
            "segment": np.array([f"{camera}{hostile}_0001_01_{n * 2 // rows:03d}" for n in range(rows)]),
            "recording": np.array([f"{camera}{hostile}_0001"] * rows),
            "camera": np.array([f"{camera}{hostile}"] * rows),
            "vehicle": np.array([f"AUV01{hostile}"] * rows),
            "footage_file": np.array([f"AUV01/{camera}/GX010001{hostile}.MP4"] * rows),
            "image": np.array([f"work/frames/x/{n}.jpg" for n in range(rows)]),
            "chapter_time_s": time_s,
            "recording_time_s": time_s,
            "utc_s": time_s + START_UTC_S if place else np.full(rows, np.nan),
            "camera_to_map": pose,
            "pinhole": np.tile([552.0, 552.0, 480.0, 270.0], (rows, 1)),
            "size": np.tile([960, 540], (rows, 1)),
            "registered": registered,
            "usable": np.arange(rows) % 20 != 7,
            "doubtful": np.zeros(rows, bool),
            "source": np.where(registered, "registered", "none"),
            "component": np.where(registered, 0, -1),
            "place_sigma_m": np.full(rows, 0.03),
        }
        for name, values in part.items():
            both.setdefault(name, []).append(values)
    return {name: np.concatenate(values) for name, values in both.items()}


def _cloud(corner: F64, frames: Arrays, hostile: str) -> Arrays:
    rng = np.random.default_rng(1)
    count = 3000
    xyz = np.column_stack(
        [rng.random(count) * AREA_M[0], rng.random(count) * 3.0, rng.normal(-20.0, 0.05, count)]
    )
    return {
        "xyz": xyz + np.append(corner, 0.0),
        "rgb": rng.integers(0, 255, (count, 3), dtype=np.uint8),
        "segment": rng.integers(0, 4, count, dtype=np.int32),
        "vehicle": np.zeros(count, np.int32),
        "component": np.zeros(count, np.int32),
        "segment_names": np.unique(frames["segment"]),
        "vehicle_names": np.array([f"AUV01{hostile}"]),
    }


def _grid(corner: F64) -> tuple[Arrays, tuple[GapShape, ...]]:
    """Two cells of border around the area; a hole over the missing leg with an island of 2x2 cells; a sliver."""
    columns, rows = round(AREA_M[0] / CELL_M) + 4, round(AREA_M[1] / CELL_M) + 4
    y, x = np.mgrid[0:rows, 0:columns]
    inside = (x >= 2) & (x < columns - 2) & (y >= 2) & (y < rows - 2)
    views = np.minimum(3 + (x + y) % 4, 9).astype(np.uint16)
    gap = np.zeros((rows, columns), np.int32)
    hole = slice(HOLE_ROWS.start + 2, HOLE_ROWS.stop + 2)
    gap[hole, 2 : columns - 2] = 1
    gap[hole.start + 2 : hole.start + 4, 20:22] = 0
    gap[6, 30:33] = 2
    filmed, reconstructed = views.copy(), views.copy()
    views[gap == 1], filmed[gap == 1], reconstructed[gap == 1] = 0, 0, 0
    views[hole.start, 2 : columns - 2][gap[hole.start, 2 : columns - 2] == 1] = 2
    filmed[gap == 2], reconstructed[gap == 2] = 1, 1
    passes = inside & (reconstructed >= 3)
    cause = np.zeros((rows, columns), np.uint8)
    cause[gap == 1], cause[gap == 2] = 1, 2
    x0, y0 = corner[0] - 2 * CELL_M, corner[1] - 2 * CELL_M
    layers = {"footprint_views": views, "filmed_views": filmed, "reconstructed_views": reconstructed}
    grid = {
        "x0": np.float64(x0),
        "y0": np.float64(y0),
        "cell_m": np.float64(CELL_M),
        "inside": inside,
        **layers,
        "passes": passes,
        "passes_worst": passes,
        "cause": cause,
        "gap": gap,
    }
    return grid, tuple(_gap(gap, n, x0, y0) for n in (1, 2))


def _gap(gap: AnyArray, number: int, x0: float, y0: float) -> GapShape:
    rows, columns = np.nonzero(gap == number)
    west, east = x0 + columns.min() * CELL_M, x0 + (columns.max() + 1) * CELL_M
    south, north = y0 + rows.min() * CELL_M, y0 + (rows.max() + 1) * CELL_M
    centre = (x0 + (columns.mean() + 0.5) * CELL_M, y0 + (rows.mean() + 0.5) * CELL_M)
    certain = number == 1
    return GapShape(
        id=number,
        certainty=Certainty.CERTAIN if certain else Certainty.POSSIBLE,
        cause=Cause.NOT_FILMED if certain else Cause.UNUSABLE,
        shares={"not_filmed": 1.0} if certain else {"unusable": 0.67, "not_filmed": 0.33},
        cells=len(rows),
        area_m2=len(rows) * CELL_M**2,
        width_m=east - west,
        centre=centre,
        polygons=(((west, south), (east, south), (east, north), (west, north), (west, south)),),
        distance_to_track_m=1.1,
        stays=certain,
    )


def _stitch_summary(frame: MapFrame, hostile: str, *, place: bool, scale: bool) -> StitchSummary:
    source = ScaleSource.NAV if place else ScaleSource.BASELINE if scale else ScaleSource.NONE
    segments = tuple(f"{camera}{hostile}_0001_01_{n:03d}" for camera in CAMERAS for n in range(2))
    component = Component(
        id=0,
        segments=segments[:3],
        cameras=CAMERAS,
        frames=288,
        placed=True,
        doubtful=False,
        reasons=(),
        scale=0.731 if scale else None,
        residual_m=0.041 if place else None,
        sigma_m=0.03 if place else None,
        weak_direction=(0.94, 0.34),
        weak_sigma_m=0.05 if scale else None,
    )
    adrift = component.model_copy(
        update={
            "id": 1,
            "segments": segments[3:],
            "placed": False,
            "doubtful": True,
            "reasons": (f"too short {hostile}",),
        }
    )
    good = Seam(
        a=segments[0],
        b=segments[1],
        component_a=0,
        component_b=0,
        correspondences=4120,
        inliers=0.973,
        scale_ratio=1.004,
        residual_relative=0.004,
    )
    broken = good.model_copy(
        update={
            "a": segments[2],
            "b": segments[3],
            "component_b": 1,
            "inliers": 0.31,
            "broken": f"31 % inliers {hostile}",
        }
    )
    clock = ClockOffset(
        recording=f"AUV01-PORT{hostile}_0001",
        camera="AUV01-PORT",
        offset_s=-2.31,
        drift_ppm=48.0,
        sigma_s=0.04,
        ambiguous=False,
        detail=hostile,
    )
    return StitchSummary(
        frame=frame,
        placed=place,
        scale=Scale(
            source=source, relative_uncertainty=0.004 if scale else None, detail=f"288 positions {hostile}"
        ),
        clock_offsets=(clock,) if place else (),
        components=(component, adrift),
        seams=(good, broken),
        loops=(Loop(a=0, b=1, overlap_points=8123, shift_m=0.021, rmse_m=0.012, weak_cm=3.4, applied=True),),
        warnings=(f"component 1 is not placed {hostile}",),
        nav_sigma_m=0.05 if place else None,
    )


def _inventory(mission: Path, corner: F64, frame: MapFrame, hostile: str) -> Inventory:
    recordings = []
    for camera in CAMERAS:
        path = Path(f"footage/AUV01/{camera}/GX010001{hostile}.MP4")
        file = FootageFile(
            path=path, size_bytes=1, checksum="0123456789abcdef", device=1, inode=1, mtime_ns=1
        )
        chapter = Chapter(
            number=1,
            files=(file,),
            checksum="0123456789abcdef",
            width=1920,
            height=1080,
            fps=30.0,
            frame_count=2220,
            start_s=0.0,
            duration_s=74.0,
            codec="hevc",
        )
        recordings.append(
            Recording(
                id=f"{camera}{hostile}_0001", camera=camera, number="0001", stills=False, chapters=(chapter,)
            )
        )
    cameras = tuple(
        Camera(id=name, vehicle="AUV01", side=side)
        for name, side in zip(CAMERAS, (Side.PORT, Side.STARBOARD), strict=True)
    )
    nav: tuple[NavLog, ...] = ()
    aoi = None
    if frame.epsg is not None:
        nav = (
            NavLog(
                vehicle="AUV01",
                path=Path("inputs/nav/AUV01.csv"),
                checksum="fedcba9876543210",
                rows=200,
                distinct_positions=200,
                start_utc_s=START_UTC_S,
                end_utc_s=START_UTC_S + 100,
                columns={},
            ),
        )
        aoi = Aoi(path=Path("inputs/aoi.geojson"), checksum="00ff00ff00ff00ff", source=AoiSource.FILE)
        box = corner + np.array([[0, 0], [AREA_M[0], 0], AREA_M, [0, AREA_M[1]], [0, 0]])
        ring = Place(frame).to_lonlat(box).tolist()
        (mission / "inputs").mkdir()
        document = {
            "type": "Feature",
            "properties": {},
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }
        (mission / aoi.path).write_text(json.dumps(document))
    return Inventory(cameras=cameras, recordings=tuple(recordings), nav=nav, aoi=aoi)


def _segments(hostile: str) -> tuple[SegmentResult, ...]:
    results = []
    for camera in CAMERAS:
        for n in range(2):
            name = f"{camera}{hostile}_0001_01_{n:03d}"
            segment = Segment(
                id=name,
                camera=camera,
                recording=f"{camera}{hostile}_0001",
                chapter=1,
                slice=n,
                start_s=37.0 * n,
                own_end_s=37.0 * (n + 1),
                end_s=37.0 * (n + 1) + 4,
                chapters=(1,),
            )
            failed = (camera, n) == (CAMERAS[1], 1)
            results.append(
                SegmentResult(
                    segment=segment,
                    frames=None,
                    inference=None,
                    usable=(),
                    grade=Grade.DEGRADED if n else Grade.PASS,
                    state=JobState.FAILED if failed else JobState.SUCCEEDED,
                    reason=f"Reconstruction stopped {hostile}: replay with more features."
                    if failed
                    else None,
                )
            )
    return tuple(results)


def _verdict(
    inputs: VerdictInputs, stitch: StitchSummary, coverage: CoverageSummary, frame: MapFrame, hostile: str
) -> Verdict:
    gaps = []
    for shape in coverage.gaps:
        dive = shape.certainty is Certainty.CERTAIN
        centre = None
        if frame.epsg is not None:
            lon, lat = Place(frame).to_lonlat(np.array([shape.centre]))[0]
            centre = (float(lon), float(lat))
        gaps.append(
            Gap(
                id=shape.id,
                certainty=shape.certainty,
                cause=shape.cause,
                area_m2=shape.area_m2,
                width_m=shape.width_m,
                centre_lonlat=centre,
                remedy=(
                    f"Dive again over the gap: 1 leg. {hostile}"
                    if dive
                    else "Narrower than the smallest hole."
                ),
                shares=shape.shares,
                distance_to_track_m=shape.distance_to_track_m,
                redive_minutes=0.5 if dive else None,
            )
        )
    scale = coverage.shares.best is not None
    code, text = "gap_not_filmed", "Gap 1: 8.9 m2, up to 9.0 m across, was not filmed"
    if not scale:
        code, text = "no_scale", "There are no metres: no nav, no known baseline, no altitude"
    return Verdict(
        verdict=VerdictWord.NOT_COMPLETE if scale else VerdictWord.CANNOT_TELL,
        reasons=(
            Reason(
                code=code, text=f"{text} {hostile}".strip(), segments=(f"AUV01-PORT{hostile}_0001_01_000",)
            ),
        ),
        coverage=coverage.shares,
        aoi_source=coverage.aoi_source,
        scale=stitch.scale,
        smallest_hole_m=0.5,
        cell_m=CELL_M,
        gaps=tuple(gaps),
        segments=SegmentCounts(by_state={"succeeded": 3, "failed": 1}, by_grade={"pass": 2, "degraded": 2}),
        clock_offsets=stitch.clock_offsets,
        left_out=(
            Problem(
                subject=f"footage/AUV01/GX019999{hostile}.MP4",
                code=ErrorCode.FILE_NO_MOOV,
                cause="The recording was not closed: it has no index (moov).",
                hint="Keep the file. Put the card back in the camera: it repairs recordings that were not closed.",
            ),
        ),
        software={"cosmaqc": "0.1.0", "pycolmap": "4.2.1"},
        params=inputs.params,
        inputs={f"footage/AUV01/AUV01-PORT/GX010001{hostile}.MP4": "0123456789abcdef"},
    )


def without_gaps(made: MadeSurvey) -> MadeSurvey:
    """The same survey with a verdict that needs no dive."""
    return replace(
        made, verdict=made.verdict.model_copy(update={"gaps": (), "verdict": VerdictWord.COMPLETE})
    )
