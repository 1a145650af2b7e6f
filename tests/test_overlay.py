"""A frame's debug view."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from workers.contract import artefacts, layout
from workers.overlay import draw, find

FRAME = "0123456789abcdef_000000500000"


@pytest.fixture
def mission(tmp_path: Path) -> Path:
    """A mission of one segment with one frame: measured, usable, not registered."""
    frames = tmp_path / "work/frames/seg/aaaaaaaaaaaa"
    (frames / "images").mkdir(parents=True)
    noise = np.random.default_rng(1).integers(0, 255, (120, 160, 3), np.uint8)
    cv2.imwrite(str(frames / "images" / "one.jpg"), cv2.GaussianBlur(noise, (5, 5), 0))
    _table(
        frames / artefacts.FRAMES, {**dict.fromkeys(artefacts.FRAME_COLUMNS, "0"), "image": "images/one.jpg"}
    )
    quality = tmp_path / "work/quality/seg/bbbbbbbbbbbb"
    quality.mkdir(parents=True)
    _table(quality / artefacts.QUALITY, dict.fromkeys(artefacts.QUALITY_COLUMNS, "1.5"))
    inference = tmp_path / "work/inference/seg/cccccccccccc"
    inference.mkdir(parents=True)
    np.savez(inference / artefacts.POSES, frame_id=np.array(["other"]), component=np.array([0]))
    np.savez(
        inference / artefacts.OVERLAP,
        frame_id=np.array([FRAME, "other"]),
        pixel=np.array([[5.5, 6.5], [1, 1]]),
    )
    (inference / layout.MANIFEST).write_text(json.dumps({"job": {"inputs": {"usable": [FRAME]}}}))
    return tmp_path


def _table(path: Path, row: dict[str, str]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, row)
        writer.writeheader()
        writer.writerow({**row, "frame_id": FRAME})


def test_that_a_frame_is_found_with_all_that_is_known_of_it(mission: Path) -> None:
    view = find(mission, FRAME)
    assert (view.segment, view.usable, view.registered) == ("seg", True, False)
    assert view.measures["sharpness"] == "1.5"
    assert view.shared.tolist() == [[5.5, 6.5]]


def test_that_the_view_is_the_picture_with_a_caption_below(mission: Path) -> None:
    drawn = draw(find(mission, FRAME))
    assert drawn.shape[0] > 120
    assert drawn.shape[1:] == (160, 3)


def test_that_a_frame_without_quality_or_inference_is_drawn_all_the_same(mission: Path) -> None:
    import shutil

    shutil.rmtree(mission / "work/quality")
    shutil.rmtree(mission / "work/inference")
    view = find(mission, FRAME)
    assert (view.usable, view.registered) == (None, None)
    assert draw(view).shape[0] > 120


def test_that_the_command_writes_a_png_or_says_why_not(mission: Path) -> None:
    def run(frame: str) -> int:
        command = [sys.executable, "-m", "workers", "overlay", str(mission), frame, str(mission / "out.png")]
        return subprocess.run(command, check=False, capture_output=True).returncode

    assert run(FRAME) == 0
    assert cv2.imread(str(mission / "out.png")) is not None
    assert run("nowhere") == 2
