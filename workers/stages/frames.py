"""03 frames: the sampled frames of a segment, undistorted, at working size, with their presentation times."""

import csv
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from workers.contract import artefacts
from workers.contract.artefacts import WorkingCamera
from workers.contract.dive import Recording
from workers.contract.errors import ErrorCode, FootageUnreadable
from workers.contract.events import Report
from workers.contract.job import FramesInputs
from workers.contract.params import FramesParams
from workers.media.checksums import check_unchanged
from workers.media.decode import Bgr, DecodeTally, Picture, sampled, ticks_of, working_size
from workers.media.photos import focal_prior_px, pictures_of_stills

Undistort = Callable[[Bgr], Bgr]


def run(inputs: FramesInputs, params: FramesParams, out: Path, report: Report) -> None:
    """Write ``images/``, ``frames.csv`` and ``camera.json`` of one segment.

    Raises:
        FootageMissing, FootageChanged: the footage is not what was ingested.
        FootageUnreadable: not one frame could be decoded.
    """
    segment, recording = inputs.segment, inputs.recording
    for chapter in recording.chapters:
        for file in chapter.files:
            check_unchanged(file)
    size = working_size(recording.chapters[0].width, recording.chapters[0].height, params.working_width)
    tally = DecodeTally()
    if recording.stills:
        pictures = pictures_of_stills(recording, segment.start_s, segment.end_s, size, tally)
    else:
        pictures = sampled(recording, segment.start_s, segment.end_s, params.frames_per_s, size, tally)
    camera = working_camera(params, size, _focal_prior(recording, size))
    rows = _store(pictures, undistortion(params, camera), params, out, _expected(inputs, params), report)
    for warning in tally.warnings:
        report.warn("frames_missing", warning)
    if tally.bad_packets:
        report.warn("undecodable", f"{tally.bad_packets} packets could not be decoded and were left out.")
    if not rows:
        raise FootageUnreadable(
            f"Not one frame of segment {segment.id} could be decoded.", code=ErrorCode.FILE_NO_FRAMES
        )
    with (out / artefacts.FRAMES).open("w", newline="", encoding="utf-8") as file_out:
        writer = csv.writer(file_out)
        writer.writerow(artefacts.FRAME_COLUMNS)
        writer.writerows(rows)
    (out / artefacts.CAMERA).write_text(camera.model_dump_json(indent=2), encoding="utf-8")
    report.figure("frames", len(rows))


def _expected(inputs: FramesInputs, params: FramesParams) -> int:
    """How many frames the segment should give."""
    segment, recording = inputs.segment, inputs.recording
    if recording.stills:
        times = [t for chapter in recording.chapters for t in chapter.times_s]
        return sum(segment.start_s <= t < segment.end_s for t in times)
    return sum(
        len(ticks_of(chapter, segment.start_s, segment.end_s, params.frames_per_s))
        for chapter in recording.chapters
    )


def _store(
    pictures: Iterator[Picture],
    undistort: Undistort,
    params: FramesParams,
    out: Path,
    expected: int,
    report: Report,
) -> list[tuple[str, str, int, str, str, str]]:
    """Write the pictures as JPEG; return the rows of ``frames.csv``."""
    (out / artefacts.IMAGES).mkdir(parents=True, exist_ok=True)
    report(0, of=expected)
    rows = []
    for picture in pictures:
        image = f"{artefacts.IMAGES}/{picture.frame_id}.jpg"
        _write_jpeg(out / image, undistort(picture.pixels), params.jpeg_quality)
        rows.append(
            (
                picture.frame_id,
                f"{picture.time_s:.6f}",
                picture.chapter,
                f"{picture.chapter_time_s:.6f}",
                str(picture.file),
                image,
            )
        )
        report(len(rows), of=max(expected, len(rows)))
    return rows


def _write_jpeg(path: Path, pixels: Bgr, quality: int) -> None:
    """Encode in memory and write with Python, so that a full disk is an OSError and not a silent False."""
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    path.write_bytes(data.tobytes())


def _focal_prior(recording: Recording, size: tuple[int, int]) -> float | None:
    """Focal length in working pixels from a still's EXIF, if there is any."""
    return focal_prior_px(recording.chapters[0].files[0].path, size) if recording.stills else None


def working_camera(params: FramesParams, size: tuple[int, int], focal_px: float | None) -> WorkingCamera:
    """The pinhole camera of the stored pictures: EXIF focal length where known, else ``hfov_deg``."""
    width, height = size
    if focal_px is None:
        focal_px = width / 2 / math.tan(math.radians(params.hfov_deg) / 2)
    return WorkingCamera(width=width, height=height, fx=focal_px, fy=focal_px, cx=width / 2, cy=height / 2)


def undistortion(params: FramesParams, camera: WorkingCamera) -> Undistort:
    """What turns a scaled picture into that of the pinhole ``camera``.

    ``wide`` takes the lens as an equidistant fisheye (r = f theta) whose picture spans ``wide_hfov_deg`` across.
    """
    if params.lens == "linear":
        return lambda pixels: pixels
    size = (camera.width, camera.height)
    # OpenCV puts the origin at the centre of the top left pixel
    K = np.array([[camera.fx, 0, camera.cx - 0.5], [0, camera.fy, camera.cy - 0.5], [0, 0, 1]])
    distortion = np.array(params.distortion)
    if params.lens == "wide":
        focal = camera.width / 2 / (math.radians(params.wide_hfov_deg) / 2)
        lens = np.array([[focal, 0, camera.cx - 0.5], [0, focal, camera.cy - 0.5], [0, 0, 1]])
        maps = cv2.fisheye.initUndistortRectifyMap(lens, distortion, np.eye(3), K, size, cv2.CV_16SC2)
    else:
        maps = cv2.initUndistortRectifyMap(K, distortion, np.eye(3), K, size, cv2.CV_16SC2)
    return lambda pixels: cv2.remap(pixels, maps[0], maps[1], cv2.INTER_LINEAR).astype(np.uint8, copy=False)
