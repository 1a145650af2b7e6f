"""What a video's header says, and how much of what it promises is really there.

Only the index and at most some dozen frames are read, so that a full card is probed in seconds. The index
gives position and size of every packet: packets that end behind the end of the file were cut off. A card that
was pulled out can also leave a file of full size whose tail is zeros: there the last keyframe does not decode,
and bisecting over the keyframes finds how far the picture goes.
"""

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import av.error
from av.container import InputContainer
from av.video.stream import VideoStream

from workers.contract.errors import ErrorCode, FootageUnreadable

_ISO_MEDIA = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"uuid", b"moof", b"pnot"})
_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm,mpegts,mpeg"
_MIN_SIDE_PX, _MAX_SIDE_PX = 16, 16384
_MAX_DURATION_S = 100 * 3600
_PACKETS_PER_DECODE = 16
_KEYFRAME_SEARCH = 3
CUT_OFF_HINT = "What is there is used. Copy the file again; if the card has no more, dive that stretch again."


@dataclass(frozen=True)
class Probe:
    """A video that can be used.

    ``fps`` is frames per second as a fraction; ``frame_count`` is what is really there, ``promised_frames``
    what the header says. ``creation_time`` is ISO 8601 as written (GoPro labels local time ``Z``). ``loss``
    says what is missing, None when nothing is.
    """

    width: int
    height: int
    fps: Fraction
    frame_count: int
    promised_frames: int
    codec: str
    creation_time: str | None
    has_gpmf: bool
    loss: str | None = None

    @property
    def duration_s(self) -> float:
        """Length of what is there, seconds: frames / rate."""
        return float(self.frame_count / self.fps)

    @property
    def promised_duration_s(self) -> float:
        """Length that the header promises, seconds."""
        return float(self.promised_frames / self.fps)


@dataclass(frozen=True)
class _Packet:
    end: int
    timestamp: int
    keyframe: bool


def probe(path: Path) -> Probe:
    """Read a video's header and check its two ends.

    Args:
        path: a file that looks like a video by its name.

    Raises:
        FootageUnreadable: it is empty, not closed (no ``moov``), not a video, or holds no frame.
        OSError: it cannot be read at all.
    """
    size_bytes = path.stat().st_size
    if size_bytes == 0:
        cause = f"{path} is empty (0 bytes)."
        raise FootageUnreadable(
            cause, "Copy it again from the card, if it is longer there.", ErrorCode.FILE_EMPTY
        )
    boxes = top_boxes(path)
    if boxes and "mdat" in boxes and "moov" not in boxes and "moof" not in boxes:
        raise _unclosed(path, size_bytes, boxes)
    try:
        # "format" keeps ffmpeg from opening playlists, and with them other files and addresses
        with av.open(
            str(path), metadata_errors="replace", options={"format_whitelist": _CONTAINERS}
        ) as container:
            return _probe_open(path, container, size_bytes)
    except FootageUnreadable:
        raise
    except av.error.FFmpegError as error:
        if error.errno in (errno.EIO, errno.ENODEV, errno.ESTALE, errno.EACCES, errno.ENOENT):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise _not_video(path, boxes, str(error.strerror)) from error
    except (ValueError, OverflowError, ZeroDivisionError, MemoryError) as error:
        raise _not_video(path, boxes, str(error)) from error


def _probe_open(path: Path, container: InputContainer, size_bytes: int) -> Probe:
    if not container.streams.video:
        cause = f"{path} holds no picture ({', '.join(s.type for s in container.streams) or 'no streams'})."
        raise FootageUnreadable(cause, "It is not footage; leave it out.", ErrorCode.FILE_NOT_VIDEO)
    stream = container.streams.video[0]
    if getattr(stream, "codec_context", None) is None:  # typed as never None, but it is for unknown codecs
        cause = f"{path} holds a picture in a coding that is not known; its header may be damaged."
        raise FootageUnreadable(cause, code=ErrorCode.FILE_NOT_VIDEO)
    width, height = stream.codec_context.width, stream.codec_context.height
    if min(width, height) < _MIN_SIDE_PX or max(width, height) > _MAX_SIDE_PX:
        cause = f"{path} has a damaged header: its picture is {width} x {height} pixels."
        raise FootageUnreadable(cause, code=ErrorCode.FILE_NOT_VIDEO)
    packets = _packets(container, stream)
    fps = _rate(stream, packets)
    if not packets or fps is None:
        cause = f"{path} has a header but no frames."
        raise FootageUnreadable(cause, code=ErrorCode.FILE_NO_FRAMES)
    if len(packets) / fps > _MAX_DURATION_S:
        cause = f"{path} has a damaged header: it says {float(len(packets) / fps / 3600):.0f} hours."
        raise FootageUnreadable(cause, code=ErrorCode.FILE_NOT_VIDEO)
    whole = _before_end(packets, size_bytes)
    good = _decodable(container, stream, packets[:whole])
    if good == 0:
        cause = f"{path} promises {len(packets)} frames, but none can be decoded."
        raise FootageUnreadable(cause, code=ErrorCode.FILE_NO_FRAMES)
    return Probe(
        width=width,
        height=height,
        fps=fps,
        frame_count=good,
        promised_frames=len(packets),
        codec=stream.codec_context.name,
        creation_time=stream.metadata.get("creation_time") or container.metadata.get("creation_time"),
        has_gpmf=has_gpmf(container),
        loss=_loss(path, good, whole, len(packets), fps),
    )


