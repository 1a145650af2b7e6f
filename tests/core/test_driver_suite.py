"""What every driver does, whatever machine it reaches. A new driver joins by a line in ``DRIVERS``."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from cosmaqc_gui.core.drivers.driver import Driver, Limits, Polled
from cosmaqc_gui.core.segments import slice_recording
from tests.core.fake_line import fake_driver, film
from workers.contract import layout
from workers.contract.dive import Chapter, FootageFile, Recording
from workers.contract.errors import ErrorCode
from workers.contract.events import Event, Failed, Finished, Measured
from workers.contract.job import FramesInputs, Job
from workers.contract.params import FramesParams, IngestParams
from workers.contract.words import Stage

DRIVERS: dict[str, Callable[[Path], Driver]] = {"local": fake_driver}
PATIENCE_S = 30.0


@pytest.fixture(params=sorted(DRIVERS))
def driver(request: pytest.FixtureRequest, tmp_path: Path) -> Driver:
    (tmp_path / "mission").mkdir()
    return DRIVERS[request.param](tmp_path / "mission")


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Job]:
    """A frames job on a footage file whose acts are given."""

    def make(*acts: dict[str, Any], **changes: Any) -> Job:
        path = film(tmp_path, "AUV01/PORT/GX010012.MP4", acts=list(acts))
        file = FootageFile(path=path, size_bytes=1, checksum="a" * 16, device=1, inode=1, mtime_ns=1)
        chapter = Chapter(
            number=1,
            files=(file,),
            checksum="a" * 16,
            width=64,
            height=48,
            fps=4,
            frame_count=240,
            start_s=0,
            duration_s=60,
            codec="none",
        )
        recording = Recording(id="c_0012", camera="c", number="0012", stills=False, chapters=(chapter,))
        (segment,) = slice_recording(recording, IngestParams())
        inputs = FramesInputs(recording=recording, segment=segment).model_dump(mode="json")
        params = FramesParams().model_dump(mode="json")
        job = Job(stage=Stage.FRAMES, unit=segment.id, key="ab" * 32, params=params, inputs=inputs)
        return job.model_copy(update=changes)

    return make


def wait(
    driver: Driver, job: Job, until: Callable[[Polled], bool] = lambda p: p.ended is not None
) -> list[Event]:
    """Poll until something holds; all events, the last word included."""
    events: list[Event] = []
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        polled = driver.poll(job.id)
        events += polled.events
        if polled.ended is not None:
            events.append(polled.ended)
        if until(polled):
            return events
        time.sleep(0.02)
    raise AssertionError(f"waited {PATIENCE_S} s; heard {events}")


def output(tmp_path: Path, job: Job) -> Path:
    return tmp_path / "mission" / layout.output(job)


def leftovers(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "mission").rglob(".partial-*"))


def test_that_a_job_ends_with_its_output_at_home(
    driver: Driver, make: Callable[..., Job], tmp_path: Path
) -> None:
    job = make()
    driver.submit(job, Limits())
    events = wait(driver, job)
    assert isinstance(events[-1], Finished)
    assert events[0].kind == "started"
    assert driver.collect(job.id) == layout.output(job)
    assert (output(tmp_path, job) / layout.MANIFEST).exists()
    assert not leftovers(tmp_path)


def test_that_a_finished_output_is_not_computed_again(driver: Driver, make: Callable[..., Job]) -> None:
    job = make()
    for expected in (False, True):
        driver.submit(job, Limits())
        last = wait(driver, job)[-1]
        assert isinstance(last, Finished)
        assert last.cached is expected
        driver.collect(job.id)


def test_that_a_failure_of_the_stage_is_told_with_cause_and_hint(
    driver: Driver, make: Callable[..., Job], tmp_path: Path
) -> None:
    job = make({"at": "frames", "do": "fail"})
    driver.submit(job, Limits())
    last = wait(driver, job)[-1]
    assert isinstance(last, Failed)
    assert (last.code, bool(last.cause), bool(last.hint)) == (ErrorCode.RECONSTRUCTION_FAILED, True, True)
    assert not output(tmp_path, job).exists()
    assert not leftovers(tmp_path)


def test_that_a_defect_is_told_with_its_traceback(driver: Driver, make: Callable[..., Job]) -> None:
    job = make({"at": "frames", "do": "crash"})
    driver.submit(job, Limits())
    last = wait(driver, job)[-1]
    assert isinstance(last, Failed)
    assert last.code is ErrorCode.INTERNAL
    assert "RuntimeError: a defect" in last.detail


def test_that_a_worker_that_is_killed_is_told(
    driver: Driver, make: Callable[..., Job], tmp_path: Path
) -> None:
    job = make({"at": "frames", "do": "die"})
    driver.submit(job, Limits())
    last = wait(driver, job)[-1]
    assert isinstance(last, Failed)
    assert last.code is ErrorCode.WORKER_DIED
    assert not leftovers(tmp_path)


def test_that_a_job_that_does_not_fit_is_told(driver: Driver, make: Callable[..., Job]) -> None:
    job = make(params={"frames_per_s": -1})
    driver.submit(job, Limits())
    last = wait(driver, job)[-1]
    assert isinstance(last, Failed)
    assert last.code is ErrorCode.BAD_JOB


def test_that_cancelling_stops_a_worker_at_its_next_report(
    driver: Driver, make: Callable[..., Job], tmp_path: Path
) -> None:
    job = make({"at": "frames", "do": "sleep", "s": 600})
    driver.submit(job, Limits())
    wait(driver, job, lambda p: any(e.kind == "progressed" for e in p.events))
    driver.cancel(job.id)
    last = wait(driver, job)[-1]
    assert isinstance(last, Failed)
    assert last.code is ErrorCode.CANCELLED
    assert not output(tmp_path, job).exists()
    assert not leftovers(tmp_path)


def test_that_cancelling_before_the_worker_can_listen_is_still_a_cancel(
    driver: Driver, make: Callable[..., Job]
) -> None:
    job = make({"at": "frames", "do": "sleep", "s": 600})
    driver.submit(job, Limits())
    driver.cancel(job.id)
    last = wait(driver, job)[-1]
    assert isinstance(last, Failed)
    assert last.code is ErrorCode.CANCELLED


def test_that_a_deaf_worker_and_its_children_are_gone_after_a_cancel(
    driver: Driver, make: Callable[..., Job], tmp_path: Path
) -> None:
    job = make({"at": "frames", "do": "hang"})
    driver.submit(job, Limits())
    said = wait(driver, job, lambda p: any(isinstance(e, Measured) for e in p.events))
    child = next(int(e.value) for e in said if isinstance(e, Measured))
    driver.cancel(job.id)
    last = wait(driver, job)[-1]
    assert isinstance(last, Failed)
    assert last.code is ErrorCode.CANCELLED
    assert _is_gone(child)
    assert not leftovers(tmp_path)


def test_that_a_worker_over_its_memory_bound_is_ended(driver: Driver, make: Callable[..., Job]) -> None:
    job = make({"at": "frames", "do": "eat", "mib": 400})
    driver.submit(job, Limits(memory_mib=256))
    last = wait(driver, job)[-1]
    assert isinstance(last, Failed)
    assert last.code is ErrorCode.OUT_OF_MEMORY
    assert "256 MiB" in last.cause


def test_that_a_worker_that_says_nothing_is_ended(driver: Driver, make: Callable[..., Job]) -> None:
    job = make({"at": "frames", "do": "hang"})
    driver.submit(job, Limits(silence_s=2.0))
    last = wait(driver, job)[-1]
    assert isinstance(last, Failed)
    assert last.code is ErrorCode.TIMED_OUT


def test_that_an_event_cut_in_half_by_a_kill_does_not_hide_the_next(
    driver: Driver, make: Callable[..., Job], tmp_path: Path
) -> None:
    job = make()
    events = tmp_path / "mission" / layout.events_file(job)
    events.parent.mkdir(parents=True)
    events.write_text('{"kind":"progressed","jo')
    driver.submit(job, Limits())
    assert isinstance(wait(driver, job)[-1], Finished)


def test_that_missing_footage_is_told_by_its_code(
    driver: Driver, make: Callable[..., Job], tmp_path: Path
) -> None:
    job = make()
    (tmp_path / "AUV01/PORT/GX010012.MP4").unlink()
    driver.submit(job, Limits())
    last = wait(driver, job)[-1]
    assert isinstance(last, Failed)
    assert last.code is ErrorCode.FOOTAGE_MISSING


def test_that_kill_all_leaves_no_process(driver: Driver, make: Callable[..., Job]) -> None:
    job = make({"at": "frames", "do": "hang"})
    driver.submit(job, Limits())
    said = wait(driver, job, lambda p: any(isinstance(e, Measured) for e in p.events))
    child = next(int(e.value) for e in said if isinstance(e, Measured))
    driver.kill_all()
    wait(driver, job)
    assert _is_gone(child)


def _is_gone(pid: int) -> bool:
    for _ in range(100):
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return not psutil.pid_exists(pid)
