"""Decode the sampled frames of a slice of a recording: one pass a chapter, from the keyframe before the slice.

One sampling grid serves the whole recording: tick ``k`` is at ``k / frames_per_s`` seconds of recording time, and
takes the frame presented nearest to it (the earlier one of two equally near) in the chapter that holds the tick. So
two segments that share recording time share the very same frames.
"""

import errno
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from math import ceil
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from workers.contract.dive import Chapter, Recording, frame_id
from workers.contract.errors import ErrorCode, FootageMissing, FootageUnreadable

log = logging.getLogger(__name__)

Bgr = npt.NDArray[np.uint8]

MARGIN_S = Fraction(1, 1000)
"""Ticks this close to a chapter's end belong to the next chapter: starts are sums of rounded durations."""

SLACK = Fraction(105, 100)
"""Keyframes every 15 frames at 30000/1001 frames/s are dense enough for 2 a second."""

MAX_BAD_PACKETS = 10_000
"""A container that yields nothing but damage must come to an end."""

SEEK_BACK_S = Fraction(10)
"""How much further back to seek when the first frame decoded already lies behind the first tick."""


@dataclass(frozen=True)
class Picture:
    """A sampled frame: BGR pixels (H,W,3) at working size and the time it was presented.

    ``chapter_time_s`` counts from the chapter's first frame, ``time_s`` from the recording's.
    """

    frame_id: str
    chapter: int
    file: Path
    chapter_time_s: float
    time_s: float
    pixels: Bgr


@dataclass
class DecodeTally:
    """What went by while decoding: packets that could not be decoded, ticks that found no frame."""

    bad_packets: int = 0
    ticks: int = 0
    missing_ticks: int = 0
    warnings: list[str] = field(default_factory=list)


def ticks_of(chapter: Chapter, start_s: float, end_s: float, frames_per_s: float) -> list[Fraction]:
    """Ticks of the recording's grid in [start_s, end_s) that fall into the chapter, in recording seconds."""
    rate = Fraction(frames_per_s).limit_denominator(100_000)
    first_s = max(Fraction(start_s), Fraction(chapter.start_s)) - MARGIN_S
    last_s = min(Fraction(end_s), Fraction(chapter.end_s)) - MARGIN_S
    ticks = []
    k = max(0, ceil(first_s * rate))
    while k / rate < last_s:
        ticks.append(k / rate)
        k += 1
    return ticks


def working_size(width: int, height: int, working_width: int) -> tuple[int, int]:
    """Size of the stored picture: aspect kept, never enlarged, both sides even."""
    scale = min(1.0, working_width / width)
    return max(2, 2 * round(width * scale / 2)), max(2, 2 * round(height * scale / 2))


def sampled(
    recording: Recording,
    start_s: float,
    end_s: float,
    frames_per_s: float,
    size: tuple[int, int],
    tally: DecodeTally,
) -> Iterator[Picture]:
    """The sampled frames of [start_s, end_s) recording seconds, in order, scaled to ``size``.

    Raises:
        FootageMissing: a chapter's file went away.
        FootageUnreadable: a chapter's file cannot be opened as video.
    """
    for chapter in recording.chapters:
        ticks = ticks_of(chapter, start_s, end_s, frames_per_s)
        if ticks:
            yield from _of_chapter(chapter, ticks, Fraction(1) / Fraction(frames_per_s), size, tally)


def _of_chapter(
    chapter: Chapter, ticks: list[Fraction], period_s: Fraction, size: tuple[int, int], tally: DecodeTally
) -> Iterator[Picture]:
    """The frames of one chapter's ticks; each frame once."""
    file = chapter.files[0].path
    offset_s = Fraction(chapter.start_s)
    wanted = [tick - offset_s for tick in ticks]
    tally.ticks += len(wanted)
    found, last_pts_us = 0, -1
    try:
        for at_s, frame in _nearest(file, wanted, period_s, tally):
            found += 1
            pts_us = round(at_s * 1_000_000)
            if pts_us == last_pts_us:
                continue
            last_pts_us = pts_us
            yield Picture(
                frame_id=frame_id(chapter.checksum, pts_us),
                chapter=chapter.number,
                file=file,
                chapter_time_s=float(at_s),
                time_s=float(offset_s + at_s),
                pixels=_pixels(frame, size),
            )
    except av.FFmpegError as error:
        raise _as_footage_error(file, error) from error
    tally.missing_ticks += len(wanted) - found
    if found < len(wanted):
        tally.warnings.append(
            f"{file.name}: {len(wanted) - found} of {len(wanted)} sampling times have no frame"
        )


