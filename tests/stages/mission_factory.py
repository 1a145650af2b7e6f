"""Made missions without pictures: tracks over a relief seabed, nav logs, frames and reconstructions, with their truth.

A mission is planned (:class:`Plan`), flown (:class:`Mission`: true poses of every frame) and written as the outputs of
03 frames and 05 inference would be, in arbitrary gauges and with the faults that were asked for.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from workers.contract import artefacts
from workers.contract.artefacts import WorkingCamera
from workers.contract.dive import (
    Camera,
    Chapter,
    FootageFile,
    Inventory,
    NavLog,
    Recording,
    Rig,
    Segment,
    frame_id,
)
from workers.contract.job import SegmentResult, StitchInputs, VehicleOf
from workers.contract.words import Backend, Grade, JobState, Side
from workers.geometry import F64, Bools, Ints
from workers.geometry.attitude import NADIR, exp_so3, from_yaw_pitch_roll
from workers.geometry.place import Place
from workers.geometry.sim3 import Sim3
from workers.stages.inference.outputs import Component, Result, Shot, Sightings, write

START_UTC_S = 1_778_578_200.0  # 2026-05-12 09:30:00
SITE_LON_LAT = (5.9, 43.1)
PICTURE = (848, 480)
FOCAL_PX = 848 / 2 / math.tan(math.radians(41.0))
TRUTH_CELL_M = 0.05
STEP_S = 0.1


@dataclass(frozen=True)
class CameraPlan:
    """A camera on its vehicle: lever (body frame, m), mount turn about the body's axes (deg), clock error (s)."""

    name: str = "PORT"
    lever_m: tuple[float, float, float] = (0.0, 0.15, 0.0)
    mount_deg: tuple[float, float, float] = (0.0, 0.0, 0.0)
    clock_error_s: float = 0.0
    has_clock: bool = True


PORT = CameraPlan("PORT", (0.0, 0.15, 0.0), clock_error_s=1.3)
STBD = CameraPlan("STBD", (0.0, -0.15, 0.0), clock_error_s=-0.8)


