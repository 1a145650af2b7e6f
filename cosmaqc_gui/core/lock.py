"""One engine a mission: a lock that the kernel releases when its holder dies, however it dies."""

import contextlib
import os
import sys
from pathlib import Path
from typing import Self

from workers.contract import layout
from workers.contract.errors import MissionLocked


class MissionLock:
    """Holds ``<mission>/.engine.lock`` while open; the holder's process id is inside, for people to read.

    Python opens files so that child processes do not inherit them; a worker that outlives its engine
    therefore does not keep the lock.

    Raises:
        MissionLocked: another engine holds it.
    """

    def __init__(self, mission: Path) -> None:
        self.path = mission / layout.LOCK
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(self._fd)
        except OSError as error:
            holder = os.read(self._fd, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._fd)
            raise MissionLocked(f"Another engine (process {holder}) works on {mission}.") from error
        with contextlib.suppress(OSError):  # a full disk: the lock holds without the note
            os.ftruncate(self._fd, 0)
            os.write(self._fd, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let another engine have the mission. The file stays: removing it would race with the next holder."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


if sys.platform == "win32":  # pragma: no cover - written to the documentation, not yet run

    def _lock(fd: int) -> None:
        import msvcrt

        os.lseek(fd, 0, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)

else:

    def _lock(fd: int) -> None:
        import fcntl

        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