def _as_footage_error(file: Path, error: av.FFmpegError) -> FootageMissing | FootageUnreadable:
    """A file that cannot be read at all, as the operator meets it."""
    if error.errno in {errno.ENOENT, errno.EIO, errno.ENODEV, errno.ENXIO, errno.ESTALE}:
        return FootageMissing(f"{file} could not be read: {error.strerror}.")
    return FootageUnreadable(f"{file} cannot be decoded: {error.strerror}.", code=ErrorCode.FILE_NOT_VIDEO)


def _nearest(
    file: Path, wanted: list[Fraction], period_s: Fraction, tally: DecodeTally
) -> Iterator[tuple[Fraction, VideoFrame]]:
    """For each wanted chapter time the nearest frame within half a period; times without one are left out."""
    reach_s = period_s * SLACK / 2
    before: tuple[Fraction, VideoFrame] | None = None
    n = 0
    for at_s, frame in _decoded(file, wanted[0] - reach_s, period_s, tally):
        while n < len(wanted) and at_s >= wanted[n]:
            here = (at_s, frame)
            nearest = here if before is None or at_s - wanted[n] < wanted[n] - before[0] else before
            if abs(nearest[0] - wanted[n]) <= reach_s:
                yield nearest
            n += 1
        if n == len(wanted):
            return
        before = (at_s, frame)
    if before is not None:
        yield from (before for tick in wanted[n:] if tick - before[0] <= reach_s)


def _decoded(
    file: Path, from_s: Fraction, period_s: Fraction, tally: DecodeTally
) -> Iterator[tuple[Fraction, VideoFrame]]:
    """Frames from the keyframe at or before ``from_s``, with their times after the chapter's first frame.

    Packets that cannot be decoded are counted and left out.
    """
    back_s = Fraction(0)
    while True:
        with av.open(str(file)) as container:
            if not container.streams.video:
                raise FootageUnreadable(f"{file} holds no video.", code=ErrorCode.FILE_NOT_VIDEO)
            stream = container.streams.video[0]
            _set_up_decoder(stream, period_s)
            target_s = max(Fraction(0), from_s - back_s)
            frames = _from_keyframe(container, stream, target_s, tally)
            first = next(frames, None)
            if first is None:
                return
            if first[0] > from_s and target_s > 0:
                # an index can point behind the time asked for (open GOP, damage): start further back
                back_s = max(SEEK_BACK_S, back_s * 4)
                continue
            yield first
            yield from frames
            return


def _set_up_decoder(stream: VideoStream, period_s: Fraction) -> None:
    """Threads, and keyframes alone where they are at least as dense as the sampling in the whole chapter.

    Frame threads halve the speed of decoding keyframes alone; slice threads do not.
    """
    assert stream.time_base is not None
    times = [entry.timestamp * stream.time_base for entry in stream.index_entries if entry.is_keyframe]
    dense = len(times) > 1 and max(b - a for a, b in pairwise(times)) <= period_s * SLACK
    if dense:
        stream.codec_context.skip_frame = "NONKEY"
    stream.thread_type = "SLICE" if dense else "AUTO"


def _from_keyframe(
    container: InputContainer, stream: VideoStream, target_s: Fraction, tally: DecodeTally
) -> Iterator[tuple[Fraction, VideoFrame]]:
    """Seek to the keyframe at or before ``target_s`` after the first frame and decode on."""
    base = stream.time_base
    assert base is not None
    first_pts = stream.start_time or 0
    if target_s > 0:
        container.seek(first_pts + int(target_s / base), stream=stream, backward=True)
    packets = container.demux(stream)
    while True:
        try:
            frames = next(packets).decode()
        except StopIteration:
            return
        except av.error.InvalidDataError:
            tally.bad_packets += 1
            if tally.bad_packets > MAX_BAD_PACKETS:
                return
            continue
        for frame in frames:
            if isinstance(frame, VideoFrame) and frame.pts is not None and not frame.is_corrupt:
                yield (frame.pts - first_pts) * base, frame


def _pixels(frame: VideoFrame, size: tuple[int, int]) -> Bgr:
    """The frame as BGR at working size; swscale scales and converts in one go."""
    scaled = frame.reformat(width=size[0], height=size[1], format="bgr24", interpolation="AREA")
    return np.ascontiguousarray(scaled.to_ndarray())