@dataclass(frozen=True)
class NavPlan:
    """How nav is logged. ``walk_m``: sigma of slow noise that lasts ``walk_s``, beside white ``noise_m``."""

    noise_m: float = 0.03
    walk_m: float = 0.0
    walk_s: float = 30.0
    interval_s: float = 0.25
    heading: bool = True
    attitude: bool = True
    depth: bool = True
    altitude: bool = True
    nose_down_positive: bool = False
    heading_error_deg: float = 0.0
    gaps: tuple[tuple[float, float], ...] = ()
    jump_m: tuple[float, float] = (0.0, 0.0)
    jump_at_s: float | None = None
    refused: str | None = None
    given: bool = True


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong with one camera (``vehicle-camera``, or ``*``) between two true times.

    ``kind``: ``unusable`` (frames not usable), ``unregistered`` (usable, not reconstructed; splits the component),
    ``spurious`` (a component of its own, of a wrong shape, too large by the factor ``size``), ``outliers`` (every third
    frame ``size`` metres off), ``jump`` (in a segment that begins before ``end_s``, all after ``start_s`` lies ``size``
    metres further along x), ``bow`` (``size`` metres sideways in the middle), ``broken_seam`` (shared points that do
    not agree), ``tilted`` (poses turned by ``size`` degrees).
    """

    kind: str
    start_s: float = 0.0
    end_s: float = math.inf
    size: float = 1.0
    camera: str = "*"


@dataclass(frozen=True)
class Plan:
    """What is to be flown: parallel legs along x, each at a y, by vehicles in turn."""

    seed: int = 0
    area_m: tuple[float, float] = (8.0, 4.5)
    legs_y_m: tuple[float, ...] = (0.3, 1.3, 2.3, 3.3, 4.3)
    before_m: float = 0.8
    vehicles: int = 1
    cameras: tuple[CameraPlan, ...] = (PORT, STBD)
    nav: NavPlan = NavPlan()
    navs: tuple[NavPlan, ...] = ()
    speed_m_s: float = 0.5
    altitude_m: float = 1.6
    relief_m: float = 0.15
    wobble_deg: float = 2.0
    frames_per_s: float = 2.0
    segment_s: float = 60.0
    overlap_s: float = 4.0
    pose_noise_m: float = 0.004
    drift_m: float = 0.01
    points_per_m2: float = 60.0
    faults: tuple[Fault, ...] = ()
    film: tuple[float, float] = (0.0, math.inf)
    lon_lat: tuple[float, float] = SITE_LON_LAT

    def nav_of(self, number: int) -> NavPlan:
        """The nav plan of a vehicle."""
        return self.navs[number] if self.navs else self.nav


@dataclass(frozen=True)
class Flight:
    """True path every :data:`STEP_S`: ``time_s`` (N,), ``xyz`` (N,3), ``angles`` (N,3: yaw, pitch, roll)."""

    vehicle: str
    time_s: F64
    xyz: F64
    angles: F64

    def at(self, time_s: F64) -> tuple[F64, F64]:
        """Positions (M,3) and ``R_world_body`` (M,3,3)."""
        xyz = np.stack([np.interp(time_s, self.time_s, self.xyz[:, k]) for k in range(3)], axis=1)
        yaw, pitch, roll = (np.interp(time_s, self.time_s, self.angles[:, k]) for k in range(3))
        return xyz, from_yaw_pitch_roll(yaw, pitch, roll)


@dataclass(frozen=True)
class Filmed:
    """One camera's recording: true times and poses of its frames; ``usable`` (N,)."""

    camera: str
    vehicle: str
    plan: CameraPlan
    start_s: float
    time_s: F64
    poses: F64
    usable: Bools

    @property
    def recording(self) -> str:
        """Its only recording."""
        return f"{self.camera}_0012"

    @cached_property
    def frame_ids(self) -> list[str]:
        """Ids of its frames."""
        return [frame_id(f"sum-{self.camera}", round(t * 1e6)) for t in self.time_s - self.start_s]


@dataclass(frozen=True)
class Mission:
    """A flown mission. The true frame is the UTM zone minus ``place``'s origin."""

    plan: Plan
    place: Place
    origin: F64
    flights: tuple[Flight, ...]
    filmed: tuple[Filmed, ...]
    waves: F64 = field(repr=False)

    def height_m(self, xy: F64) -> F64:
        """Height of the seabed (...,) at places (...,2)."""
        local = xy - self.origin
        height = np.full(local.shape[:-1], -18.0)
        for kx, ky, phase, size in self.waves:
            height = height + size * np.sin(kx * local[..., 0] + ky * local[..., 1] + phase)
        return height

    def truth_views(self) -> F64:
        """Clear views per true cell of the area (rows from south), by plain projection of every cell in every frame."""
        width, height = self.plan.area_m
        x = np.arange(TRUTH_CELL_M / 2, width, TRUTH_CELL_M)
        y = np.arange(TRUTH_CELL_M / 2, height, TRUTH_CELL_M)
        xy = np.stack(np.meshgrid(x, y), axis=-1) + self.origin
        ground = np.dstack([xy, self.height_m(xy)])
        views = np.zeros(ground.shape[:2])
        for one in self.filmed:
            for pose in one.poses[one.usable]:
                views += _in_picture(pose, ground)
        return views

    def has_hole(self, side_m: float = 0.6) -> bool:
        """Whether the truth has a square of that side in which no cell has three clear views."""
        from scipy.ndimage import binary_erosion

        side = round(side_m / TRUTH_CELL_M)
        return bool(binary_erosion(np.pad(self.truth_views() < 3, 1), np.ones((side, side), bool)).any())


