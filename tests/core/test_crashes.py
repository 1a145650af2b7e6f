"""Any process may be killed at any moment; started again, the line goes on and the result is the same."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from cosmaqc_gui.core.drivers.local import MARK, mark_of
from tests.core.fake_line import film, read_verdict, run
from workers.contract import layout

PROGRAM = Path(__file__).with_name("fake_line.py")
PATIENCE_S = 90


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], set[str]]:
    """Footage, and what a run that nobody disturbs makes of it."""
    folder = tmp_path_factory.mktemp("undisturbed")
    card = folder / "card"
    film(card, "AUV01/PORT/GX010012.MP4", 130, acts=[{"at": "inference", "do": "sleep", "s": 0.3}])
    film(card, "AUV01/PORT/GX020012.MP4", 70, acts=[{"at": "frames", "do": "sleep", "s": 0.3}])
    film(card, "AUV01/STBD/GX010015.MP4", 90, sharpness=20.0)
    run(folder / "mission", card)
    return card, read_verdict(folder / "mission"), ids(folder / "mission")


def ids(mission: Path) -> set[str]:
    """All outputs but those of ingest, whose key is a nonce."""
    found = {str(p.parent.relative_to(mission / "work")) for p in (mission / "work").rglob(layout.MANIFEST)}
    return {f for f in found if not f.startswith("ingest")}


def start(mission: Path, card: Path) -> subprocess.Popen[str]:
    command = [sys.executable, str(PROGRAM), str(mission), str(card)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=None, cwd=PROGRAM.parents[2])


def workers_of(mission: Path) -> list[psutil.Process]:
    """Living processes that carry the mission's mark."""
    if not mission.exists():
        return []
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark_of(mission) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def test_that_kills_at_random_moments_do_not_change_the_result(
    truth: tuple[Path, dict[str, Any], set[str]], tmp_path: Path
) -> None:
    card, verdict, expected = truth
    moments = random.Random(20261120)
    mission = tmp_path / "mission"
    engine = start(mission, card)
    for _ in range(8):
        time.sleep(moments.uniform(0.2, 1.6))
        workers = workers_of(mission)
        if workers and moments.random() < 0.5:
            moments.choice(workers).kill()
        else:
            engine.kill()
            engine.wait()
            engine = start(mission, card)
    assert engine.wait(PATIENCE_S) == 0
    assert ids(mission) == expected
    assert read_verdict(mission) == verdict
    assert not list(mission.rglob(".partial-*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_that_a_signal_stops_the_engine_in_order(
    truth: tuple[Path, dict[str, Any], set[str]], tmp_path: Path, number: signal.Signals
) -> None:
    card, verdict, expected = truth
    mission = tmp_path / "mission"
    engine = start(mission, card)
    while not list(mission.glob("work/frames/*/*/manifest.json")):
        time.sleep(0.02)
    engine.send_signal(number)
    assert engine.wait(PATIENCE_S) == 130
    assert not workers_of(mission)
    assert not list(mission.rglob(".partial-*"))
    assert start(mission, card).wait(PATIENCE_S) == 0
    assert (ids(mission), read_verdict(mission)) == (expected, verdict)


def test_that_a_worker_which_outlived_its_engine_is_ended_by_the_next(tmp_path: Path) -> None:
    card, mission = tmp_path / "card", tmp_path / "mission"
    film(card, "AUV01/PORT/GX010012.MP4", acts=[{"at": "frames", "do": "hang", "times": 1}])
    engine = start(mission, card)
    while not list(mission.glob("work/frames/*/*.events.jsonl")) or len(workers_of(mission)) < 2:
        time.sleep(0.05)
    orphans = workers_of(mission)
    engine.kill()
    engine.wait()
    assert all(o.is_running() for o in orphans)
    assert start(mission, card).wait(PATIENCE_S) == 0
    assert not any(o.is_running() and o.status() != psutil.STATUS_ZOMBIE for o in orphans)
    assert read_verdict(mission)["verdict"] == "complete"


def test_that_an_engine_that_died_does_not_keep_the_lock_through_its_workers(tmp_path: Path) -> None:
    from cosmaqc_gui.core.lock import MissionLock

    card, mission = tmp_path / "card", tmp_path / "mission"
    film(card, "AUV01/PORT/GX010012.MP4", acts=[{"at": "frames", "do": "sleep", "s": 60}])
    engine = start(mission, card)
    while not workers_of(mission):
        time.sleep(0.05)
    engine.kill()
    engine.wait()
    try:
        MissionLock(mission).release()
    finally:
        for worker in workers_of(mission):
            worker.kill()


def test_that_a_second_engine_process_is_refused(tmp_path: Path) -> None:
    card, mission = tmp_path / "card", tmp_path / "mission"
    film(card, "AUV01/PORT/GX010012.MP4", acts=[{"at": "frames", "do": "sleep", "s": 60}])
    first = start(mission, card)
    while not workers_of(mission):
        time.sleep(0.05)
    second = start(mission, card)
    out, _ = second.communicate(timeout=PATIENCE_S)
    assert (second.returncode, out.strip()) == (4, "mission_locked")
    first.send_signal(signal.SIGINT)
    assert first.wait(PATIENCE_S) == 130
