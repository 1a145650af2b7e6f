"""A disk that fills holds the work, says so, and the work goes on when there is room."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cosmaqc_gui.core import snapshot
from cosmaqc_gui.core.engine import Outcome
from cosmaqc_gui.core.settings import Settings
from cosmaqc_gui.core.store import Store
from cosmaqc_gui.core.wishes import IngestRequest
from tests.core.fake_line import SETTINGS, Heard, engine, film, read_verdict
from workers.contract import layout
from workers.contract.words import Hold

PATIENCE_S = 60.0
SIZE_MIB = 24


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A real ext4 file system of a few MiB."""
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: a full disk, because mounting a loop device needs root")
    image, mount = tmp_path / "disk.img", tmp_path / "disk"
    mount.mkdir()
    with image.open("wb") as stream:
        stream.truncate(SIZE_MIB * 2**20)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    mounted = subprocess.run(
        ["mount", "-o", "loop", image, mount], check=False, capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"NOT TESTED: a full disk, because mounting fails here: {mounted.stderr}")
    try:
        yield mount
    finally:
        subprocess.run(["umount", "-l", mount], check=True)


class Working:
    """An engine in a thread."""

    def __init__(self, mission: Path, card: Path, settings: Settings) -> None:
        self.heard = Heard()
        self.engine = engine(mission, self.heard, settings)
        self.outcomes: list[Outcome] = []
        request = IngestRequest(footage=(card,))
        self.thread = threading.Thread(target=lambda: self.outcomes.append(self.engine.run(request, {})))
        self.thread.start()

    def wait_for_sentence(self, words: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while not any(words in s for s in self.heard.sentences):
            assert time.monotonic() < end, f"never said {words!r}: {self.heard.sentences}"
            assert self.thread.is_alive()
            time.sleep(0.05)

    def end(self) -> None:
        self.thread.join(PATIENCE_S)
        if self.thread.is_alive():
            self.engine.stop()
            self.thread.join(PATIENCE_S)
            pytest.fail(f"did not end: {self.heard.texts[-3:]}, {self.heard.sentences}")


def fill(disk: Path, leave_mib: float = 0.0) -> Path:
    """Write a file until only so much is left."""
    ballast = disk / "ballast"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    with ballast.open("wb", buffering=0) as stream:
        try:
            stream.write(b"x" * int(free - leave_mib * 2**20))
            if leave_mib == 0:
                while True:
                    stream.write(b"x" * 4096)
        except OSError:
            pass
    return ballast


def holds(mission: Path) -> set[Hold | None]:
    """The holds of all jobs."""
    with closing(Store(mission / layout.MISSION_SQLITE)) as store:
        return {c.hold for c in snapshot.load(store).cells.values()}


def test_that_work_is_held_below_the_floor_and_goes_on_above_it(disk: Path, tmp_path: Path) -> None:
    mission, card = disk / "mission", tmp_path / "card"
    film(card, "AUV01/PORT/GX010012.MP4", 130)
    ballast = fill(disk, leave_mib=4)
    working = Working(mission, card, SETTINGS.model_copy(update={"free_space_floor_mib": 8.0}))
    working.wait_for_sentence("No space")
    end = time.monotonic() + PATIENCE_S
    while holds(mission) != {Hold.NO_SPACE}:
        assert time.monotonic() < end, f"not held: {holds(mission)}"
        time.sleep(0.1)
    ballast.unlink()
    working.end()
    assert read_verdict(mission)["verdict"] == "complete"


def test_that_a_worker_which_hits_the_end_of_the_disk_is_tried_again_without_counting(
    disk: Path, tmp_path: Path
) -> None:
    mission, card = disk / "mission", tmp_path / "card"
    film(card, "AUV01/PORT/GX010012.MP4", acts=[{"at": "frames", "do": "fill", "mib": 16}])
    film(card, "AUV01/STBD/GX010015.MP4")
    ballast = fill(disk, leave_mib=9)
    working = Working(mission, card, SETTINGS)
    working.wait_for_sentence("No space")
    time.sleep(2)
    ballast.unlink()
    working.end()
    assert read_verdict(mission)["verdict"] == "complete"
    with closing(Store(mission / layout.MISSION_SQLITE)) as store:
        cell = snapshot.load(store).cells["frames/AUV01-PORT_0012_01_000"]
    assert cell.attempt == 0


def test_that_a_disk_without_a_single_block_left_loses_nothing(disk: Path, tmp_path: Path) -> None:
    mission, card = disk / "mission", tmp_path / "card"
    slow = [{"at": stage, "do": "sleep", "s": 0.5} for stage in ("frames", "quality", "inference")]
    film(card, "AUV01/PORT/GX010012.MP4", 130, acts=slow)
    working = Working(mission, card, SETTINGS)
    while not list(mission.glob("work/frames/*/*/manifest.json")):
        assert working.thread.is_alive()
        time.sleep(0.02)
    ballast = fill(disk)
    working.wait_for_sentence("No space")
    time.sleep(4)
    assert working.thread.is_alive()
    ballast.unlink()
    working.end()
    assert read_verdict(mission)["verdict"] == "complete"
    assert not list(mission.rglob(".partial-*"))


def test_that_an_engine_started_on_a_full_disk_waits_for_room(disk: Path, tmp_path: Path) -> None:
    mission, card = disk / "mission", tmp_path / "card"
    film(card, "AUV01/PORT/GX010012.MP4")
    mission.mkdir()
    ballast = fill(disk)
    working = Working(mission, card, SETTINGS)
    working.wait_for_sentence("room")
    ballast.unlink()
    working.end()
    assert read_verdict(mission)["verdict"] == "complete"


def test_that_an_engine_can_be_stopped_while_its_disk_is_full(disk: Path, tmp_path: Path) -> None:
    mission, card = disk / "mission", tmp_path / "card"
    film(card, "AUV01/PORT/GX010012.MP4", acts=[{"at": "quality", "do": "sleep", "s": 2}])
    working = Working(mission, card, SETTINGS)
    while not list(mission.glob("work/frames/*/*/manifest.json")):
        assert working.thread.is_alive()
        time.sleep(0.02)
    ballast = fill(disk)
    working.wait_for_sentence("No space")
    working.engine.stop()
    working.end()
    assert working.outcomes == [Outcome(stopped=True)]
    ballast.unlink()
    Working(mission, card, SETTINGS).end()
    assert read_verdict(mission)["verdict"] == "complete"
