"""The real line, killed at random moments with -9, or with its disk filled: the result is the same."""

import json
import os
import random
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from cosmaqc_gui.core.drivers.local import MARK, mark_of
from tests.end_to_end.conftest import cosmaqc
from workers.contract import layout
from workers.demo import SMALL, make_demo

SAME_FRACTION = 0.005
PATIENCE_S = 1200.0


class Dive:
    """A small dive, and what a run that nobody disturbs says of it."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "told"
        self.folder = folder / "dive"
        make_demo(self.folder, SMALL)
        started = time.monotonic()
        mission = folder / "undisturbed"
        assert self.start(mission).wait(PATIENCE_S) in {0, 10, 11}
        self.seconds = time.monotonic() - started
        self.verdict = read(mission)

    def start(self, mission: Path, *more: str) -> subprocess.Popen[bytes]:
        command = [
            *(cosmaqc(), "run", str(self.folder / "AUV01"), "--mission", str(mission)),
            *("--nav", str(self.folder / "AUV01_nav.csv"), "--aoi", str(self.folder / "aoi.geojson")),
            *more,
        ]
        with self.log.open("ab") as told:
            return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=told)


def read(mission: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((mission / "products" / "verdict.json").read_text())
    return loaded


@pytest.fixture(scope="module")
def dive(tmp_path_factory: pytest.TempPathFactory) -> Dive:
    return Dive(tmp_path_factory.mktemp("kills"))


def workers_of(mission: Path) -> list[psutil.Process]:
    """Living workers of the mission, and their children."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark_of(mission) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def run_with_kills(dive: Dive, mission: Path, kills: int, seed: int) -> list[str]:
    """Run the line; kill engine or worker so many times, spread over the run; what was killed."""
    moments = random.Random(seed)
    killed: list[str] = []
    engine = dive.start(mission)
    try:
        while len(killed) < kills:
            time.sleep(moments.uniform(0.0, 1.4 * dive.seconds / kills))
            if engine.poll() is not None:
                break  # it was quicker than the dice
            workers = workers_of(mission) if mission.exists() else []
            if workers and moments.random() < 0.5:
                victim = moments.choice(workers)
                with_command = " ".join(victim.cmdline()[-6:-5])
                victim.kill()
                killed.append(f"worker {with_command}")
            else:
                engine.kill()
                engine.wait()
                killed.append("engine")
                engine = dive.start(mission)
        assert engine.wait(PATIENCE_S) in {0, 10, 11}
    finally:
        if engine.poll() is None:
            engine.terminate()
            engine.wait(60)
    return killed


def assert_same(mission: Path, expected: dict[str, Any]) -> None:
    """CONTRACT: the same verdict, the same certain gaps, fractions within 0.005; and nothing half-built is left."""
    verdict = read(mission)
    assert verdict["verdict"] == expected["verdict"]
    for name, share in expected["coverage"].items():
        assert verdict["coverage"][name] == pytest.approx(share, abs=SAME_FRACTION), name
    certain, as_expected = (
        [(g["cause"], g["centre_lonlat"], g["area_m2"]) for g in v["gaps"] if g["certainty"] == "certain"]
        for v in (verdict, expected)
    )
    assert [c[0] for c in certain] == [c[0] for c in as_expected]
    for (_, centre, area), (_, expected_centre, expected_area) in zip(certain, as_expected, strict=True):
        assert centre == pytest.approx(expected_centre, abs=2e-6)  # 0.2 m
        assert area == pytest.approx(expected_area, rel=0.1)
    assert verdict["segments"] == expected["segments"]
    assert not list(mission.rglob(f"{layout.PARTIAL}*"))


def test_that_three_kills_at_random_moments_do_not_change_the_result(dive: Dive, tmp_path: Path) -> None:
    killed = run_with_kills(
        dive, tmp_path / "mission", kills=3, seed=int(os.environ.get("COSMAQC_SEED", "7"))
    )
    assert killed, "nothing was killed"
    assert_same(tmp_path / "mission", dive.verdict)


def test_that_a_disk_that_fills_holds_the_work_until_there_is_room(dive: Dive, tmp_path: Path) -> None:
    """On a real small disk, without any floor: the stages themselves hit its end."""
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: a full disk, because mounting a loop device needs root")
    image, disk, config = tmp_path / "disk.img", tmp_path / "disk", tmp_path / "config.toml"
    config.write_text("free_space_floor_mib = 0")
    disk.mkdir()
    with image.open("wb") as stream:
        stream.truncate(160 * 2**20)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    mounted = subprocess.run(["mount", "-o", "loop", image, disk], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip(f"NOT TESTED: a full disk, because mounting fails here: {mounted.stderr!r}")
    engine = None
    try:
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * (os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - 12 * 2**20))
        dive.log.write_bytes(b"")
        engine = dive.start(disk / "mission", "--config", str(config))
        while b"No space" not in dive.log.read_bytes():
            assert engine.poll() is None, dive.log.read_text()
            time.sleep(0.2)
        time.sleep(5)
        assert engine.poll() is None
        ballast.unlink()
        assert engine.wait(PATIENCE_S) in {0, 10, 11}
        assert_same(disk / "mission", dive.verdict)
    finally:
        if engine is not None and engine.poll() is None:
            engine.kill()
            engine.wait()
        subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(6))
def test_that_a_kill_at_a_random_moment_does_not_change_the_result(
    dive: Dive, tmp_path: Path, seed: int
) -> None:
    """Runs that are killed once or a few times, each at moments of its own."""
    run_with_kills(dive, tmp_path / "mission", kills=1 + seed % 3, seed=seed)
    assert_same(tmp_path / "mission", dive.verdict)


@pytest.mark.campaign
def test_that_twenty_kills_in_one_run_do_not_change_the_result(dive: Dive, tmp_path: Path) -> None:
    killed = run_with_kills(dive, tmp_path / "mission", kills=20, seed=11)
    assert len(killed) >= 10
    assert_same(tmp_path / "mission", dive.verdict)
