"""Small videos made for tests: real ones, damaged ones, and ones that carry a given GPMF payload."""

import io
import struct
from pathlib import Path

import av
import numpy as np
from PIL import Image

SIZE = (64, 48)


def make_clip(
    path: Path,
    *,
    frames: int = 8,
    rate: int = 4,
    seed: int = 0,
    creation_time: str | None = "2026-05-12T09:30:00Z",
    index_first: bool = False,
    keyframe_every: int = 4,
) -> Path:
    """An H.264 MP4 of moving noise; another seed gives another content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"movflags": "faststart"} if index_first else {}
    random = np.random.default_rng(seed)
    picture = random.integers(0, 255, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    with av.open(str(path), "w", format="mp4", options=options) as container:
        stream = container.add_stream(
            "libx264", rate=rate, options={"g": str(keyframe_every), "bf": "0", "crf": "20"}
        )
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        if creation_time is not None:
            container.metadata["creation_time"] = creation_time
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(np.roll(picture, 2 * number, axis=1), format="rgb24")
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path


def make_still(path: Path, *, size: tuple[int, int] = SIZE, taken: str | None = None, seed: int = 0) -> Path:
    """A JPEG of noise, with an EXIF time such as ``2026:05:12 09:30:00``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(picture)
    exif = image.getexif()
    if taken is not None:
        exif.get_ifd(0x8769)[0x9003] = taken
    content = io.BytesIO()
    image.save(content, "PNG" if path.suffix == ".png" else "JPEG", exif=exif)
    path.write_bytes(content.getvalue())
    return path


def _box(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I", 8 + len(content)) + kind + content


def _devc_lengths(payload: bytes) -> list[int]:
    """Lengths of the payload's top-level items: 4 letters, type, size, count, content padded to 4 bytes."""
    lengths, at = [], 0
    while at + 8 <= len(payload):
        size, count = payload[at + 5], int.from_bytes(payload[at + 6 : at + 8], "big")
        length = 8 + (size * count + 3) // 4 * 4
        lengths.append(min(length, len(payload) - at))
        at += length
    return lengths


def make_gpmf_file(path: Path, payload: bytes) -> Path:
    """An MP4 with nothing but a GoPro telemetry track, a sample (one second) a DEVC of the payload."""
    lengths = _devc_lengths(payload) or [len(payload)]
    payload = payload[: sum(lengths)]
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    seconds = 1000 * len(lengths)
    ftyp = _box(b"ftyp", b"mp41", bytes(4), b"mp41")
    offset = len(ftyp) + 8
    tables = (
        _box(
            b"stsd", bytes(4), struct.pack(">I", 1), _box(b"gpmd", bytes(6), struct.pack(">H", 1), bytes(4))
        ),
        _box(b"stts", bytes(4), struct.pack(">3I", 1, len(lengths), 1000)),
        _box(b"stsc", bytes(4), struct.pack(">4I", 1, 1, len(lengths), 1)),
        _box(b"stsz", bytes(4), struct.pack(f">2I{len(lengths)}I", 0, len(lengths), *lengths)),
        _box(b"stco", bytes(4), struct.pack(">2I", 1, offset)),
    )
    media = _box(
        b"mdia",
        _box(b"mdhd", bytes(12), struct.pack(">2I", 1000, seconds), bytes(4)),
        _box(b"hdlr", bytes(8), b"meta", bytes(12), b"\tGoPro MET\0"),
        _box(b"minf", _box(b"nmhd", bytes(4)), _box(b"stbl", *tables)),
    )
    track = _box(
        b"tkhd", b"\0\0\0\x0f", bytes(8), struct.pack(">3I", 1, 0, seconds), bytes(16), matrix, bytes(8)
    )
    movie = _box(b"mvhd", bytes(12), struct.pack(">2I", 1000, seconds), bytes(80))
    moov = _box(b"moov", movie, _box(b"trak", track, media))
    path.write_bytes(ftyp + _box(b"mdat", payload) + moov)
    return path
