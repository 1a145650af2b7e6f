"""Checksums, and copies that are what they were copied from."""

import errno
import os
from pathlib import Path

import pytest
import xxhash

from workers.contract.errors import FootageChanged, FootageMissing
from workers.media import checksums
from workers.media.checksums import KnownFiles, check_unchanged, checksum_of, copy_verified, footage_file


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_known_file_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a", b"x" * 100)
    known = KnownFiles()
    first = footage_file(path, None, known)
    assert first.checksum == xxhash.xxh64(b"x" * 100).hexdigest()
    monkeypatch.setattr(checksums, "checksum_of", lambda *_: pytest.fail("it was read again"))
    assert footage_file(path, None, KnownFiles(known.all())) == first


def test_a_file_inside_the_mission_is_named_relative_to_it(tmp_path: Path) -> None:
    path = write(tmp_path / "footage" / "a", b"x")
    assert footage_file(path, tmp_path, KnownFiles()).path == Path("footage/a")


def test_a_touched_file_is_accepted_and_a_changed_one_is_not(tmp_path: Path) -> None:
    path = write(tmp_path / "a", b"x" * 100)
    file = footage_file(path, None, KnownFiles())
    os.utime(path, ns=(0, 0))
    assert check_unchanged(file) == path
    write(path, b"y" * 100)
    with pytest.raises(FootageChanged):
        check_unchanged(file)


def test_a_vanished_file_is_missing_and_back_again_it_is_fine(tmp_path: Path) -> None:
    path = write(tmp_path / "a", b"x")
    file = footage_file(path, tmp_path, KnownFiles())
    path.rename(tmp_path / "b")
    with pytest.raises(FootageMissing):
        check_unchanged(file, tmp_path)
    (tmp_path / "b").rename(path)
    assert check_unchanged(file, tmp_path) == path


def test_a_copy_keeps_content_and_time_and_leaves_no_partial(tmp_path: Path) -> None:
    source = write(tmp_path / "card" / "a.mp4", os.urandom(5_000_000))
    os.utime(source, ns=(10**18, 10**18))
    done: list[int] = []
    copy, checksum = copy_verified(source, tmp_path / "m" / "a.mp4", done.append)
    assert copy.read_bytes() == source.read_bytes()
    assert checksum == checksum_of(source)
    assert copy.stat().st_mtime_ns == 10**18
    assert sum(done) == 5_000_000
    assert [path.name for path in copy.parent.iterdir()] == ["a.mp4"]


def test_the_same_content_is_copied_once_and_other_content_gets_another_name(tmp_path: Path) -> None:
    one, other = write(tmp_path / "1" / "a.mp4", b"one"), write(tmp_path / "2" / "a.mp4", b"other")
    wanted = tmp_path / "m" / "a.mp4"
    assert copy_verified(one, wanted)[0] == copy_verified(one, wanted)[0] == wanted
    assert copy_verified(other, wanted)[0] == tmp_path / "m" / "a_2.mp4"
    assert wanted.read_bytes() == b"one"


def test_a_copy_that_does_not_read_back_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "a", b"x" * 100)
    monkeypatch.setattr(checksums, "_forget_cached", lambda partial: partial.write_bytes(b"y" * 100))
    with pytest.raises(FootageChanged):
        copy_verified(source, tmp_path / "m" / "a")
    assert list((tmp_path / "m").iterdir()) == []


def test_a_full_disk_is_passed_on_and_leaves_nothing(tmp_path: Path) -> None:
    source = write(tmp_path / "a", b"x" * 100)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        copy_verified(source, tmp_path / "m" / "a", full)
    assert list((tmp_path / "m").iterdir()) == []