def _in_picture(pose: F64, ground: F64) -> Bools:
    local = (ground - pose[:3, 3]) @ pose[:3, :3]
    depth = np.maximum(local[..., 2], 1e-6)
    u = FOCAL_PX * local[..., 0] / depth + PICTURE[0] / 2
    v = FOCAL_PX * local[..., 1] / depth + PICTURE[1] / 2
    seen: Bools = (local[..., 2] > 0) & (u >= 0) & (u <= PICTURE[0]) & (v >= 0) & (v <= PICTURE[1])
    return seen


def fly(plan: Plan) -> Mission:
    """Fly a plan: seeded, so that the same plan gives the same mission."""
    random = np.random.default_rng(plan.seed)
    place = Place.at(*plan.lon_lat)
    origin = np.round(place.to_map(np.array([plan.lon_lat[0]]), np.array([plan.lon_lat[1]]))[0])
    waves = np.column_stack(
        [
            random.normal(0, 1.2, (6, 2)),
            random.uniform(0, 6.3, 6),
            random.uniform(0.2, 1.0, 6) * plan.relief_m / 2,
        ]
    )
    mission = Mission(plan, place, origin, (), (), waves)
    flights = tuple(_flight(mission, n, random) for n in range(plan.vehicles))
    filmed = tuple(_film(plan, flight, camera) for flight in flights for camera in plan.cameras)
    return Mission(plan, place, origin, flights, filmed, waves)


def _flight(mission: Mission, number: int, random: np.random.Generator) -> Flight:
    plan = mission.plan
    legs = plan.legs_y_m[number :: plan.vehicles]
    flat, yaw = _lawn_mower(legs, (-plan.before_m, plan.area_m[0] + plan.before_m), plan.speed_m_s)
    n = len(flat)

    def slow(sigma: float, seconds: float) -> F64:
        return _slow_noise(random, n, sigma, seconds)

    xy = flat + mission.origin + np.column_stack([slow(0.03, 4.0), slow(0.03, 4.0)])
    z = np.asarray(gaussian_filter1d(mission.height_m(xy), 2.0 / STEP_S), float)
    z = z + plan.altitude_m + slow(0.03, 3.0)
    wobble = math.radians(plan.wobble_deg)
    angles = np.column_stack([yaw + slow(wobble, 3.0), slow(wobble, 3.0), slow(wobble, 3.0)])
    time_s: F64 = np.asarray(np.arange(n) * STEP_S, float)
    return Flight(f"AUV{number + 1:02d}", time_s, np.column_stack([xy, z]), np.asarray(angles, float))


def _slow_noise(
    random: np.random.Generator, n: int, sigma: float, seconds: float, step_s: float = STEP_S
) -> F64:
    """Noise (N,) of a given sigma and correlation time."""
    if sigma <= 0.0:
        return np.zeros(n)
    width = max(seconds / step_s, 0.5)
    pad = int(4 * width)
    raw = gaussian_filter1d(random.normal(size=n + 2 * pad), width)
    noise: F64 = raw[pad : pad + n] * sigma * math.sqrt(2.0 * math.sqrt(math.pi) * width)
    return noise


def _lawn_mower(legs: Sequence[float], x: tuple[float, float], speed: float) -> tuple[F64, F64]:
    """Positions (N,2) and yaw (N,): legs along x, joined by half circles."""
    step = speed * STEP_S
    points, yaws = [], []
    for k, y in enumerate(legs):
        ahead = k % 2 == 0
        xs = np.arange(x[0], x[1], step)
        xs = xs if ahead else x[0] + x[1] - xs
        points.append(np.column_stack([xs, np.full(len(xs), y)]))
        yaws.append(np.full(len(xs), 0.0 if ahead else math.pi))
        if k + 1 < len(legs):
            radius = (legs[k + 1] - y) / 2.0
            turn = np.arange(0.0, math.pi, step / max(abs(radius), 0.3))
            out = 1.0 if ahead else -1.0
            end = x[1] if ahead else x[0]
            points.append(
                np.column_stack([end + out * abs(radius) * np.sin(turn), y + radius - radius * np.cos(turn)])
            )
            sign = out * np.sign(radius)
            yaws.append((0.0 if ahead else math.pi) + sign * turn)
    return np.concatenate(points), np.unwrap(np.concatenate(yaws))


