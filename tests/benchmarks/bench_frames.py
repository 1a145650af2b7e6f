"""Frame extraction against the ffmpeg program: the same frames, at the same size, as JPEG.

``python -m tests.benchmarks.bench_frames``. On a 4K HEVC clip made on the spot, on one whose keyframes are as dense
as the sampling, and on a chapter of a shared dive.
"""

import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.stages.footage_factory import Heard, Picture, recording_of, slice_of, write_video
from workers.contract.dive import Recording
from workers.contract.params import FramesParams
from workers.stages import frames

SIZE = (3840, 2160)
RATE = 30
SECONDS = 12
SHARED = Path(os.environ.get("COSMAQC_SHARED", Path(__file__).resolve().parents[3] / "shared"))
CHAPTER = "dives/one_leg_missing/AUV01/PORT/DCIM/100GOPRO/GX010012.MP4"


def survey(seconds: int) -> Iterator[Picture]:
    """4K pictures (H,W,3) of a slow pan over speckle."""
    width, height = SIZE
    noise = np.random.default_rng(0).integers(0, 255, (height // 2, width // 2 + 2000, 3), dtype=np.uint8)
    scene = cv2.resize(cv2.GaussianBlur(noise, (0, 0), 1.5), None, fx=2, fy=2)
    for n in range(seconds * RATE):
        yield np.ascontiguousarray(scene[:, 6 * n : 6 * n + width]).astype(np.uint8)


def clip(folder: Path, keyframe_every: int) -> Path:
    """A 4K HEVC clip, as a GoPro writes it."""
    settings = f"keyint={keyframe_every}:min-keyint={keyframe_every}:scenecut=0:log-level=none"
    name = folder / f"keyframe_every_{keyframe_every}.mp4"
    return write_video(
        name, survey(SECONDS), rate=RATE, codec="libx265", crf="24", **{"x265-params": settings}
    )


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds, child processes included."""

    def processor_s() -> float:
        uses = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(use.ru_utime + use.ru_stime for use in uses)

    began, used = time.perf_counter(), processor_s()
    work()
    return time.perf_counter() - began, processor_s() - used


def ours(recording: Recording, out: Path) -> tuple[float, float]:
    """Stage 03 over the whole recording."""
    out.mkdir()
    inputs = slice_of(recording, 0.0, recording.duration_s)
    return timed(lambda: frames.run(inputs, FramesParams(), out, Heard()))


def theirs(ffmpeg: str, file: Path, every: Fraction, size: tuple[int, int], out: Path) -> tuple[float, float]:
    """The ffmpeg program: every so many frames, scaled, as JPEG."""
    out.mkdir()
    chosen = f"select=not(mod(n\\,{every})),scale={size[0]}:{size[1]}:flags=area"
    command = [ffmpeg, "-v", "error", "-i", str(file), "-vf", chosen, "-vsync", "0", "-q:v", "2"]
    return timed(lambda: subprocess.run([*command, str(out / "%05d.jpg")], check=True))


def compare(ffmpeg: str, name: str, file: Path, folder: Path) -> str:
    """One line of the table."""
    recording = recording_of([file])
    wall, used = ours(recording, folder / f"{name}-ours")
    stored = sorted((folder / f"{name}-ours" / "images").iterdir())
    picture = cv2.imread(str(stored[0]))
    assert picture is not None
    every = Fraction(recording.chapters[0].fps).limit_denominator(1000) / 2
    size = (picture.shape[1], picture.shape[0])
    wall_ffmpeg, used_ffmpeg = theirs(ffmpeg, file, every, size, folder / f"{name}-ffmpeg")
    other = len(list((folder / f"{name}-ffmpeg").iterdir()))
    ours_said = f"{len(stored):4d} {wall:8.2f} {used:8.2f}"
    return f"{name:34s} {ours_said} | {other:4d} {wall_ffmpeg:8.2f} {used_ffmpeg:8.2f}"


def main() -> str | None:
    """Print the table; a reason when nothing could be compared."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        return "NOT COMPARED: there is no ffmpeg program; apt install ffmpeg"
    print("\n03 frames against ffmpeg: frames, wall s, processor s")
    print(f"{'':34s} {'ours':>22s} | {'ffmpeg':>22s}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for keyframe_every in (RATE, RATE // 2):
            file = clip(folder, keyframe_every)
            print(compare(ffmpeg, f"4K HEVC, keyframe every {keyframe_every / RATE:g} s", file, folder))
        if (SHARED / CHAPTER).exists():
            print(compare(ffmpeg, "rendered dive, 848x480 H.264", SHARED / CHAPTER, folder))
        else:
            print(f"NOT COMPARED on a rendered dive: there is no {SHARED / CHAPTER}; set COSMAQC_SHARED")
    return None


@pytest.mark.benchmark
def test_bench_frames() -> None:
    reason = main()
    if reason:
        pytest.skip(reason)


if __name__ == "__main__":
    print(main() or "")
