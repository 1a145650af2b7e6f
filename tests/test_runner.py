"""The runner: done or not there at all, and every end told."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import xxhash

from tests.core.fake_line import ROOT, film
from tests.core.footage import recording
from workers.contract import layout
from workers.contract.errors import ErrorCode
from workers.contract.events import EXIT_DISK_FULL, Event, Failed, Finished, event_from_line
from workers.contract.job import Job, TelemetryInputs
from workers.contract.words import Stage
from workers.runner import run_job

STAGES = "tests.core.fake_stages"


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A telemetry job; the mission is the test's folder."""
    monkeypatch.chdir(tmp_path)
    inputs = TelemetryInputs(recording=recording([60])).model_dump(mode="json")
    return Job(stage=Stage.TELEMETRY, unit="rec", key="cd" * 32, params={}, inputs=inputs)


def run(mission: Path, job: Job) -> list[Event]:
    events: list[Event] = []
    run_job(mission, job, events.append, stages=STAGES)
    return events


def test_that_the_manifest_lists_every_file_with_its_checksum(tmp_path: Path, job: Job) -> None:
    assert isinstance(run(tmp_path, job)[-1], Finished)
    done = tmp_path / layout.output(job)
    manifest = json.loads((done / layout.MANIFEST).read_text())
    content = (done / "telemetry.json").read_bytes()
    assert manifest["files"] == [
        {"path": "telemetry.json", "size_bytes": len(content), "xxh64": xxhash.xxh64(content).hexdigest()}
    ]
    assert Job.model_validate(manifest["job"]) == job


def test_that_nothing_is_left_of_a_stage_that_fails(tmp_path: Path, job: Job) -> None:
    (last,) = run(tmp_path, job.model_copy(update={"inputs": {"recording": 3}}))[1:]
    assert isinstance(last, Failed)
    assert last.code is ErrorCode.BAD_JOB
    assert list((tmp_path / "work").rglob("*")) == []


def test_that_a_job_of_another_contract_is_refused(tmp_path: Path, job: Job) -> None:
    last = run(tmp_path, job.model_copy(update={"contract": 99}))[-1]
    assert isinstance(last, Failed)
    assert last.code is ErrorCode.BAD_JOB


def test_that_an_output_published_by_another_worker_in_the_meantime_is_kept(tmp_path: Path, job: Job) -> None:
    done = tmp_path / layout.output(job)

    def emit(event: Event) -> None:
        if event.kind == "progressed" and not done.exists():
            done.mkdir(parents=True)
            (done / layout.MANIFEST).write_text("{}")

    run_job(tmp_path, job, emit, stages=STAGES)
    assert (done / layout.MANIFEST).read_text() == "{}"
    assert not list(tmp_path.rglob(".partial-*"))


def test_that_a_folder_without_a_manifest_is_no_output(tmp_path: Path, job: Job) -> None:
    done = tmp_path / layout.output(job)
    done.mkdir(parents=True)
    (done / "half.txt").write_text("half")
    last = run(tmp_path, job)[-1]
    assert isinstance(last, Finished)
    assert not last.cached
    assert (done / layout.MANIFEST).exists()
    assert not (done / "half.txt").exists()


def command(mission: Path, job: Job) -> list[str]:
    path = mission / layout.job_file(job)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(job.model_dump_json())
    return [
        *(sys.executable, "-m", "workers", "run", str(path)),
        *("--mission", str(mission), "--stages", STAGES),
    ]


def test_that_events_go_to_stdout_and_to_the_file_alike(tmp_path: Path, job: Job) -> None:
    done = subprocess.run(command(tmp_path, job), cwd=ROOT, capture_output=True, check=True)
    assert done.stdout == (tmp_path / layout.events_file(job)).read_bytes()
    assert [event_from_line(line).kind for line in done.stdout.splitlines()][0::10] == ["started"]


def test_that_a_listener_that_goes_away_does_not_stop_the_work(tmp_path: Path, job: Job) -> None:
    read, write = os.pipe()
    os.close(read)
    worker = subprocess.run(
        command(tmp_path, job), cwd=ROOT, stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert worker.returncode == 0, worker.stderr
    assert (tmp_path / layout.output(job) / layout.MANIFEST).exists()


def test_that_sigterm_ends_a_worker_with_a_last_word(tmp_path: Path) -> None:
    from cosmaqc_gui.core.segments import slice_recording
    from tests.core.footage import inventory
    from workers.contract.job import FramesInputs
    from workers.contract.params import FramesParams, IngestParams

    path = film(tmp_path, "A/B/GX010012.MP4", acts=[{"at": "frames", "do": "sleep", "s": 60}])
    text = inventory(recording([60])).model_dump_json().replace("/card/GX010012.MP4", str(path))
    (only,) = type(inventory()).model_validate_json(text).recordings
    (segment,) = slice_recording(only, IngestParams())
    inputs = FramesInputs(recording=only, segment=segment).model_dump(mode="json")
    params = FramesParams().model_dump(mode="json")
    slow = Job(stage=Stage.FRAMES, unit="seg", key="ef" * 32, params=params, inputs=inputs)
    worker = subprocess.Popen(command(tmp_path, slow), cwd=ROOT, stdout=subprocess.PIPE)
    assert worker.stdout is not None
    while b"progressed" not in worker.stdout.readline():
        pass
    worker.send_signal(signal.SIGTERM)
    last = event_from_line(worker.stdout.read().splitlines()[-1])
    assert worker.wait() == 0
    assert isinstance(last, Failed)
    assert last.code is ErrorCode.CANCELLED
    assert not list(tmp_path.rglob(".partial-*"))


def test_that_a_worker_that_cannot_write_its_events_says_so_by_its_exit_status(
    tmp_path: Path, job: Job
) -> None:
    line = command(tmp_path, job)
    events = tmp_path / layout.events_file(job)
    events.symlink_to("/dev/full")
    assert subprocess.run(line, cwd=ROOT, check=False, capture_output=True).returncode == EXIT_DISK_FULL


def test_that_an_unknown_command_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "workers", "dance"], cwd=ROOT, check=False, capture_output=True
    )
    assert done.returncode == 2


def test_that_version_names_program_and_contract() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "workers", "version"], cwd=ROOT, check=True, capture_output=True
    )
    assert b"contract 1" in done.stdout
