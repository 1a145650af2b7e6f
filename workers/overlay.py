"""A frame as the line sees it: its features, which of them were reconstructed, its measures, usable or not; as PNG.

``python -m workers overlay MISSION FRAME_ID OUT.png`` looks the frame up in the newest outputs of the mission.
"""

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from workers.contract import artefacts, layout
from workers.contract.errors import UsageError
from workers.contract.words import Stage
from workers.media.features import read_colour

MOST_FEATURES = 1500
FOUND = (0, 170, 255)
SHARED = (255, 200, 0)
GOOD, BAD = (90, 220, 120), (255, 110, 60)
LINE_PX = 22


@dataclass(frozen=True)
class View:
    """What is known of one frame; None where no output speaks of it.

    ``shared`` (N,2) are pixels of reconstructed points that the frame shares with the neighbouring segment.
    """

    frame_id: str
    segment: str
    image: Path
    measures: dict[str, str] = field(default_factory=dict)
    usable: bool | None = None
    registered: bool | None = None
    component: int | None = None
    shared: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))


def find(mission: Path, frame_id: str) -> View:
    """Look a frame up in the newest outputs of each stage.

    Raises:
        UsageError: no frames output of the mission has it.
    """
    for table in sorted((mission / layout.WORK / Stage.FRAMES).glob(f"*/*/{artefacts.FRAMES}"), key=_age):
        row = next((r for r in _rows(table) if r["frame_id"] == frame_id), None)
        if row is not None:
            segment = table.parent.parent.name
            return View(
                frame_id=frame_id,
                segment=segment,
                image=table.parent / row["image"],
                measures=_measures(mission, segment, frame_id),
                **_reconstruction(mission, segment, frame_id),
            )
    raise UsageError(f"No frame {frame_id} in {mission}.", "Frame ids are in the frames.csv of each segment.")


def _age(path: Path) -> float:
    return -path.stat().st_mtime


def _newest(mission: Path, stage: Stage, segment: str, name: str) -> Path | None:
    return min((mission / layout.WORK / stage / segment).glob(f"*/{name}"), key=_age, default=None)


def _rows(table: Path) -> list[dict[str, str]]:
    with table.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def _measures(mission: Path, segment: str, frame_id: str) -> dict[str, str]:
    table = _newest(mission, Stage.QUALITY, segment, artefacts.QUALITY)
    row = next((r for r in _rows(table) if r["frame_id"] == frame_id), {}) if table else {}
    return {name: value for name, value in row.items() if name != "frame_id"}


def _reconstruction(mission: Path, segment: str, frame_id: str) -> dict[str, Any]:
    poses = _newest(mission, Stage.INFERENCE, segment, artefacts.POSES)
    if poses is None:
        return {}
    manifest = json.loads((poses.parent / layout.MANIFEST).read_bytes())
    found: dict[str, Any] = {"usable": frame_id in manifest["job"]["inputs"]["usable"]}
    with np.load(poses, allow_pickle=False) as arrays:
        at = np.flatnonzero(arrays["frame_id"] == frame_id)
        found |= {
            "registered": bool(len(at)),
            "component": int(arrays["component"][at[0]]) if len(at) else None,
        }
    with np.load(poses.parent / artefacts.OVERLAP, allow_pickle=False) as arrays:
        found["shared"] = arrays["pixel"][arrays["frame_id"] == frame_id]
    return found


def draw(view: View) -> npt.NDArray[np.uint8]:
    """The picture (H,W,3 RGB) with features, shared points and a caption below."""
    picture = read_colour(view.image)
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    for point in cv2.SIFT.create(nfeatures=MOST_FEATURES).detect(gray, None):
        cv2.circle(picture, (round(point.pt[0]), round(point.pt[1])), 2, FOUND, 1, cv2.LINE_AA)
    for x, y in view.shared - 0.5:  # pixel centres are at .5 in the contract, at whole numbers in OpenCV
        cv2.circle(picture, (round(float(x)), round(float(y))), 3, SHARED, -1, cv2.LINE_AA)
    lines = _caption(view)
    board = np.zeros((LINE_PX * len(lines) + 8, picture.shape[1], 3), np.uint8)
    for n, (text, colour) in enumerate(lines):
        place = (8, LINE_PX * (n + 1) - 4)
        cv2.putText(board, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, 1, cv2.LINE_AA)
    return np.vstack([picture, board])


def _caption(view: View) -> list[tuple[str, tuple[int, int, int]]]:
    white = (235, 235, 235)
    lines = [(view.frame_id, white), (view.segment, white)]
    measures = [f"{name} {float(value):.4g}" for name, value in view.measures.items()]
    lines += [("  ".join(measures[n : n + 3]), white) for n in range(0, len(measures), 3)]
    for name, flag in (("usable", view.usable), ("registered", view.registered)):
        if flag is None:
            lines.append((f"{name}: not known", white))
        else:
            where = f", component {view.component}" if name == "registered" and flag else ""
            lines.append((f"{name}: {'yes' if flag else 'no'}{where}", GOOD if flag else BAD))
    return lines


def main(argv: Sequence[str]) -> int:
    """Draw one frame."""
    parser = argparse.ArgumentParser(prog="python -m workers overlay", description=__doc__)
    parser.add_argument("mission", type=Path)
    parser.add_argument("frame_id")
    parser.add_argument("out", type=Path, help="the PNG to write")
    options = parser.parse_args(argv)
    drawn = draw(find(options.mission, options.frame_id))
    if not cv2.imwrite(str(options.out), cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR)):
        raise UsageError(
            f"{options.out} cannot be written.", "Name a file that ends in .png in a folder that exists."
        )
    sys.stdout.write(f"{options.out}\n")
    return 0
