"""03 frames: which frames are taken, that neighbours share them to the last bit, and what damage does."""

import csv
import math
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.stages.footage_factory import (
    Heard,
    Picture,
    footage_file,
    recording_of,
    slice_of,
    stills_of,
    write_video,
)
from workers.contract.artefacts import WorkingCamera
from workers.contract.errors import ErrorCode, FootageChanged, FootageMissing, FootageUnreadable
from workers.contract.job import FramesInputs
from workers.contract.params import FramesParams
from workers.media.decode import ticks_of, working_size
from workers.stages import frames

NTSC = Fraction(30000, 1001)


def moving(count: int, size: tuple[int, int] = (96, 64), seed: int = 0) -> list[Picture]:
    """Pictures (H,W,3) panning over noise; each differs from all others."""
    width, height = size
    scene = np.random.default_rng(seed).integers(0, 255, (height, width + 4 * count, 3), dtype=np.uint8)
    scene = cv2.GaussianBlur(scene, (0, 0), 2.0).astype(np.uint8)
    return [np.ascontiguousarray(scene[:, 4 * n : 4 * n + width]) for n in range(count)]


def sample(inputs: FramesInputs, out: Path, params: FramesParams | None = None) -> list[dict[str, str]]:
    """Run the stage; the rows of ``frames.csv``."""
    out.mkdir()
    frames.run(inputs, params or FramesParams(), out, Heard())
    with (out / "frames.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_that_neighbours_share_frames_to_the_last_bit_across_a_chapter(tmp_path: Path) -> None:
    pictures = moving(80)
    files = [
        write_video(path, part, g="13", bf="3", preset="medium")
        for path, part in (
            (tmp_path / "GX010001.MP4", pictures[:40]),
            (tmp_path / "GX020001.MP4", pictures[40:]),
        )
    ]
    recording = recording_of(files)
    one = sample(slice_of(recording, 0.0, 5.0), tmp_path / "one")
    two = sample(slice_of(recording, 2.0, 8.0), tmp_path / "two")
    shared = {row["frame_id"] for row in one} & {row["frame_id"] for row in two}
    # 2 <= t < 5 s at 2 a second, over the end of the first chapter at 4 s
    assert len(shared) == 6
    for name in shared:
        picture = f"images/{name}.jpg"
        assert (tmp_path / "one" / picture).read_bytes() == (tmp_path / "two" / picture).read_bytes()


def test_that_a_frame_is_the_one_nearest_its_tick_and_keeps_its_presentation_time(tmp_path: Path) -> None:
    recording = recording_of([write_video(tmp_path / "a.mp4", moving(75), rate=NTSC)])
    rows = sample(slice_of(recording, 0.0, 2.5), tmp_path / "out")
    times = [float(row["recording_time_s"]) for row in rows]
    assert times == pytest.approx([n * float(1 / NTSC) for n in (0, 15, 30, 45, 60)], abs=1e-6)
    checksum = recording.chapters[0].checksum
    assert rows[1]["frame_id"] == f"{checksum}_{round(15 * 1e6 / NTSC):012d}"


def test_that_the_pictures_stored_are_those_at_their_times(tmp_path: Path) -> None:
    pictures = moving(40)
    recording = recording_of([write_video(tmp_path / "a.mp4", pictures, crf="10")])
    rows = sample(slice_of(recording, 1.0, 4.0), tmp_path / "out")
    for row in rows:
        true = pictures[round(float(row["recording_time_s"]) * 10)]
        stored = cv2.imread(str(tmp_path / "out" / row["image"]))
        assert stored is not None
        assert np.abs(stored.astype(int) - true).mean() < 6


@pytest.mark.parametrize("keyframe_every", [1, 5, 40])
def test_that_sampling_does_not_depend_on_how_dense_the_keyframes_are(
    tmp_path: Path, keyframe_every: int
) -> None:
    every = str(keyframe_every)
    file = write_video(tmp_path / "a.mp4", moving(40), g=every, keyint_min=every, sc_threshold="0")
    recording = recording_of([file])
    rows = sample(slice_of(recording, 0.5, 3.0), tmp_path / "out")
    assert [float(row["recording_time_s"]) for row in rows] == [0.5, 1.0, 1.5, 2.0, 2.5]


def test_that_a_slow_camera_gives_each_frame_once(tmp_path: Path) -> None:
    recording = recording_of([write_video(tmp_path / "a.mp4", moving(6), rate=1)])
    rows = sample(slice_of(recording, 0.0, 6.0), tmp_path / "out")
    assert [float(row["recording_time_s"]) for row in rows] == [0, 1, 2, 3, 4, 5]


def test_that_ticks_of_two_chapters_join_without_gap_or_double() -> None:
    third = 1001 / 300

    class Span:
        def __init__(self, start_s: float, end_s: float) -> None:
            self.start_s, self.end_s = start_s, end_s

    ticks = [*ticks_of(Span(0, third), 0, 10, 2), *ticks_of(Span(third, 2 * third), 0, 10, 2)]  # type: ignore[arg-type]
    assert ticks == [Fraction(n, 2) for n in range(len(ticks))]
    assert len(ticks) == 14


@pytest.mark.parametrize(
    ("size", "working"),
    [
        ((3840, 2160), (960, 540)),
        ((5312, 2988), (960, 540)),
        ((848, 480), (848, 480)),
        ((853, 481), (852, 480)),
    ],
)
def test_that_pictures_keep_their_shape_and_are_never_enlarged(
    size: tuple[int, int], working: tuple[int, int]
) -> None:
    assert working_size(*size, 960) == working


def test_that_damage_in_the_middle_costs_its_own_frames_alone(tmp_path: Path) -> None:
    file = write_video(tmp_path / "a.mp4", moving(120, (160, 120)), g="10", keyint_min="10")
    content = bytearray(file.read_bytes())
    start = content.index(b"mdat")
    span = (content.index(b"moov") - start) // 6
    noise = np.random.default_rng(1).integers(0, 255, span, dtype=np.uint8).tobytes()
    content[start + 2 * span : start + 3 * span] = noise
    file.write_bytes(content)
    heard = Heard()
    out = tmp_path / "out"
    out.mkdir()
    frames.run(slice_of(recording_of([file]), 0.0, 12.0), FramesParams(), out, heard)
    with (out / "frames.csv").open(newline="") as rows:
        times = [float(row["recording_time_s"]) for row in csv.DictReader(rows)]
    assert 12 <= len(times) < 24
    assert times[0] == 0.0
    assert times[-1] == 11.5
    assert {"undecodable", "frames_missing"} & {code for code, _ in heard.warnings}


def test_that_a_file_of_which_nothing_can_be_decoded_is_named(tmp_path: Path) -> None:
    file = write_video(tmp_path / "a.mp4", moving(20))
    content = bytearray(file.read_bytes())
    start, end = content.index(b"mdat") + 4, content.index(b"moov") - 4
    content[start:end] = b"\xff" * (end - start)
    file.write_bytes(content)
    with pytest.raises(FootageUnreadable) as error:
        sample(slice_of(recording_of([file]), 0.0, 2.0), tmp_path / "out")
    assert error.value.code is ErrorCode.FILE_NO_FRAMES


def test_that_footage_is_checked_before_it_is_read(tmp_path: Path) -> None:
    file = write_video(tmp_path / "a.mp4", moving(20))
    inputs = slice_of(recording_of([file]), 0.0, 2.0)
    write_video(file, moving(20, seed=1))
    with pytest.raises(FootageChanged):
        sample(inputs, tmp_path / "one")
    file.unlink()
    with pytest.raises(FootageMissing):
        sample(inputs, tmp_path / "two")


def test_that_a_fisheye_picture_becomes_a_pinhole_picture(tmp_path: Path) -> None:
    width, height, hfov_deg, wide_deg = 640, 360, 82.0, 118.0
    params = FramesParams(lens="wide", hfov_deg=hfov_deg, wide_hfov_deg=wide_deg)
    camera = frames.working_camera(params, (width, height), None)
    angle = math.radians(30.0)
    fisheye = np.zeros((height, width, 3), np.uint8)
    from_centre = angle * width / math.radians(wide_deg)
    cv2.circle(fisheye, (round(width / 2 + from_centre - 0.5), height // 2), 3, (255, 255, 255), -1)
    pinhole = frames.undistortion(params, camera)(fisheye)
    x = np.average(np.arange(width) + 0.5, weights=pinhole[..., 0].sum(axis=0))
    assert x == pytest.approx(width / 2 + camera.fx * math.tan(angle), abs=1.0)


def test_that_a_brown_distortion_of_nothing_changes_nothing() -> None:
    params = FramesParams(lens="brown")
    camera = frames.working_camera(params, (96, 64), None)
    picture = moving(1)[0]
    assert np.abs(frames.undistortion(params, camera)(picture).astype(int) - picture).max() <= 1


def test_that_stills_keep_their_order_and_their_own_focal_length(tmp_path: Path) -> None:
    files = []
    for n, picture in enumerate(moving(6, (120, 80))):
        image = Image.fromarray(picture[..., ::-1].copy())
        exif = image.getexif()
        exif.get_ifd(0x8769)[0xA405] = 24  # 35 mm equivalent
        files.append(tmp_path / f"still_{n}.jpg")
        image.save(files[-1], exif=exif, quality=95)
    rows = sample(slice_of(stills_of(files, (120, 80)), 1.0, 5.0), tmp_path / "out")
    assert [row["frame_id"] for row in rows] == [f"{footage_file(f).checksum}_{0:012d}" for f in files[1:5]]
    assert [float(row["recording_time_s"]) for row in rows] == [1, 2, 3, 4]
    camera = WorkingCamera.model_validate_json((tmp_path / "out" / "camera.json").read_text())
    assert camera.fx == pytest.approx(24 / 36 * 120)


def test_that_an_unreadable_still_and_one_of_another_shape_are_left_out_and_told(tmp_path: Path) -> None:
    files = []
    for n, picture in enumerate(moving(4, (120, 80))):
        files.append(tmp_path / f"{n}.png")
        cv2.imwrite(str(files[-1]), picture)
    files[1].write_bytes(b"no picture")
    cv2.imwrite(str(files[2]), moving(1, (80, 120))[0])
    heard, out = Heard(), tmp_path / "out"
    out.mkdir()
    frames.run(slice_of(stills_of(files, (120, 80)), 0.0, 4.0), FramesParams(), out, heard)
    assert heard.figures["frames"] == 2
    assert len([text for _, text in heard.warnings if "1.png" in text or "2.png" in text]) == 2


def test_that_every_frame_is_a_cancel_point(tmp_path: Path) -> None:
    inputs = slice_of(recording_of([write_video(tmp_path / "a.mp4", moving(40))]), 0.0, 4.0)
    with pytest.raises(KeyboardInterrupt):
        frames.run(inputs, FramesParams(), tmp_path, Heard(stop_at=3, stop_with=KeyboardInterrupt()))  # type: ignore[arg-type]
    assert len(list((tmp_path / "images").iterdir())) == 3


def test_that_the_reef_clip_gives_two_frames_a_second(shared: Path, tmp_path: Path) -> None:
    recording = recording_of([shared / "data/gopro_reef_underwater/reef_clip.mp4"])
    rows = sample(slice_of(recording, 0.0, recording.duration_s), tmp_path / "out")
    assert len(rows) == 15
    assert float(rows[-1]["recording_time_s"]) == pytest.approx(7.0, abs=0.03)
    picture = cv2.imread(str(tmp_path / "out" / rows[0]["image"]))
    assert picture is not None
    assert picture.shape == (540, 960, 3)
