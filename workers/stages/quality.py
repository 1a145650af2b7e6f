"""04 quality: what each frame shows, measured; which frames are usable is decided later, within the whole dive.

No measure here means anything on its own: sharp sand scores below blurred reef. ``matches`` and ``detail`` come
closest, as they ask what the reconstruction asks: is the same ground found again in the next frame, and down to
which size.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from workers.contract import artefacts
from workers.contract.events import Report
from workers.contract.job import QualityInputs
from workers.contract.params import QualityParams
from workers.media.features import Features, Gray, equalised, extract, match, read_gray

Floats = npt.NDArray[np.float32]

TILE_ROWS, TILE_COLUMNS = 6, 8
DENOISE_SIGMA_PX = 1.0
"""Smoothing before the Laplacian: without it, the noise of a milky frame reads as a third of its sharpness."""

TREND_PART = 32
"""Brightness that changes over more than this part of the width is light and water, not seabed."""

FINE_SIGMA_PX = 2.5
"""Features up to this size (at ``measure_width``) are detail: a milky, blurred spell matches on larger ones alone."""

STILL_PX = 1.5
EDGE_PART = 0.15
"""Matches that stay put within this part of the picture's edge are burnt-in text."""

HOMOGRAPHY_PX = 4.0
HOMOGRAPHY_TRIALS = 500


@dataclass(frozen=True)
class Look:
    """One frame by itself: see ``QUALITY_COLUMNS`` of the contract."""

    sharpness: float
    brightness: float
    contrast: float
    haze: float


@dataclass(frozen=True)
class Verified:
    """Matches of two frames that obey one homography: how many, and the share of them that is fine detail."""

    matches: int
    detail: float


NOTHING = Verified(0, 0.0)


def run(inputs: QualityInputs, params: QualityParams, out: Path, report: Report) -> None:
    """Measure every frame of a frames folder and write ``quality.csv`` in its order."""
    with (inputs.frames / artefacts.FRAMES).open(newline="", encoding="utf-8") as file:
        frames = list(csv.DictReader(file))
    report(0, of=len(frames))
    looks: list[Look] = []
    links: list[Verified] = []
    before: Features | None = None
    for frame in frames:
        gray = at_measure_width(read_gray(inputs.frames / frame["image"]), params.measure_width)
        here = extract(equalised(gray), params.features)
        looks.append(look_at(gray))
        if before is not None:
            links.append(verify(before, here, (gray.shape[1], gray.shape[0])))
        before = here
        report(len(looks), of=len(frames))
    with (out / artefacts.QUALITY).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(artefacts.QUALITY_COLUMNS)
        for frame, look, best in zip(frames, looks, better_of_neighbours(links), strict=True):
            measures = (look.sharpness, look.brightness, look.contrast, look.haze)
            cells = [f"{value:.5g}" for value in measures]
            writer.writerow([frame["frame_id"], *cells, best.matches, f"{best.detail:.4f}"])


def better_of_neighbours(links: Sequence[Verified]) -> list[Verified]:
    """For each of the frames that ``links`` join in a row, the link with more matches."""
    ends = [NOTHING, *links, NOTHING]
    return [max(pair, key=lambda link: link.matches) for pair in pairwise(ends)]


def at_measure_width(gray: Gray, width: int) -> Gray:
    """The picture at the width of the measures; smaller ones stay as they are."""
    if gray.shape[1] <= width:
        return gray
    size = (width, round(gray.shape[0] * width / gray.shape[1]))
    return cv2.resize(gray, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def look_at(gray: Gray) -> Look:
    """Measure one frame. Medians over tiles: a burnt-in text bar or one bright stone does not count."""
    smooth = cv2.GaussianBlur(gray.astype(np.float32), (0, 0), DENOISE_SIGMA_PX).astype(
        np.float32, copy=False
    )
    edges = cv2.Laplacian(smooth, cv2.CV_32F).astype(np.float32, copy=False)
    texture = tiles(smooth - trend(smooth))
    spread = np.percentile(texture, 95, axis=1) - np.percentile(texture, 5, axis=1)
    seen = spread / np.maximum(2 * tiles(smooth).mean(axis=1), 1.0)
    return Look(
        sharpness=float(np.median(tiles(edges).var(axis=1))),
        brightness=float(gray.mean()),
        contrast=float(np.median(spread)),
        haze=float(np.clip(1 - np.median(seen), 0, 1)),
    )


def trend(picture: Floats) -> Floats:
    """What changes slowly over the picture: lamp, vignetting, veil."""
    height, width = picture.shape
    step = max(1, width // 80)
    coarse = cv2.resize(picture, (width // step, height // step), interpolation=cv2.INTER_AREA)
    coarse = cv2.GaussianBlur(coarse, (0, 0), width / TREND_PART / step)
    slow = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return slow.astype(np.float32, copy=False)


def tiles(picture: Floats) -> Floats:
    """The picture cut into tiles, a row of pixels each: (tiles, pixels)."""
    height, width = picture.shape[0] // TILE_ROWS, picture.shape[1] // TILE_COLUMNS
    whole = picture[: height * TILE_ROWS, : width * TILE_COLUMNS]
    return whole.reshape(TILE_ROWS, height, TILE_COLUMNS, width).swapaxes(1, 2).reshape(-1, height * width)


def verify(a: Features, b: Features, size: tuple[int, int]) -> Verified:
    """Matches of two frames of ``size`` (width, height) that obey one homography.

    The seabed is near enough to a plane: a homography turns down chance matches that a fundamental matrix lets
    through (at most 11 of unrelated frames were seen), and keeps hundreds of true ones.
    """
    pairs = match(a.descriptors, b.descriptors)
    one, two = a.keypoints[pairs[:, 0]], b.keypoints[pairs[:, 1]]
    margin = np.array(size) * EDGE_PART
    at_edge = ((one[:, :2] < margin) | (one[:, :2] > np.array(size) - margin)).any(axis=1)
    moved = np.linalg.norm(one[:, :2] - two[:, :2], axis=1) > STILL_PX
    one, two = one[moved | ~at_edge], two[moved | ~at_edge]
    if len(one) < 4:
        return NOTHING
    cv2.setRNGSeed(0)
    _, inliers = cv2.findHomography(
        one[:, :2], two[:, :2], cv2.RANSAC, HOMOGRAPHY_PX, maxIters=HOMOGRAPHY_TRIALS
    )
    good = np.asarray(inliers).ravel() > 0 if inliers is not None else np.zeros(len(one), dtype=bool)
    if not good.any():
        return NOTHING
    sizes = np.maximum(one[good, 2], two[good, 2])
    return Verified(int(good.sum()), float((sizes <= FINE_SIGMA_PX).mean()))
