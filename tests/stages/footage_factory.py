"""Small recordings for the tests of frames, quality and reconstruction, and a report that remembers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import xxhash

from workers.contract.dive import Chapter, FootageFile, Recording, Segment
from workers.contract.job import FramesInputs

Picture = npt.NDArray[np.uint8]


@dataclass
class Heard:
    """A report that keeps what it is told; raises ``stop_with`` at step ``stop_at``."""

    steps: list[tuple[int, int]] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    stop_at: int | None = None
    stop_with: Exception | None = None

    def __call__(self, done: int, *, of: int) -> None:
        self.steps.append((done, of))
        if self.stop_with is not None and self.stop_at is not None and done >= self.stop_at:
            raise self.stop_with

    def figure(self, name: str, value: float, unit: str = "") -> None:
        self.figures[name] = value

    def warn(self, code: str, text: str) -> None:
        self.warnings.append((code, text))


def write_video(
    path: Path,
    pictures: Iterable[Picture],
    *,
    rate: Fraction | int = 10,
    codec: str = "libx264",
    **options: str,
) -> Path:
    """An MP4 of BGR pictures (H,W,3)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = {"crf": "20", "preset": "ultrafast", **options}
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream(codec, rate=rate, options=settings)
        assert isinstance(stream, av.VideoStream)
        for n, picture in enumerate(pictures):
            if n == 0:
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path


def footage_file(path: Path) -> FootageFile:
    """A file as ingest describes it."""
    stat = path.stat()
    return FootageFile(
        path=path,
        size_bytes=stat.st_size,
        checksum=xxhash.xxh64(path.read_bytes()).hexdigest(),
        device=stat.st_dev,
        inode=stat.st_ino,
        mtime_ns=stat.st_mtime_ns,
    )


def recording_of(files: Sequence[Path], camera: str = "cam") -> Recording:
    """The files as chapters of one recording."""
    chapters: list[Chapter] = []
    start_s = 0.0
    for number, path in enumerate(files, 1):
        file = footage_file(path)
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert stream.average_rate is not None
            chapter = Chapter(
                number=number,
                files=(file,),
                checksum=file.checksum,
                width=stream.width,
                height=stream.height,
                fps=float(stream.average_rate),
                frame_count=stream.frames,
                start_s=start_s,
                duration_s=float(stream.frames / stream.average_rate),
                codec=stream.codec_context.name,
            )
        chapters.append(chapter)
        start_s = chapter.end_s
    return Recording(
        id=f"{camera}_0001", camera=camera, number="0001", stills=False, chapters=tuple(chapters)
    )


def stills_of(files: Sequence[Path], size: tuple[int, int], every_s: float = 1.0) -> Recording:
    """The files as a recording of stills of ``size`` (width, height)."""
    chapter = Chapter(
        number=1,
        files=tuple(footage_file(path) for path in files),
        checksum="0" * 16,
        width=size[0],
        height=size[1],
        fps=1 / every_s,
        frame_count=len(files),
        start_s=0.0,
        duration_s=len(files) * every_s,
        codec="jpeg",
        times_s=tuple(n * every_s for n in range(len(files))),
    )
    return Recording(id="cam_stills", camera="cam", number="stills", stills=True, chapters=(chapter,))


def slice_of(recording: Recording, start_s: float, end_s: float) -> FramesInputs:
    """The job of one segment: the chapters it reads and its times."""
    chapters = tuple(c for c in recording.chapters if c.start_s < end_s and c.end_s > start_s)
    segment = Segment(
        id=f"{recording.id}_{chapters[0].number:02d}_{int(start_s):03d}",
        camera=recording.camera,
        recording=recording.id,
        chapter=chapters[0].number,
        slice=0,
        start_s=start_s,
        own_end_s=end_s,
        end_s=end_s,
        chapters=tuple(c.number for c in chapters),
    )
    return FramesInputs(recording=recording.model_copy(update={"chapters": chapters}), segment=segment)