def _film(plan: Plan, flight: Flight, camera: CameraPlan) -> Filmed:
    start, end = max(plan.film[0], 0.0), min(plan.film[1], float(flight.time_s[-1]))
    time_s = np.arange(start, end, 1.0 / plan.frames_per_s)
    name = f"{flight.vehicle}-{camera.name}"
    usable = np.ones(len(time_s), bool)
    for fault in _faults(plan, name, "unusable"):
        usable &= (time_s < fault.start_s) | (time_s >= fault.end_s)
    return Filmed(name, flight.vehicle, camera, start, time_s, camera_poses(flight, camera, time_s), usable)


def camera_poses(flight: Flight, camera: CameraPlan, time_s: F64) -> F64:
    """True camera-to-map poses (M,4,4)."""
    xyz, body = flight.at(time_s)
    poses = np.tile(np.eye(4), (len(time_s), 1, 1))
    poses[:, :3, :3] = body @ exp_so3(np.radians(np.array(camera.mount_deg)))[0] @ NADIR
    poses[:, :3, 3] = xyz + body @ np.array(camera.lever_m)
    return poses


def _faults(plan: Plan, camera: str, kind: str) -> list[Fault]:
    return [fault for fault in plan.faults if fault.kind == kind and fault.camera in ("*", camera)]


# ------------------------------------------------------------------------------------------------ writing


class Silent:
    """A report that nobody reads."""

    def __call__(self, done: int, *, of: int) -> None:
        """Progress."""

    def figure(self, name: str, value: float, unit: str = "") -> None:
        """A figure."""

    def warn(self, code: str, text: str) -> None:
        """A warning."""


@dataclass(frozen=True)
class Written:
    """A mission on disk."""

    mission: Mission
    inputs: StitchInputs
    aoi: Path


