"""The store: migrations, append-only events, claims."""

import multiprocessing
import sqlite3
import threading
from pathlib import Path

import pytest

from cosmaqc_gui.core import snapshot
from cosmaqc_gui.core.jobs import Jobs
from cosmaqc_gui.core.schema import MIGRATIONS
from cosmaqc_gui.core.store import Body, Store
from workers.contract.errors import MissionUnreadable
from workers.contract.job import Job, KnownFile
from workers.contract.words import Hold, JobState, Stage


def job(number: int, stage: Stage = Stage.FRAMES) -> Job:
    return Job(stage=stage, unit=f"seg_{number:04d}", key=f"{number:064x}", params={}, inputs={})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mission.sqlite"


def test_that_a_file_of_version_1_is_migrated_with_all_that_it_holds(path: Path) -> None:
    old = sqlite3.connect(path)
    for statement in MIGRATIONS[0]:
        old.execute(statement)
    old.execute("PRAGMA user_version=1")
    queued = job(1)
    old.execute(
        "INSERT INTO job(id, stage, unit, key, state, body) VALUES (?, 'frames', ?, ?, 'queued', ?)",
        (queued.id, queued.unit, queued.key, queued.model_dump_json()),
    )
    old.execute(
        "INSERT INTO event(time_s, kind, subject, body) VALUES (1, 'job_queued', ?, '{}')", (queued.id,)
    )
    old.commit()
    old.close()
    store = Store(path)
    assert store.version == len(MIGRATIONS)
    assert snapshot.load(store).cells[f"frames/{queued.unit}"].state is JobState.QUEUED
    claimed = Jobs(store, "a").claim(60)
    assert claimed is not None
    assert claimed.job == queued


def test_that_a_migration_that_fails_half_way_leaves_the_file_as_it_was(path: Path) -> None:
    store = Store(path)
    broken = (*MIGRATIONS, ("CREATE TABLE more (id INTEGER)", "CREATE TABLE job (id INTEGER)"))
    with pytest.raises(sqlite3.OperationalError):
        store._migrate(broken)
    assert store.version == len(MIGRATIONS)
    assert store.connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'more'").fetchone() is None


def test_that_a_file_of_a_newer_version_is_refused(path: Path) -> None:
    Store(path).connection.execute("PRAGMA user_version=99")
    with pytest.raises(MissionUnreadable, match="version 99"):
        Store(path)


def test_that_a_damaged_file_is_refused(path: Path) -> None:
    path.write_bytes(b"this is no database, and it is long enough to look like one" * 50)
    with pytest.raises(MissionUnreadable):
        Store(path)


@pytest.mark.parametrize("statement", ["UPDATE event SET kind = 'x'", "DELETE FROM event"])
def test_that_an_event_is_never_changed(path: Path, statement: str) -> None:
    store = Store(path)
    store.append("paused")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        store.connection.execute(statement)


def test_that_a_change_and_its_event_are_undone_together(path: Path) -> None:
    store = Store(path)
    jobs = Jobs(store, "a")
    jobs.enqueue(job(1), 0, "test")
    before = len(store.events_after(0))

    def settle_and_stumble() -> None:
        with store.transaction():
            jobs.settle(job(1).id, JobState.SUCCEEDED, "job_succeeded", {})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        settle_and_stumble()
    assert jobs.states()[job(1).id][0] is JobState.QUEUED
    assert len(store.events_after(0)) == before


def test_that_jobs_are_claimed_by_priority_and_then_in_order(path: Path) -> None:
    jobs = Jobs(Store(path), "a")
    jobs.enqueue(job(1), 40, "test")
    jobs.enqueue(job(2), 30, "test")
    jobs.enqueue(job(3), 30, "test")
    claimed = [jobs.claim(60) for _ in range(4)]
    assert [c and c.job.unit for c in claimed] == ["seg_0002", "seg_0003", "seg_0001", None]


def _claim_all(path: Path, start: "threading.Barrier", out: Path) -> None:
    jobs = Jobs(Store(path), out.name)
    start.wait()
    claimed = []
    while (row := jobs.claim(60)) is not None:
        claimed.append(row.job.id)
    out.write_text("\n".join(claimed))


