"""The files of a demo dive: chapters as a GoPro leaves them, nav log, area of interest, truth."""

import csv
import json
import math
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
import numpy as np
from av.video.stream import VideoStream

from workers.demo.recipe import (
    METRES_PER_DEG,
    ORIGIN_LAT_LON_DEG,
    START_UTC,
    VEHICLE,
    CameraMount,
    DemoRecipe,
)
from workers.demo.render import Pinhole, Renderer
from workers.demo.seabed import Picture, Seabed
from workers.demo.survey import Survey, camera_to_world
from workers.demo.truth import count_views, describe

_NAV_COLUMNS = (
    "timestamp_utc", "latitude_deg", "longitude_deg", "depth_m", "altitude_m", "heading_deg", "pitch_deg", "roll_deg",
)  # fmt: skip
_NAV_NOISE_M = 0.03
_SEABED_DEPTH_M = 18.0
# fixed thread counts, so that the bytes do not depend on the machine
_ENCODERS = {
    "h264": ("libx264", "avc1", "GoPro AVC", {"preset": "veryfast", "crf": "20", "threads": "2"}),
    "hevc": (
        "libx265", "hvc1", "GoPro H.265",
        {"preset": "ultrafast", "crf": "22", "x265-params": "log-level=none:frame-threads=1:pools=2"},
    ),
}  # fmt: skip

Progress = Callable[[int, int], None]


def write_dive(
    folder: Path, recipe: DemoRecipe, ground: tuple[Seabed, Survey], progress: Progress | None = None
) -> None:
    """Write every file of the dive into an existing empty folder, laid out as a vehicle's drive is."""
    seabed, survey = ground
    coverage = count_views(recipe, seabed, survey)
    np.savez_compressed(
        folder / "truth_coverage.npz", filmed_views=coverage.filmed_views, clear_views=coverage.clear_views
    )
    (folder / "truth.json").write_text(json.dumps(describe(recipe, survey, coverage)), encoding="utf-8")
    (folder / "aoi.geojson").write_text(json.dumps(_aoi(recipe)), encoding="utf-8")
    _write_nav(folder / f"{VEHICLE}_nav.csv", recipe, seabed, survey)
    of = len(survey.frame_times_s(recipe.fps)) * len(recipe.cameras)
    for order, mount in enumerate(recipe.cameras):
        card = folder / VEHICLE / mount.name / "DCIM" / "100GOPRO"
        card.mkdir(parents=True)
        for done in _film(card, recipe, (seabed, survey), mount):
            if progress is not None:
                progress(order * of // len(recipe.cameras) + done, of)


def _film(card: Path, recipe: DemoRecipe, ground: tuple[Seabed, Survey], mount: CameraMount) -> Iterator[int]:
    """Render and encode one camera's recording chapter by chapter; yields the number of frames written."""
    seabed, survey = ground
    times_s = survey.frame_times_s(recipe.fps)
    poses, milky = survey.at(times_s), survey.is_turbid(times_s)
    renderer = Renderer(seabed, Pinhole.of(recipe), recipe.seed)
    each = round(recipe.chapter_s * recipe.fps)
    for chapter, first in enumerate(range(0, len(times_s), each), start=1):
        clock = START_UTC + timedelta(seconds=first / recipe.fps + mount.clock_error_s)
        path = card / f"GX{chapter:02d}{mount.file_number:04d}.MP4"
        with ChapterWriter(path, recipe, f"{clock:%Y-%m-%dT%H:%M:%S}.000000Z") as writer:
            for n in range(first, min(first + each, len(times_s))):
                rng = np.random.default_rng([recipe.seed, 3, mount.file_number, n])
                pose = camera_to_world(poses[n], mount.offset_body_m)
                writer.add(renderer.frame(pose, rng, bool(milky[n])))
                yield n + 1


class ChapterWriter:
    """One MP4 with the camera's clock in ``creation_time``, cut to whole seconds as GoPro does."""

    def __init__(self, path: Path, recipe: DemoRecipe, creation_time: str) -> None:
        encoder, tag, handler, options = _ENCODERS[recipe.codec]
        self._container = av.open(path, "w", format="mp4", options={"fflags": "+bitexact"})
        self._container.metadata["creation_time"] = creation_time
        rate = Fraction(recipe.fps).limit_denominator(1001)
        stream = self._container.add_stream(encoder, rate=rate, options=options)
        assert isinstance(stream, VideoStream)
        self._stream = stream
        self._stream.width, self._stream.height = recipe.size_px
        self._stream.pix_fmt = "yuv420p"
        self._stream.gop_size = max(1, round(recipe.fps))
        self._stream.max_b_frames = 0
        self._stream.codec_context.codec_tag = tag
        self._stream.metadata["creation_time"] = creation_time
        self._stream.metadata["handler_name"] = handler

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(EOFError):
            self._container.mux(self._stream.encode(None))
        self._container.close()

    def add(self, bgr: Picture) -> None:
        """Append one frame."""
        self._container.mux(self._stream.encode(av.VideoFrame.from_ndarray(bgr, format="bgr24")))


def _lat_lon_deg(x_m: float, y_m: float) -> tuple[float, float]:
    lat0, lon0 = ORIGIN_LAT_LON_DEG
    return lat0 + y_m / METRES_PER_DEG, lon0 + x_m / (METRES_PER_DEG * math.cos(math.radians(lat0)))


def _aoi(recipe: DemoRecipe) -> dict[str, object]:
    """The area as a GeoJSON polygon, counter-clockwise from the origin."""
    width, height = recipe.area_m
    corners = ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height), (0.0, 0.0))
    ring = [list(_lat_lon_deg(x, y)[::-1]) for x, y in corners]
    polygon = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "properties": {"name": "AOI"}, "geometry": polygon}
    return {"type": "FeatureCollection", "features": [feature]}


def _write_nav(path: Path, recipe: DemoRecipe, seabed: Seabed, survey: Survey) -> None:
    """The vehicle's nav log: noisy position, true depth, altitude and attitude (pitch positive nose down)."""
    rng = np.random.default_rng([recipe.seed, 4])
    times_s = survey.nav_times_s()
    poses = survey.at(times_s)
    ground_m = seabed.ground_m(poses[:, :1].astype(np.float32), poses[:, 1:2].astype(np.float32))[:, 0]
    noise_m = rng.normal(0.0, _NAV_NOISE_M, (len(times_s), 2))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_NAV_COLUMNS)
        for time_s, pose, ground, noise in zip(times_s, poses, ground_m, noise_m, strict=True):
            lat, lon = _lat_lon_deg(pose[0] + noise[0], pose[1] + noise[1])
            yaw, pitch, roll = np.degrees(pose[3:6])
            stamp = (START_UTC + timedelta(seconds=float(time_s))).isoformat(timespec="milliseconds")
            position = (
                f"{lat:.9f}",
                f"{lon:.9f}",
                f"{_SEABED_DEPTH_M - pose[2]:.3f}",
                f"{pose[2] - ground:.3f}",
            )
            writer.writerow((stamp, *position, f"{(90 - yaw) % 360:.2f}", f"{pitch:.2f}", f"{roll:.2f}"))