def write_mission(mission: Mission, folder: Path, *, rig: Rig | None = None) -> Written:
    """Write nav, AOI, frames and reconstructions; ``folder`` is created."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = mission.plan
    random = np.random.default_rng(plan.seed + 1_000_003)
    navs = []
    for number, flight in enumerate(mission.flights):
        if plan.nav_of(number).given:
            navs.append(_write_nav(mission, flight, plan.nav_of(number), folder, random))
    seabed = _seabed_points(mission, random)
    segments: list[SegmentResult] = []
    for filmed in mission.filmed:
        segments += _write_segments(mission, filmed, seabed, folder, random)
    inventory = Inventory(
        cameras=tuple(
            Camera(id=one.camera, vehicle=one.vehicle, side=Side.UNKNOWN) for one in mission.filmed
        ),
        recordings=tuple(_recording(one, plan) for one in mission.filmed),
        nav=tuple(navs),
        rig=rig,
    )
    vehicles = tuple(
        VehicleOf(camera=one.camera, vehicle=one.vehicle, side=Side.UNKNOWN) for one in mission.filmed
    )
    inputs = StitchInputs(inventory=inventory, vehicles=vehicles, segments=tuple(segments), telemetry={})
    return Written(mission, inputs, _write_aoi(mission, folder))


def _write_aoi(mission: Mission, folder: Path) -> Path:
    width, height = mission.plan.area_m
    ring = np.array([[0, 0], [width, 0], [width, height], [0, height], [0, 0]]) + mission.origin
    path = folder / "aoi.geojson"
    path.write_text(
        json.dumps({"type": "Polygon", "coordinates": [mission.place.to_lonlat(ring).tolist()]}),
        encoding="utf-8",
    )
    return path


def _write_nav(
    mission: Mission, flight: Flight, plan: NavPlan, folder: Path, random: np.random.Generator
) -> NavLog:
    time_s = np.arange(0.0, flight.time_s[-1], plan.interval_s)
    for first, last in plan.gaps:
        time_s = time_s[(time_s < first) | (time_s >= last)]
    xyz, _ = flight.at(time_s)
    angles = np.stack([np.interp(time_s, flight.time_s, flight.angles[:, k]) for k in range(3)], axis=1)
    noise = random.normal(0.0, plan.noise_m, (len(time_s), 2)) if plan.noise_m > 0 else 0.0
    slow = [_slow_noise(random, len(time_s), plan.walk_m, plan.walk_s, plan.interval_s) for _ in range(2)]
    there = xyz[:, :2] + noise + np.column_stack(slow)
    if plan.jump_at_s is not None:
        there[time_s >= plan.jump_at_s] += np.array(plan.jump_m)
    lonlat = mission.place.to_lonlat(there)
    turn = mission.place.convergence_rad(*mission.plan.lon_lat)
    altitude = xyz[:, 2] - mission.height_m(xyz[:, :2])
    columns: dict[str, F64] = {"latitude_deg": lonlat[:, 1], "longitude_deg": lonlat[:, 0]}
    if plan.depth:
        columns["depth_m"] = -xyz[:, 2]
    if plan.altitude:
        columns["altitude_m"] = altitude
    if plan.heading:
        columns["heading_deg"] = np.mod(
            90.0 - np.degrees(angles[:, 0] - turn) + plan.heading_error_deg, 360.0
        )
    if plan.attitude:
        columns["pitch_deg"] = np.degrees(angles[:, 1]) * (1.0 if plan.nose_down_positive else -1.0)
        columns["roll_deg"] = np.degrees(angles[:, 2])
    path = folder / f"{flight.vehicle}_nav.csv"
    stamps = [datetime.fromtimestamp(START_UTC_S + t, UTC).isoformat(timespec="milliseconds") for t in time_s]
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["timestamp_utc", *columns])
        values = [[f"{value:.9f}" for value in column] for column in columns.values()]
        rows.writerows(zip(stamps, *values, strict=True))
    return NavLog(
        vehicle=flight.vehicle,
        path=path,
        checksum="-",
        rows=len(time_s),
        distinct_positions=len(time_s),
        start_utc_s=START_UTC_S,
        end_utc_s=START_UTC_S + float(time_s[-1]),
        columns={},
        refused=plan.refused,
    )


def _recording(filmed: Filmed, plan: Plan) -> Recording:
    duration = float(filmed.time_s[-1] - filmed.start_s) + 1.0 / plan.frames_per_s
    file = FootageFile(path=Path("GX010012.MP4"), size_bytes=1, checksum="-", device=0, inode=0, mtime_ns=0)
    chapter = Chapter(
        number=1,
        files=(file,),
        checksum="-",
        width=PICTURE[0],
        height=PICTURE[1],
        fps=plan.frames_per_s,
        frame_count=len(filmed.time_s),
        start_s=0.0,
        duration_s=duration,
        codec="h264",
    )
    # The camera's clock shows too little by its error, so nav time = camera time + error.
    stated = START_UTC_S + filmed.start_s - filmed.plan.clock_error_s
    return Recording(
        id=filmed.recording,
        camera=filmed.camera,
        number="0012",
        stills=False,
        chapters=(chapter,),
        start_utc_s=stated if filmed.plan.has_clock else None,
    )


@dataclass(frozen=True)
class _Points:
    xyz: F64
    tree: cKDTree


def _seabed_points(mission: Mission, random: np.random.Generator) -> _Points:
    """Points on the seabed near the tracks."""
    centres = np.concatenate([one.poses[:, :2, 3] for one in mission.filmed])
    low, high = centres.min(0) - 2.0, centres.max(0) + 2.0
    count = int(np.prod(high - low) * mission.plan.points_per_m2)
    xy = random.uniform(low, high, (count, 2))
    return _Points(np.column_stack([xy, mission.height_m(xy)]), cKDTree(xy))


def _write_segments(
    mission: Mission, filmed: Filmed, seabed: _Points, folder: Path, random: np.random.Generator
) -> list[SegmentResult]:
    plan, results = mission.plan, []
    total = float(filmed.time_s[-1] - filmed.start_s) + 1e-6
    recorded = filmed.time_s - filmed.start_s
    ids = filmed.frame_ids
    for k in range(max(1, math.ceil(total / plan.segment_s))):
        start, own_end = k * plan.segment_s, min((k + 1) * plan.segment_s, total)
        end = min(own_end + plan.overlap_s, total)
        segment = Segment(
            id=f"{filmed.recording}_01_{k:03d}",
            camera=filmed.camera,
            recording=filmed.recording,
            chapter=1,
            slice=k,
            start_s=start,
            own_end_s=own_end,
            end_s=end,
            chapters=(1,),
        )
        index = np.flatnonzero((recorded >= start) & (recorded < end))
        frames = folder / "frames" / segment.id
        _write_frames(filmed, index, ids, frames)
        usable = index[filmed.usable[index]]
        inference = folder / "inference" / segment.id
        done = _write_inference(mission, filmed, usable, seabed, inference, random)
        results.append(
            SegmentResult(
                segment=segment,
                frames=frames,
                inference=inference if done else None,
                usable=tuple(ids[n] for n in usable),
                grade=Grade.PASS if done else Grade.FAIL,
                state=JobState.SUCCEEDED if done else JobState.SKIPPED,
            )
        )
    return results


def _write_frames(filmed: Filmed, index: Ints, ids: Sequence[str], folder: Path) -> None:
    folder.mkdir(parents=True)
    camera = WorkingCamera(
        width=PICTURE[0],
        height=PICTURE[1],
        fx=FOCAL_PX,
        fy=FOCAL_PX,
        cx=PICTURE[0] / 2,
        cy=PICTURE[1] / 2,
    )
    (folder / artefacts.CAMERA).write_text(camera.model_dump_json(), encoding="utf-8")
    with (folder / artefacts.FRAMES).open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(artefacts.FRAME_COLUMNS)
        for n in index:
            t = f"{filmed.time_s[n] - filmed.start_s:.6f}"
            rows.writerow([ids[n], t, 1, t, f"{filmed.camera}/GX010012.MP4", f"images/{ids[n]}.jpg"])


def _write_inference(
    mission: Mission,
    filmed: Filmed,
    usable: Ints,
    seabed: _Points,
    folder: Path,
    random: np.random.Generator,
) -> bool:
    components = []
    for part, wrong in _parts(mission.plan, filmed, usable):
        if len(part) >= 8:
            components.append(_component(mission, filmed, usable, part, wrong, seabed, random))
    if not components:
        return False
    folder.mkdir(parents=True)
    ids = filmed.frame_ids
    shots = [Shot(ids[n], float(filmed.time_s[n] - filmed.start_s), Path(ids[n])) for n in usable]
    result = Result(
        backend=Backend.COLMAP,
        versions={},
        shots=shots,
        components=sorted(components, key=lambda one: -len(one.shots)),
        reprojection_error_px=0.5,
        focal_px=FOCAL_PX,
        seconds=0.0,
    )
    write(result, folder, Silent())
    return True


def _parts(plan: Plan, filmed: Filmed, usable: Ints) -> list[tuple[Ints, Fault | None]]:
    """Frames that hang together, and the fault of a spurious component."""
    time_s = filmed.time_s[usable]
    label = np.concatenate([[0], np.cumsum(np.diff(time_s) > 5.0)]) if len(usable) else np.zeros(0, int)
    spurious: list[tuple[Ints, Fault | None]] = []
    left = np.ones(len(usable), bool)
    for kind in ("unregistered", "spurious"):
        for fault in _faults(plan, filmed.camera, kind):
            inside = (time_s >= fault.start_s) & (time_s < fault.end_s)
            if kind == "spurious":
                spurious.append((usable[inside], fault))
            left &= ~inside
            label = label + (time_s >= fault.end_s)
    parts: list[tuple[Ints, Fault | None]] = [
        (usable[left & (label == value)], None) for value in np.unique(label)
    ]
    return parts + spurious


def _component(
    mission: Mission,
    filmed: Filmed,
    usable: Ints,
    part: Ints,
    wrong: Fault | None,
    seabed: _Points,
    random: np.random.Generator,
) -> Component:
    """The true poses and points, deformed by drift and faults, in a random gauge."""
    plan = mission.plan
    true = filmed.poses[part]
    poses = _with_faults(plan, filmed, part, true, wrong, random)
    off = poses[:, :3, 3] - true[:, :3, 3]
    sparse = np.arange(0, len(part), 4)
    near = seabed.tree.query_ball_point(true[sparse, :2, 3], plan.altitude_m * 0.8)
    points = np.unique(np.concatenate([np.array(one, int) for one in near]))
    nearest = cKDTree(true[:, :2, 3]).query(seabed.xyz[points, :2])[1]
    smooth_off = gaussian_filter1d(off, 2.0, axis=0) if len(off) > 8 else off
    moved = seabed.xyz[points] + smooth_off[nearest] + random.normal(0, plan.pose_noise_m, (len(points), 3))
    broken = any(
        fault.start_s <= filmed.time_s[part[0]] < fault.end_s
        for fault in _faults(plan, filmed.camera, "broken_seam")
    )
    axis = random.normal(size=3) * 1.5
    gauge = Sim3(float(np.exp(random.normal(0, 0.5))), exp_so3(axis)[0], random.normal(0, 5, 3))
    own = gauge.apply(moved)
    local = {int(n): k for k, n in enumerate(usable)}
    sightings = _sightings(filmed, part, local, seabed, points, own, random, broken=broken)
    k = np.array([[FOCAL_PX, 0, PICTURE[0] / 2], [0, FOCAL_PX, PICTURE[1] / 2], [0, 0, 1]])
    return Component(
        shots=np.array([local[int(n)] for n in part]),
        camera_to_world=gauge.of_poses(poses),
        K=np.tile(k, (len(part), 1, 1)),
        points=own,
        colours=np.full((len(own), 3), 128, np.uint8),
        sightings=sightings,
    )


def _with_faults(
    plan: Plan, filmed: Filmed, part: Ints, true: F64, wrong: Fault | None, random: np.random.Generator
) -> F64:
    poses, time_s, n = true.copy(), filmed.time_s[part], len(part)
    for axis in range(3):
        poses[:, axis, 3] += random.normal(0, plan.pose_noise_m, n)
        poses[:, axis, 3] += _slow_noise(random, n, plan.drift_m, 15.0, 1.0 / plan.frames_per_s)
    turn = exp_so3(random.normal(0, math.radians(0.1), (n, 3)))
    poses[:, :3, :3] = turn @ poses[:, :3, :3]
    for fault in plan.faults:
        if fault.camera not in ("*", filmed.camera):
            continue
        inside = (time_s >= fault.start_s) & (time_s < fault.end_s)
        if fault.kind == "outliers":
            hit = np.flatnonzero(inside)[::3]
            poses[hit, :2, 3] += _directions(random, len(hit)) * fault.size
        elif fault.kind == "jump" and (time_s < fault.end_s).any():
            poses[time_s >= fault.start_s, 0, 3] += fault.size
        elif fault.kind == "bow" and inside.any():
            share = (time_s - time_s[0]) / max(float(np.ptp(time_s)), 1e-6)
            poses[:, 1, 3] += fault.size * 4.0 * share * (1.0 - share)
        elif fault.kind == "tilted":
            poses[inside, :3, :3] = exp_so3(np.radians([[fault.size, 0.0, 0.0]]))[0] @ poses[inside, :3, :3]
    if wrong is not None:
        middle = poses[:, :3, 3].mean(0)
        poses[:, :3, 3] = middle + (poses[:, :3, 3] - middle) * wrong.size
        poses[:, :3, 3] += random.normal(0, 0.1 * plan.altitude_m, (n, 3))
    return poses


def _directions(random: np.random.Generator, n: int) -> F64:
    angle = random.uniform(0, 2 * math.pi, n)
    return np.column_stack([np.cos(angle), np.sin(angle)])


def _sightings(
    filmed: Filmed,
    part: Ints,
    local: dict[int, int],
    seabed: _Points,
    points: Ints,
    own: F64,
    random: np.random.Generator,
    *,
    broken: bool,
) -> Sightings:
    """What the first and last frames see; the pixel is that of the true scene, the same in both segments."""
    ends = np.unique(np.concatenate([part[:12], part[-12:]]))
    shots, pixels, xyz = [], [], []
    for n in ends:
        pose = filmed.poses[n]
        seen = seabed.xyz[points]
        near = (seen - pose[:3, 3]) @ pose[:3, :3]
        u = FOCAL_PX * near[:, 0] / near[:, 2] + PICTURE[0] / 2
        v = FOCAL_PX * near[:, 1] / near[:, 2] + PICTURE[1] / 2
        inside = np.flatnonzero((u > 0) & (u < PICTURE[0]) & (v > 0) & (v < PICTURE[1]))[:200]
        shots.append(np.full(len(inside), local[int(n)]))
        pixels.append(np.column_stack([u[inside], v[inside]]))
        xyz.append(own[inside] if not broken else own[random.permutation(len(own))[: len(inside)]])
    count = sum(len(one) for one in shots)
    return Sightings(np.concatenate(shots), np.concatenate(pixels), np.concatenate(xyz), np.ones(count))


def random_plan(seed: int) -> Plan:
    """A survey with lanes left out here and there, nav from very good to poor, and up to three faults."""
    random = np.random.default_rng(seed)
    spacing = float(random.uniform(1.4, 2.0))
    count = int(random.integers(4, 6))
    flown = [k for k in range(count) if k in (0, count - 1) or random.random() > 0.35]
    legs = tuple(0.6 + spacing * k for k in flown)
    length = 25.0 * len(flown)
    faults = []
    for _ in range(int(random.integers(0, 4))):
        start = float(random.uniform(0.0, length - 15.0))
        kind = str(
            random.choice(
                ["unusable", "unregistered", "spurious", "outliers", "jump", "bow", "broken_seam", "tilted"]
            )
        )
        camera = str(random.choice(["*", "AUV01-PORT", "AUV01-STBD"]))
        low, high = _SIZES.get(kind, (1.0, 1.0))
        lasts = 4.1 if kind == "spurious" else float(random.uniform(5.0, 15.0))
        faults.append(Fault(kind, start, start + lasts, float(random.uniform(low, high)), camera))
    nav = NavPlan(
        noise_m=float(10 ** random.uniform(-2.0, -0.8)),
        walk_m=float(random.choice([0.0, 0.0, 0.03, 0.1, 0.25])),
        walk_s=float(random.choice([2.0, 5.0, 12.0])),
        interval_s=float(random.choice([0.25, 1.0])),
        attitude=bool(random.random() > 0.2),
        depth=bool(random.random() > 0.2),
        altitude=bool(random.random() > 0.2),
        nose_down_positive=bool(random.random() > 0.7),
        jump_at_s=length / 2.0 if random.random() < 0.1 else None,
        jump_m=(0.0, 0.8),
    )
    cameras = tuple(
        CameraPlan(one.name, one.lever_m, clock_error_s=float(random.choice([0.0, 2.0, 40.0, -3600.0])))
        for one in (PORT, STBD)
    )
    return Plan(
        seed=seed,
        area_m=(7.0, 0.6 * 2 + spacing * (count - 1)),
        legs_y_m=legs,
        cameras=cameras,
        nav=nav,
        segment_s=40.0,
        faults=tuple(faults),
        drift_m=float(random.uniform(0.0, 0.03)),
    )


_SIZES = {
    "spurious": (1.2, 3.0),
    "outliers": (0.5, 3.0),
    "jump": (0.3, 3.0),
    "bow": (0.1, 1.0),
    "tilted": (5.0, 40.0),
}