def test_that_no_job_is_claimed_twice_by_claimers_in_four_processes(path: Path, tmp_path: Path) -> None:
    jobs = Jobs(Store(path), "maker")
    with jobs.store.transaction():
        for number in range(200):
            jobs.enqueue(job(number), 0, "test")
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(4)
    claimers = [
        context.Process(target=_claim_all, args=(path, barrier, tmp_path / f"claimer{n}")) for n in range(4)
    ]
    for claimer in claimers:
        claimer.start()
    for claimer in claimers:
        claimer.join()
    claimed = [line for n in range(4) for line in (tmp_path / f"claimer{n}").read_text().splitlines()]
    assert sorted(claimed) == sorted(job(n).id for n in range(200))


def test_that_held_jobs_are_not_claimed_until_released(path: Path) -> None:
    jobs = Jobs(Store(path), "a")
    jobs.enqueue(job(1), 0, "test")
    jobs.hold_all(Hold.NO_SPACE, "full")
    assert jobs.claim(60) is None
    jobs.release(Hold.NO_SPACE)
    assert jobs.claim(60) is not None


def test_that_a_job_whose_worker_died_waits_before_its_next_try(path: Path) -> None:
    now = [1000.0]
    jobs = Jobs(Store(path, now=lambda: now[0]), "a")
    jobs.enqueue(job(1), 0, "test")
    assert jobs.claim(60) is not None
    jobs.requeue(job(1).id, "died", wait_s=10, died=True)
    assert jobs.states()[job(1).id] == (JobState.QUEUED, Hold.WAITING_UNTIL)
    assert jobs.claim(60) is None
    now[0] += 11
    again = jobs.claim(60)
    assert again is not None
    assert again.attempt == 1


def test_that_a_clock_set_back_does_not_make_a_job_wait_for_hours(path: Path) -> None:
    now = [1_000_000.0]
    jobs = Jobs(Store(path, now=lambda: now[0]), "a")
    jobs.enqueue(job(1), 0, "test")
    jobs.claim(60)
    jobs.requeue(job(1).id, "died", wait_s=10, died=True)
    now[0] -= 6 * 3600
    assert jobs.claim(60) is not None


def test_that_a_job_left_running_by_a_dead_engine_comes_back_without_counting_an_attempt(path: Path) -> None:
    jobs = Jobs(Store(path), "dead")
    for number in (1, 2):
        jobs.enqueue(job(number), 0, "test")
        jobs.claim(60)
    back = Jobs(Store(path), "next").take_over({job(1).id})
    assert [b.job.id for b in back] == [job(2).id]
    assert jobs.states() == {job(1).id: (JobState.SUCCEEDED, None), job(2).id: (JobState.QUEUED, None)}
    again = jobs.claim(60)
    assert again is not None
    assert again.attempt == 0


def test_that_the_snapshot_is_the_same_from_all_events_and_from_a_kept_one(path: Path) -> None:
    store = Store(path)
    jobs = Jobs(store, "a")
    for number in range(5):
        jobs.enqueue(job(number), 0, "test")
    jobs.claim(60)
    snapshot.save(store, snapshot.load(store))
    figures: Body = {"figures": {"sharpness": {"value": 3.0, "unit": ""}}, "seconds": 2.0}
    jobs.settle(job(0).id, JobState.SUCCEEDED, "job_succeeded", {**figures})
    jobs.claim(60)
    failure = {"code": "internal", "cause": "torn", "hint": "report it"}
    jobs.settle(job(1).id, JobState.FAILED, "job_failed", {**failure})
    kept = snapshot.load(store)
    whole = snapshot.fold(snapshot.Snapshot(), store.events_after(0))
    assert kept == whole
    assert kept.cells["frames/seg_0000"].figures["sharpness"].value == 3.0
    assert kept.cells["frames/seg_0001"].hint == "report it"


def test_that_checksums_are_remembered_also_for_huge_inode_numbers(path: Path) -> None:
    store = Store(path)
    known = KnownFile(device=2**63, inode=2**64 - 1, size_bytes=5, mtime_ns=7, checksum="a" * 16)
    store.remember_files([known])
    store.remember_files([known.model_copy(update={"mtime_ns": 8})])
    assert store.known_files() == (known.model_copy(update={"mtime_ns": 8}),)
