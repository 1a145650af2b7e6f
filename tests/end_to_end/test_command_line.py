"""What the installed command says and with which status it ends."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.end_to_end.conftest import cosmaqc
from workers.contract.layout import LOCK
from workers.demo import SMALL, make_demo

PATIENCE_S = 300


@pytest.fixture(scope="module")
def dive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("command") / "a dive, ümläut"
    make_demo(folder, SMALL)
    return folder


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [cosmaqc(), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
        env={**os.environ, **environment},
    )


def wait_for(path: Path, pattern: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not list(path.glob(pattern)):
        assert process.poll() is None, "it ended before"
        assert time.monotonic() < end
        time.sleep(0.05)


def test_that_the_version_is_told() -> None:
    assert run("--version").stdout.startswith("cosmaqc ")


def test_that_the_command_alone_says_that_there_is_no_window_and_what_to_do() -> None:
    done = run()
    assert done.returncode == 2
    assert "cosmaqc run" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "/nowhere", "--mission", "m"], "/nowhere does not exist"),
        (["run", "--mission", "m"], "no footage"),
        (["run", ".", "--mission", "m", "--set", "quality.sharpnes=1"], "no param quality.sharpnes"),
        (["run", ".", "--mission", "m", "--nav", "AUV01=nowhere.csv"], "nowhere.csv does not exist"),
        (["run", ".", "--mission", "m", "--config", "nowhere.toml"], "nowhere.toml"),
        (["run", "empty", "--mission", "m"], "ootage"),
        (["run", "."], "--mission"),
        (["plan", "--mission", "m", "--set", "nonsense"], "stage.param=value"),
    ],
)
def test_that_bad_input_is_refused_with_its_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    done = run(*arguments)
    assert (done.returncode, words in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr


def test_that_an_unreadable_aoi_is_refused(dive: Path, tmp_path: Path) -> None:
    aoi = tmp_path / "aoi.geojson"
    aoi.write_text('{"type": "Point"}')
    done = run("run", dive / "AUV01", "--mission", tmp_path / "m", "--aoi", aoi)
    assert (done.returncode, "aoi_unreadable" in done.stderr) == (2, True), done.stderr


def test_that_a_mission_of_a_newer_version_is_refused(dive: Path, tmp_path: Path) -> None:
    (tmp_path / "mission.toml").write_text("schema = 99")
    done = run("run", dive / "AUV01", "--mission", tmp_path)
    assert (done.returncode, "schema 99" in done.stderr) == (3, True), done.stderr


def test_that_a_plan_of_no_mission_says_so(tmp_path: Path) -> None:
    done = run("plan", "--mission", tmp_path)
    assert (done.returncode, "no mission" in done.stderr) == (3, True)
    assert list(tmp_path.iterdir()) == [], "looking makes nothing"


def test_that_an_interrupted_run_can_be_looked_at_and_goes_on(dive: Path, tmp_path: Path) -> None:
    """Interrupt, second engine, plan, and going on: one run, because it takes a minute."""
    mission = tmp_path / "the mission"
    command = [cosmaqc(), "run", str(dive / "AUV01"), "--mission", str(mission)]
    command += ["--nav", str(dive / "AUV01_nav.csv"), "--aoi", str(dive / "aoi.geojson")]
    engine = subprocess.Popen(command, stderr=subprocess.PIPE)
    wait_for(mission, "work/frames/*/*/manifest.json", engine)
    second = run("run", "--mission", mission)
    assert (second.returncode, str(engine.pid) in second.stderr) == (4, True), second.stderr
    assert int((mission / LOCK).read_text()) == engine.pid
    engine.send_signal(signal.SIGINT)
    _, told = engine.communicate(timeout=PATIENCE_S)
    assert (engine.returncode, b"finished work is kept" in told) == (130, True), told
    assert not list(mission.rglob(".partial-*"))
    plan = run("plan", "--mission", mission, "--set", "frames.frames_per_s=3")
    assert "frames.frames_per_s: 2.0 -> 3.0" in plan.stdout
    done = run("run", "--mission", mission)
    assert done.returncode == 10, done.stderr
    assert "NOT COMPLETE" in done.stdout
    assert str(mission / "products" / "report.html") in done.stdout
    assert " left (from " in done.stderr
    again = run("plan", "--mission", mission)
    assert "to run" not in again.stdout, again.stdout


def test_that_two_interrupts_end_it_at_once(dive: Path, tmp_path: Path) -> None:
    engine = subprocess.Popen([cosmaqc(), "run", str(dive / "AUV01"), "--mission", str(tmp_path)])
    wait_for(tmp_path, "work/inference/*/*.events.jsonl", engine)
    engine.send_signal(signal.SIGINT)
    time.sleep(0.05)
    engine.send_signal(signal.SIGINT)
    assert engine.wait(PATIENCE_S) == 130
