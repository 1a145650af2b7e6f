"""SIFT features of a picture and their matches: the same picture gives the same features, wherever it is read.

Neighbouring segments find their common points by equal pixels of equal frames, so nothing here depends on other
pictures or on chance.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

Gray = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Pairs = npt.NDArray[np.uint32]

CONTRAST_THRESHOLD = 0.02
"""OpenCV's default of 0.04 leaves dark, milky seabed without features; the strongest are kept anyway."""


@dataclass(frozen=True)
class Features:
    """Keypoints and descriptors of one picture.

    ``keypoints`` (N,4): x, y in pixels with (0, 0) the top left corner of the picture, scale, orientation (rad).
    ``descriptors`` (N,128): RootSIFT of unit length.
    """

    keypoints: Floats
    descriptors: Floats


def read_gray(path: Path) -> Gray:
    """A stored picture as grey values (H,W).

    Raises:
        OSError: the file cannot be read or decoded.
    """
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE)
    if pixels is None:
        raise OSError(f"{path} is not a picture")
    return pixels.astype(np.uint8, copy=False)


def read_colour(path: Path) -> Gray:
    """A stored picture as RGB values (H,W,3).

    Raises:
        OSError: the file cannot be read or decoded.
    """
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR_RGB)
    if pixels is None:
        raise OSError(f"{path} is not a picture")
    return pixels.astype(np.uint8, copy=False)


def equalised(gray: Gray) -> Gray:
    """Local contrast raised (CLAHE): brings out features in dark or hazy water, and noise with them."""
    return cv2.createCLAHE(clipLimit=3.0, tileGridSize=(8, 8)).apply(gray).astype(np.uint8, copy=False)


def extract(gray: Gray, count: int) -> Features:
    """The ``count`` strongest SIFT features, one a pixel position."""
    sift = cv2.SIFT.create(nfeatures=count, contrastThreshold=CONTRAST_THRESHOLD, enable_precise_upscale=True)
    found, descriptors = sift.detectAndCompute(gray, None)
    if descriptors is None or not len(found):
        return Features(np.zeros((0, 4), np.float32), np.zeros((0, 128), np.float32))
    keypoints = np.array(
        [(k.pt[0] + 0.5, k.pt[1] + 0.5, k.size / 2, np.deg2rad(k.angle)) for k in found], dtype=np.float32
    )
    strength = np.array([k.response for k in found])
    # strongest first; a point with two orientations is one pixel, and a pixel names one point of the scene
    order = np.lexsort((keypoints[:, 1], keypoints[:, 0], -strength))
    _, first = np.unique(keypoints[order, :2], axis=0, return_index=True)
    keep = order[np.sort(first)][:count]
    root = np.sqrt(descriptors[keep] / np.maximum(descriptors[keep].sum(1, keepdims=True), 1e-9))
    return Features(keypoints[keep], np.ascontiguousarray(root, dtype=np.float32))


def match(a: Floats, b: Floats, ratio: float = 0.8) -> Pairs:
    """Mutual nearest neighbours that pass Lowe's ratio test, (M,2) indices into the descriptors ``a`` and ``b``."""
    if len(a) < 2 or len(b) < 2:
        return np.zeros((0, 2), np.uint32)
    likeness = a @ b.T
    rows = np.arange(len(a))
    best = likeness.argmax(1)
    back = likeness.argmax(0)
    first = likeness[rows, best]
    likeness[rows, best] = -1
    second = likeness.max(1)
    # unit vectors: squared distance = 2 - 2 cos
    good = (1 - first < ratio**2 * (1 - second)) & (back[best] == rows)
    return np.column_stack((rows[good], best[good])).astype(np.uint32)
