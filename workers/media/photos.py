"""Read the stills of a slice of a recording as sampled frames."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from workers.contract.dive import Chapter, Recording, frame_id
from workers.media.decode import Bgr, DecodeTally, Picture

FULL_FRAME_WIDTH_MM = 36.0
"""EXIF's 35 mm equivalent focal length refers to a film frame this wide."""

ASPECT_TOLERANCE = 0.02


def pictures_of_stills(
    recording: Recording, start_s: float, end_s: float, size: tuple[int, int], tally: DecodeTally
) -> Iterator[Picture]:
    """The stills of [start_s, end_s) recording seconds, in order, scaled to ``size`` (never enlarged).

    Stills that cannot be read, or of another shape than the first, are left out with a warning.
    """
    for chapter in recording.chapters:
        for file, time_s in zip(chapter.files, chapter.times_s, strict=True):
            if not start_s <= time_s < end_s:
                continue
            tally.ticks += 1
            pixels = _read(file.path, chapter, size, tally)
            if pixels is None:
                tally.missing_ticks += 1
                continue
            yield Picture(
                frame_id=frame_id(file.checksum, 0),
                chapter=chapter.number,
                file=file.path,
                chapter_time_s=time_s - chapter.start_s,
                time_s=time_s,
                pixels=pixels,
            )


def _read(path: Path, chapter: Chapter, size: tuple[int, int], tally: DecodeTally) -> Bgr | None:
    """One still at working size, or None with a warning in the tally."""
    pixels = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        tally.warnings.append(f"{path.name} cannot be decoded and was left out.")
        return None
    height, width = pixels.shape[:2]
    if abs((width / height) / (chapter.width / chapter.height) - 1) > ASPECT_TOLERANCE:
        tally.warnings.append(f"{path.name} is {width}x{height}, unlike the others, and was left out.")
        return None
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def focal_prior_px(path: Path, size: tuple[int, int]) -> float | None:
    """Focal length in pixels of a picture ``size`` wide, from the still's EXIF 35 mm equivalent; None without."""
    try:
        with Image.open(path) as image:
            focal_mm = image.getexif().get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.FocalLengthIn35mmFilm)
    except (OSError, UnidentifiedImageError, SyntaxError):
        return None
    return float(focal_mm) / FULL_FRAME_WIDTH_MM * size[0] if focal_mm else None
