"""Inventories for tests of planning, without any file."""

from collections.abc import Sequence
from pathlib import Path

from workers.contract.dive import Camera, Chapter, FootageFile, Inventory, Recording
from workers.contract.words import Side


def chapter(number: int, start_s: float, seconds: float, checksum: str = "") -> Chapter:
    checksum = checksum or f"{number:016x}"
    file = FootageFile(
        path=Path(f"/card/GX{number:02d}0012.MP4"),
        size_bytes=1,
        checksum=checksum,
        device=1,
        inode=number,
        mtime_ns=1,
    )
    return Chapter(
        number=number,
        files=(file,),
        checksum=checksum,
        width=64,
        height=48,
        fps=4.0,
        frame_count=int(seconds * 4),
        start_s=start_s,
        duration_s=seconds,
        codec="none",
    )


def recording(
    seconds: Sequence[float], numbers: Sequence[int] | None = None, camera: str = "AUV01-PORT", tag: str = ""
) -> Recording:
    """A recording of chapters of these lengths."""
    chapters = []
    start_s = 0.0
    for number, length in zip(numbers or range(1, len(seconds) + 1), seconds, strict=True):
        chapters.append(chapter(number, start_s, length, f"{tag}{number:0{16 - len(tag)}x}"))
        start_s += length
    return Recording(
        id=f"{camera}_0012", camera=camera, number="0012", stills=False, chapters=tuple(chapters)
    )


def stills(count: int, camera: str = "ROV01-CAM") -> Recording:
    """A folder of stills, one a second."""
    files = tuple(
        FootageFile(
            path=Path(f"/card/{n:04d}.jpg"), size_bytes=1, checksum=f"{n:016x}", device=1, inode=n, mtime_ns=1
        )
        for n in range(count)
    )
    only = Chapter(
        number=1,
        files=files,
        checksum="f" * 16,
        width=64,
        height=48,
        fps=1.0,
        frame_count=count,
        start_s=0.0,
        duration_s=float(count),
        codec="jpeg",
        times_s=tuple(float(n) for n in range(count)),
    )
    return Recording(id=f"{camera}_dive", camera=camera, number="dive", stills=True, chapters=(only,))


def inventory(*recordings: Recording) -> Inventory:
    """An inventory of these recordings; vehicle and side from the camera's name."""
    cameras = {
        r.camera: Camera(id=r.camera, vehicle=r.camera.split("-")[0], side=Side.PORT) for r in recordings
    }
    return Inventory(cameras=tuple(cameras.values()), recordings=recordings)
