"""Checksums of footage: taken once, trusted while the file's identity stays, checked before each read."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import xxhash

from workers.contract.dive import FootageFile
from workers.contract.errors import FootageChanged, FootageMissing
from workers.contract.job import KnownFile

BLOCK_BYTES = 4 << 20
PARTIAL_SUFFIX = ".partial"

Progress = Callable[[int], None]
"""Called with the bytes done since the last call; may raise Cancelled."""

_Identity = tuple[int, int, int, int]


def _no_progress(_: int) -> None:
    pass


class KnownFiles:
    """Checksums by (device, inode, size, mtime)."""

    def __init__(self, known: Iterable[KnownFile] = ()) -> None:
        self._known: dict[_Identity, KnownFile] = {}
        for entry in known:
            self._known[(entry.device, entry.inode, entry.size_bytes, entry.mtime_ns)] = entry

    def find(self, path: Path) -> str | None:
        """The checksum that was taken when the file had this identity."""
        entry = self._known.get(identity(path.stat()))
        return entry.checksum if entry else None

    def add(self, stat: os.stat_result, checksum: str) -> None:
        """Remember a checksum."""
        device, inode, size_bytes, mtime_ns = identity(stat)
        self._known[identity(stat)] = KnownFile(
            device=device, inode=inode, size_bytes=size_bytes, mtime_ns=mtime_ns, checksum=checksum
        )

    def all(self) -> tuple[KnownFile, ...]:
        """Everything known, in the order in which it became so."""
        return tuple(self._known.values())


def identity(stat: os.stat_result) -> _Identity:
    """What tells cheaply whether a file is still the same: device, inode, size, mtime in ns."""
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns


def _blocks(stream: BinaryIO) -> Iterator[memoryview]:
    buffer = bytearray(BLOCK_BYTES)
    view = memoryview(buffer)
    while size := stream.readinto(view):  # type: ignore[attr-defined]
        yield view[:size]


def checksum_of(path: Path, progress: Progress = _no_progress) -> str:
    """xxh64 of a file's content, 16 hex digits."""
    digest = xxhash.xxh64()
    with path.open("rb", buffering=0) as stream:
        for block in _blocks(stream):
            digest.update(block)
            progress(len(block))
    return digest.hexdigest()


def checksum_of_bytes(*parts: bytes) -> str:
    """xxh64 of parts one after the other, 16 hex digits."""
    digest = xxhash.xxh64()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def footage_file(
    path: Path, mission: Path | None, known: KnownFiles, progress: Progress = _no_progress
) -> FootageFile:
    """A file as it is now; its content is read only when its identity is new.

    Args:
        path: absolute path of the file.
        mission: the mission folder; a file inside it is named relative to it.
        known: checksums taken earlier; a new one is added.
        progress: told of the bytes read (all of them at once when none had to be).

    Raises:
        FootageChanged: the file grew or changed while it was read.
    """
    before = path.stat()
    checksum = known.find(path)
    if checksum is None:
        checksum = checksum_of(path, progress)
    else:
        progress(before.st_size)
    if identity(path.stat()) != identity(before):
        cause = f"{path} changed while it was read."
        raise FootageChanged(cause, "Wait until the copy to this folder has ended, then run again.")
    known.add(before, checksum)
    inside = mission is not None and path.is_relative_to(mission)
    return FootageFile(
        path=path.relative_to(mission) if inside and mission else path,
        size_bytes=before.st_size,
        checksum=checksum,
        device=before.st_dev,
        inode=before.st_ino,
        mtime_ns=before.st_mtime_ns,
    )


def check_unchanged(file: FootageFile, mission: Path | None = None) -> Path:
    """Make sure that a file has the content that was ingested; call before each read.

    A stat is enough while the identity is the same; otherwise the content is hashed again (a disk that was
    plugged into another port has another device number).

    Args:
        file: the file as ingested.
        mission: what relative paths start from; the current folder by default.

    Returns:
        The path to open.

    Raises:
        FootageMissing: it is not there, or cannot be read at the moment.
        FootageChanged: its content differs.
    """
    path = (mission or Path()) / file.path
    try:
        stat = path.stat()
        if identity(stat) == (file.device, file.inode, file.size_bytes, file.mtime_ns):
            return path
        same = stat.st_size == file.size_bytes and checksum_of(path) == file.checksum
    except OSError as error:
        cause = f"{file.path} is not there ({error.strerror or error})."
        raise FootageMissing(cause) from error
    if not same:
        cause = f"{file.path} no longer has the content that was ingested (checksum {file.checksum})."
        raise FootageChanged(cause)
    return path


def copy_verified(source: Path, wanted: Path, progress: Progress = _no_progress) -> tuple[Path, str]:
    """Copy a file, hashing on the way; read the copy back from the disk; rename it to its name.

    A file of that name with the same content is taken as the copy; beside other content, the copy gets a
    number.

    Args:
        source: the file, on a card for example.
        wanted: where the copy should be; its folder is made.
        progress: told of the bytes copied; those read back are not counted.

    Returns:
        Path of the copy, and its checksum.

    Raises:
        FootageChanged: what was read back is not what was read from the source.
        OSError: the source cannot be read, or the disk is full.
    """
    wanted.parent.mkdir(parents=True, exist_ok=True)
    partial = wanted.with_name(wanted.name + PARTIAL_SUFFIX)
    try:
        checksum = _copy_hashing(source, partial, progress)
        _forget_cached(partial)
        if checksum_of(partial) != checksum:
            cause = f"The copy of {source} on {wanted.parent} differs from what was read."
            hint = "The disk or the cable is failing: try another. The card keeps its file."
            raise FootageChanged(cause, hint)
        _keep_time(source, partial)
        copy = _free_name(wanted, checksum)
        if not copy.exists():
            partial.rename(copy)
            _sync_folder(copy.parent)
    finally:
        partial.unlink(missing_ok=True)
    return copy, checksum


def _copy_hashing(source: Path, partial: Path, progress: Progress) -> str:
    digest = xxhash.xxh64()
    with source.open("rb", buffering=0) as reader, partial.open("wb", buffering=0) as writer:
        for block in _blocks(reader):
            digest.update(block)
            rest = block
            while rest:
                rest = rest[writer.write(rest) :]
            progress(len(block))
        os.fsync(writer.fileno())
    return digest.hexdigest()


def _free_name(wanted: Path, checksum: str) -> Path:
    """``wanted``, or with a number before its suffix when another content has that name."""
    path, number = wanted, 2
    while path.exists() and checksum_of(path) != checksum:
        path = wanted.with_name(f"{wanted.stem}_{number}{wanted.suffix}")
        number += 1
    return path


def _keep_time(source: Path, copy: Path) -> None:
    """Give a copy its source's modification time; not every file system can."""
    stat = source.stat()
    with suppress(OSError):
        os.utime(copy, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def _forget_cached(path: Path) -> None:
    """Ask the system to drop its cache of a file, so that reading back reads the disk."""
    if hasattr(os, "posix_fadvise"):
        with path.open("rb") as stream:
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut, where the system can (not on Windows, not on every FUSE)."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
