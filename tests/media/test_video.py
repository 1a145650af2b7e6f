"""What a header says, and how damage is named."""

import random
from fractions import Fraction
from pathlib import Path

import pytest

from tests.media.clips import make_clip
from workers.contract.errors import ErrorCode, FootageUnreadable
from workers.media.video import probe, top_boxes


def code_of(path: Path) -> ErrorCode:
    with pytest.raises(FootageUnreadable) as caught:
        probe(path)
    assert str(path) in caught.value.cause
    assert caught.value.hint
    return caught.value.code


def test_a_header_gives_size_rate_count_and_times(tmp_path: Path) -> None:
    found = probe(make_clip(tmp_path / "a.mp4", frames=9, rate=4))
    assert (found.width, found.height, found.fps, found.frame_count) == (64, 48, Fraction(4), 9)
    assert found.duration_s == pytest.approx(2.25)
    assert found.creation_time == "2026-05-12T09:30:00.000000Z"
    assert found.codec == "h264"
    assert not found.has_gpmf
    assert found.loss is None


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "GX010001.MP4"
    path.touch()
    assert code_of(path) == ErrorCode.FILE_EMPTY


def test_a_recording_that_was_not_closed_is_named(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4")
    content = path.read_bytes()
    path.write_bytes(content[: content.rfind(b"moov") - 4])
    assert code_of(path) == ErrorCode.FILE_NO_MOOV


@pytest.mark.parametrize(
    "content",
    [b"These are notes, not a film.\n" * 50, bytes(5000), b"\0", b"#EXTM3U\n#EXTINF:5,\n/etc/hostname\n"],
)
def test_what_is_no_video_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "GX010001.MP4"
    path.write_bytes(content)
    assert code_of(path) == ErrorCode.FILE_NOT_VIDEO


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_of_a_file_that_was_cut_off_the_rest_is_used_and_the_loss_said(tmp_path: Path, share: float) -> None:
    path = make_clip(tmp_path / "a.mp4", frames=40, index_first=True)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    found = probe(path)
    assert 0 < found.frame_count < 40
    assert found.promised_frames == 40
    assert found.loss is not None
    assert f"{found.frame_count} of 40 frames" in found.loss


def test_a_tail_of_zeros_is_found_although_the_size_is_right(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", frames=80, index_first=True)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    path.write_bytes(content)
    found = probe(path)
    assert 30 <= found.frame_count <= 44
    assert found.loss is not None


def test_a_video_without_a_frame_that_decodes_is_named(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", index_first=True)
    content = bytearray(path.read_bytes())
    start = content.find(b"mdat") + 4
    content[start:] = bytes(len(content) - start)
    path.write_bytes(content)
    assert code_of(path) == ErrorCode.FILE_NO_FRAMES


@pytest.mark.parametrize(
    ("clip", "frames", "size", "gpmf"),
    [
        ("gopro_reef_underwater/reef_clip.mp4", 211, (1920, 1080), True),
        ("gopro_gpmf_parser/karma.mp4", 362, (854, 480), True),
        ("gopro_gpmf_parser/max-heromode.mp4", 315, (848, 480), True),
        ("auv_sparus/sparus_snippet.mp4", 22, (384, 288), False),
    ],
)
def test_real_clips_are_probed(
    shared: Path, clip: str, frames: int, size: tuple[int, int], gpmf: bool
) -> None:
    found = probe(shared / "data" / clip)
    assert (found.frame_count, (found.width, found.height), found.has_gpmf) == (frames, size, gpmf)
    assert found.loss is None


@pytest.mark.parametrize(
    "clip", ["gopro_reef_underwater/reef_clip", "gopro_gpmf_parser/karma", "gopro_gpmf_parser/max-heromode"]
)
def test_damaged_clips_are_named_or_accepted(shared: Path, tmp_path: Path, clip: str) -> None:
    content = (shared / "data" / f"{clip}.mp4").read_bytes()
    rng = random.Random(7)
    index_at = content.rfind(b"moov")
    for number in range(60):
        damaged = bytearray(content)
        if number % 3 == 0:
            del damaged[rng.randrange(len(damaged)) :]
        else:
            first = index_at if number % 3 == 1 else 0
            for _ in range(rng.choice([1, 5, 25])):
                damaged[rng.randrange(first, len(damaged))] = rng.randrange(256)
        path = tmp_path / "damaged.mp4"
        path.write_bytes(damaged)
        try:
            found = probe(path)
        except FootageUnreadable:
            continue
        assert 0 < found.frame_count <= found.promised_frames
        assert (found.loss is None) == (found.frame_count == found.promised_frames)


def test_boxes_that_lead_nowhere_end_the_walk(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\0\0\0\x14ftypmp41" + bytes(8) + b"\0\0\0\x03free" + b"x" * 100)
    assert top_boxes(path) == ["ftyp", "free"]
