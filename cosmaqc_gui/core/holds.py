"""What queued work may have to wait for: room on the disk, and footage whose card or drive was taken out."""

import shutil
import time
from pathlib import Path

from pydantic import JsonValue

from workers.contract.job import Job

_MIB = 2**20
TRY_AGAIN_S = 60.0
STEP_SHARE = 0.01
STEP_MIN_BYTES = 1 * _MIB
STEP_MAX_BYTES = 1024 * _MIB


class Room:
    """Whether the mission's disk has room for more work.

    There is room above the floor. Once a worker has hit the end of the disk all the same, the floor was too low for
    what it wrote: then more has to become free than there was, or the same job would fail again at once. After
    ``TRY_AGAIN_S`` it is tried all the same: what filled the disk may have been something else.
    """

    def __init__(self, mission: Path, floor_mib: float) -> None:
        self._mission = mission
        self._floor_bytes = floor_mib * _MIB
        self._wanted_bytes = 0.0
        self._noted_s = 0.0

    def note_full(self) -> None:
        """A worker, or the engine, found the disk full."""
        usage = shutil.disk_usage(self._mission)
        step = min(max(usage.total * STEP_SHARE, STEP_MIN_BYTES), STEP_MAX_BYTES)
        self._wanted_bytes = max(self._floor_bytes, usage.free + step)
        self._noted_s = time.monotonic()

    def is_there(self) -> bool:
        """Whether work can go on."""
        free = shutil.disk_usage(self._mission).free
        if time.monotonic() - self._noted_s > TRY_AGAIN_S:
            self._wanted_bytes = 0.0
        if free >= max(self._floor_bytes, self._wanted_bytes):
            self._wanted_bytes = 0.0
            return True
        return False

    @property
    def sentence(self) -> str:
        """What is wrong and what to do."""
        free = shutil.disk_usage(self._mission).free / _MIB
        wanted = max(self._floor_bytes, self._wanted_bytes) / _MIB
        return (
            f"No space: {free:.0f} MiB are free on the mission's disk and {wanted:.0f} MiB are needed to go on. "
            "Free some; the work goes on by itself."
        )


def missing_footage(mission: Path, job: Job) -> list[Path]:
    """The footage files of a job that are not there at the moment."""
    paths = (mission / path for path in _footage(job.inputs.get("recording")))  # absolute ones stay absolute
    return [path for path in paths if not path.exists()]


def _footage(recording: JsonValue) -> list[str]:
    if not isinstance(recording, dict):
        return []
    found: list[str] = []
    chapters = recording.get("chapters")
    for chapter in chapters if isinstance(chapters, list) else []:
        files = chapter.get("files") if isinstance(chapter, dict) else None
        rows = files if isinstance(files, list) else []
        found += [str(file.get("path")) for file in rows if isinstance(file, dict)]
    return found