def has_gpmf(container: InputContainer) -> bool:
    """Is there a GoPro telemetry track? Its handler's name may begin with a TAB or a length byte."""
    names = [s.metadata.get("handler_name", "") for s in container.streams if s.type == "data"]
    return any("GoPro MET" in name for name in names)


def _packets(container: InputContainer, stream: VideoStream) -> list[_Packet]:
    """All packets in decoding order, from the index; files without one are read through."""
    entries = [
        _Packet(entry.pos + entry.size, entry.timestamp, entry.is_keyframe)
        for entry in stream.index_entries
        if not entry.is_discard
    ]
    if len(entries) >= stream.frames and container.format.name.startswith("mov") and entries:
        return entries
    found = []
    try:
        for packet in container.demux(stream):
            if packet.size:
                end = (packet.pos or 0) + packet.size
                found.append(_Packet(end, packet.pts or packet.dts or 0, packet.is_keyframe))
    except av.error.FFmpegError:
        pass  # a file cut off in the middle: what was read counts
    return found


def _rate(stream: VideoStream, packets: Sequence[_Packet]) -> Fraction | None:
    """Frames per second: the container's, else from the times of the packets."""
    rate = stream.average_rate or stream.guessed_rate
    if rate and 0 < rate <= 1000:
        return Fraction(rate)
    times = sorted(packet.timestamp for packet in packets)
    if len(times) > 1 and times[-1] > times[0] and stream.time_base:
        return Fraction(len(times) - 1) / ((times[-1] - times[0]) * stream.time_base)
    return None


def _before_end(packets: Sequence[_Packet], size_bytes: int) -> int:
    """How many packets, from the first, lie wholly inside the file."""
    for number, packet in enumerate(packets):
        if packet.end > size_bytes:
            return number
    return len(packets)


def _decodable(container: InputContainer, stream: VideoStream, packets: Sequence[_Packet]) -> int:
    """How many packets, from the first, belong to picture that decodes.

    Looks at the first and the last keyframe; when the last does not decode, bisects between them.
    """
    keys = [number for number, packet in enumerate(packets) if packet.keyframe] or [0]
    if not packets:
        return 0
    tried = range(min(_KEYFRAME_SEARCH, len(keys)))
    first = next((k for k in tried if _decodes(container, stream, packets[keys[k]])), None)
    if first is None:
        return 0
    if _decodes(container, stream, packets[keys[-1]]):
        return len(packets)
    good, bad = first, len(keys) - 1
    while bad - good > 1:
        middle = (good + bad) // 2
        if _decodes(container, stream, packets[keys[middle]]):
            good = middle
        else:
            bad = middle
    return keys[bad]


def _decodes(container: InputContainer, stream: VideoStream, packet: _Packet) -> bool:
    """Does a frame come out at this keyframe?"""
    try:
        container.seek(packet.timestamp, stream=stream, backward=True, any_frame=False)
        for number, data in enumerate(container.demux(stream)):
            frames = stream.decode(data)
            if any(frame.pts is None or frame.pts >= packet.timestamp for frame in frames):
                return True
            if number >= _PACKETS_PER_DECODE or data.size == 0:
                return any(True for _ in stream.decode(None))
    except (av.error.FFmpegError, ValueError):
        return False
    return False


def _loss(path: Path, good: int, whole: int, promised: int, fps: Fraction) -> str | None:
    if good == promised:
        return None
    lost_s = float((promised - good) / fps)
    why = "is cut off" if whole < promised else "is damaged at its end"
    total_s = float(promised / fps)
    return (
        f"{path} {why}: {good} of {promised} frames are there, "
        f"the last {lost_s:.1f} s of {total_s:.1f} s are lost."
    )


def top_boxes(path: Path) -> list[str]:
    """Names of an MP4's top boxes, in order; empty when it is no ISO media file."""
    names: list[str] = []
    size_bytes = path.stat().st_size
    with path.open("rb") as stream:
        offset = 0
        while offset + 8 <= size_bytes and len(names) < 10_000:
            kind, length = _box(stream, offset, size_bytes)
            if not names and kind not in _ISO_MEDIA:
                return []
            names.append(kind.decode("latin-1") if kind.isalnum() else "?")
            if length < 8:
                break
            offset += length
    return names


def _box(stream: BinaryIO, offset: int, size_bytes: int) -> tuple[bytes, int]:
    """Kind and length of the box at an offset; a length of 0 in the file means: to its end."""
    stream.seek(offset)
    head = stream.read(16)
    length, kind = int.from_bytes(head[:4], "big"), head[4:8]
    if length == 1:
        length = int.from_bytes(head[8:16], "big")
    return kind, size_bytes - offset if length == 0 else length


def _unclosed(path: Path, size_bytes: int, boxes: Sequence[str]) -> FootageUnreadable:
    cause = (
        f"{path} ({size_bytes / 1e6:.1f} MB) was not closed or is cut off: "
        f"it has picture data but no index (boxes: {', '.join(boxes[:4])})."
    )
    hint = (
        "Copy it again. If the card's own file is so too, put the card back in its camera with the file under "
        "its own name: the camera repairs it."
    )
    return FootageUnreadable(cause, hint, ErrorCode.FILE_NO_MOOV)


def _not_video(path: Path, boxes: Sequence[str], detail: str) -> FootageUnreadable:
    what = "is damaged and cannot be opened as video" if boxes else "is not a video"
    cause = f"{path} {what} ({detail})."
    hint = (
        "Copy it again from the card."
        if boxes
        else "Leave it out, or copy the real file again from the card."
    )
    return FootageUnreadable(cause, hint, ErrorCode.FILE_NOT_VIDEO)
