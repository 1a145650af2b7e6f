"""Bring files into the mission: in place on its own file system, as verified copies from elsewhere."""

import errno
from collections.abc import Iterable
from pathlib import Path

from workers.contract.dive import FootageFile, Inventory, Problem
from workers.contract.errors import CosmaError, ErrorCode
from workers.contract.events import Report
from workers.contract.job import KnownFile
from workers.contract.layout import FOOTAGE
from workers.media.checksums import KnownFiles, copy_verified, footage_file
from workers.media.gopro import Place, safe

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class Intake:
    """Takes files in one after the other, and reports how many bytes are done.

    Args:
        mission: the mission folder, absolute.
        before: the inventory so far; its copies are not made again.
        known: checksums taken earlier.
        report: told of the bytes.
        total_bytes: of all files to come.
    """

    def __init__(
        self, mission: Path, before: Inventory, known: Iterable[KnownFile], report: Report, total_bytes: int
    ) -> None:
        self.mission = mission
        self.known = KnownFiles(known)
        self._report = report
        self._done_bytes = 0
        self._total_bytes = max(1, total_bytes)
        self._device = mission.stat().st_dev
        self._copies = {
            file.checksum: file
            for recording in before.recordings
            for chapter in recording.chapters
            for file in chapter.files
            if not file.path.is_absolute()
        }

    def advance(self, size_bytes: int) -> None:
        """So many bytes more are done; a cancel point."""
        self._done_bytes = min(self._done_bytes + size_bytes, self._total_bytes)
        self._report(self._done_bytes, of=self._total_bytes)

    def take(self, path: Path, place: Place, camera: str, day: str | None = None) -> FootageFile:
        """A file with its checksum; a copy of it where it lies on another file system.

        Args:
            path: the file.
            place: where it lies; its dive names the copy's folder.
            camera: the camera's id.
            day: when it was filmed (``2026-05-12``), for a dive without a name.

        Raises:
            FootageChanged: it changed while it was read, or the copy does not read back.
            OSError: it cannot be read, or the disk is full.
        """
        stat = path.stat()
        if stat.st_dev == self._device:
            return footage_file(path, self.mission, self.known, self.advance)
        copy = self._copies.get(self.known.find(path) or "")
        if copy is not None and (self.mission / copy.path).exists():
            self.advance(stat.st_size)
            return footage_file(self.mission / copy.path, self.mission, self.known)
        wanted = self.mission / FOOTAGE / safe(place.dive or day or "dive") / camera / path.name
        target, checksum = copy_verified(path, wanted, self.advance)
        self.known.add(stat, checksum)
        copy = self._copies.get(checksum)
        if copy is not None and copy.path != target.relative_to(self.mission):
            target.unlink()  # the same content under another name
            return copy
        self.known.add(target.stat(), checksum)
        file = footage_file(target, self.mission, self.known)
        self._copies[checksum] = file
        return file


def as_problem(path: Path, error: CosmaError | OSError) -> Problem:
    """An error about one file as a value.

    Raises:
        OSError: the disk is full, which concerns all files.
    """
    if isinstance(error, CosmaError):
        return Problem(subject=str(path), code=error.code, cause=error.cause, hint=error.hint)
    if error.errno in _FULL:
        raise error
    cause = f"{path} cannot be read: {error.strerror or error}."
    hint = "Check card, reader and cable, then run again."
    return Problem(subject=str(path), code=ErrorCode.FILE_UNREADABLE, cause=cause, hint=hint)
