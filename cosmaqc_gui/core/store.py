"""The mission's SQLite file: the event table is the truth, the job table the queue.

Every change goes through :meth:`Store.transaction`, so that a change of the queue and the event that tells of it
become visible together or not at all. Nothing else in the program holds state: a snapshot is a fold of the
events (:mod:`cosmaqc_gui.core.snapshot`), a finished output is a folder.
"""

import errno
import json
import logging
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from cosmaqc_gui.core.schema import MIGRATIONS
from workers.contract.errors import MissionUnreadable
from workers.contract.events import NO_ROOM_BYTES
from workers.contract.job import KnownFile

log = logging.getLogger(__name__)

BUSY_S = 10.0
Body = dict[str, JsonValue]


@dataclass(frozen=True)
class StoredEvent:
    """A row of the event table; ``subject`` is what it speaks of (a job id, a vehicle, a camera)."""

    seq: int
    time_s: float
    kind: str
    subject: str
    body: Body


@dataclass(frozen=True)
class Control:
    """A wish of the window or the command line, not yet carried out."""

    seq: int
    verb: str
    subject: str
    body: Body


def is_full(error: BaseException, folder: Path) -> bool:
    """Whether an error means that the disk of ``folder`` has no room left.

    SQLite also reports a full disk as an I/O error, when the index of its write-ahead log cannot grow; that is
    believed only when there really is no room, because a dying disk gives the same code.
    """
    if isinstance(error, OSError):
        return error.errno in {errno.ENOSPC, errno.EDQUOT}
    if not isinstance(error, sqlite3.OperationalError):
        return False
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}:
        return shutil.disk_usage(folder).free < NO_ROOM_BYTES
    return code == sqlite3.SQLITE_FULL


class Store:
    """One connection to a mission's SQLite file; used by one thread.

    Args:
        path: the file; made when missing.
        now: the clock, seconds since 1970.

    Raises:
        MissionUnreadable: the file is damaged or of a newer version.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self.path = path
        self.now = now
        self._depth = 0
        self.connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_S)
        self.connection.row_factory = sqlite3.Row
        try:
            self.connection.execute("PRAGMA journal_mode=WAL")
            # FULL: a laptop's battery may fail, and an inventory that took an hour of copying is worth an fsync
            self.connection.execute("PRAGMA synchronous=FULL")
            self._migrate(MIGRATIONS)
        except sqlite3.DatabaseError as error:
            self.connection.close()
            if is_full(error, path.parent):
                raise
            raise MissionUnreadable(
                f"{path} cannot be read: {error}.",
                "Restore it from a backup, or ingest the footage into a new mission.",
            ) from error
        except MissionUnreadable:
            self.connection.close()
            raise

    def _migrate(self, migrations: Sequence[Sequence[str]]) -> None:
        """Bring the tables up to date, one numbered step a transaction."""
        version = self.version
        if version > len(migrations):
            raise MissionUnreadable(
                f"{self.path} is of version {version}; this program knows {len(migrations)}."
            )
        for number, statements in enumerate(migrations[version:], start=version + 1):
            with self.transaction():
                if self.version >= number:  # another process was quicker
                    continue
                for statement in statements:
                    self.connection.execute(statement)
                self.connection.execute(f"PRAGMA user_version={number}")
                log.info("%s: migrated to version %d", self.path, number)

    @property
    def version(self) -> int:
        """Number of migrations that the file has seen."""
        return int(self.connection.execute("PRAGMA user_version").fetchone()[0])

    def close(self) -> None:
        """Release the file."""
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; may be nested, the outermost one counts."""
        if self._depth:
            yield
            return
        self.connection.execute("BEGIN IMMEDIATE")
        self._depth += 1
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:  # a full disk rolls back by itself
                self.connection.execute("ROLLBACK")
            raise
        finally:
            self._depth -= 1

    # ------------------------------------------------------------------ events

    def append(self, kind: str, subject: str = "", body: Body | None = None) -> int:
        """Tell what happened; the event's number."""
        cursor = self.connection.execute(
            "INSERT INTO event(time_s, kind, subject, body) VALUES (?, ?, ?, ?)",
            (self.now(), kind, subject, json.dumps(body or {}, separators=(",", ":"))),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def events_after(self, seq: int) -> list[StoredEvent]:
        """What happened since event ``seq``, in order."""
        rows = self.connection.execute(
            "SELECT seq, time_s, kind, subject, body FROM event WHERE seq > ? ORDER BY seq", (seq,)
        )
        return [
            StoredEvent(r["seq"], r["time_s"], r["kind"], r["subject"], json.loads(r["body"])) for r in rows
        ]

    # ------------------------------------------------------------------ controls

    def add_control(self, verb: str, subject: str = "", body: Body | None = None) -> int:
        """Ask the engine for something; the wish's number."""
        cursor = self.connection.execute(
            "INSERT INTO control(time_s, verb, subject, body) VALUES (?, ?, ?, ?)",
            (self.now(), verb, subject, json.dumps(body or {})),
        )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def open_controls(self) -> list[Control]:
        """Wishes not yet carried out, oldest first."""
        rows = self.connection.execute(
            "SELECT seq, verb, subject, body FROM control WHERE done_s IS NULL ORDER BY seq"
        )
        return [Control(r["seq"], r["verb"], r["subject"], json.loads(r["body"])) for r in rows]

    def control_done(self, seq: int) -> None:
        """Mark a wish as carried out."""
        self.connection.execute("UPDATE control SET done_s = ? WHERE seq = ?", (self.now(), seq))

    # ------------------------------------------------------------------ snapshot and known files

    def save_snapshot(self, seq: int, text: str) -> None:
        """Keep a fold of the events up to ``seq``, so that the next start need not read them all."""
        self.connection.execute(
            "INSERT INTO snapshot(id, seq, body) VALUES (1, ?, ?) "
            "ON CONFLICT(id) DO UPDATE SET seq = excluded.seq, body = excluded.body",
            (seq, text),
        )

    def saved_snapshot(self) -> str | None:
        """The last fold that was kept."""
        row = self.connection.execute("SELECT body FROM snapshot WHERE id = 1").fetchone()
        return None if row is None else str(row["body"])

    def remember_files(self, files: Iterable[KnownFile]) -> None:
        """Keep checksums, so that a file is not read again while it stays the same."""
        self.connection.executemany(
            "INSERT INTO known_file(device, inode, size_bytes, mtime_ns, checksum) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT(device, inode) DO UPDATE SET size_bytes = excluded.size_bytes, "
            "mtime_ns = excluded.mtime_ns, checksum = excluded.checksum",
            # as text: inode numbers of some file systems do not fit SQLite's signed 64 bits
            [(str(f.device), str(f.inode), f.size_bytes, f.mtime_ns, f.checksum) for f in files],
        )

    def known_files(self) -> tuple[KnownFile, ...]:
        """All checksums that are remembered."""
        rows = self.connection.execute("SELECT device, inode, size_bytes, mtime_ns, checksum FROM known_file")
        return tuple(
            KnownFile(
                device=int(r["device"]),
                inode=int(r["inode"]),
                size_bytes=r["size_bytes"],
                mtime_ns=r["mtime_ns"],
                checksum=r["checksum"],
            )
            for r in rows
        )
