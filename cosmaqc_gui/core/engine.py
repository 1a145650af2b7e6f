"""The engine of one mission: lock, store, line, scheduler and driver put together, until all is at rest.

It is the process that ``cosmaqc run`` is. Killed at any moment, the next one goes on: the lock is released by
the kernel, leases are taken over, workers that are left are ended, half-built outputs are swept.
"""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cosmaqc_gui.core import outputs
from cosmaqc_gui.core.drivers.driver import Driver
from cosmaqc_gui.core.drivers.local import end_orphans
from cosmaqc_gui.core.jobs import Ended, Jobs, unit_of
from cosmaqc_gui.core.line import Line, Ranking
from cosmaqc_gui.core.lock import MissionLock
from cosmaqc_gui.core.mission import Overrides, create_or_open
from cosmaqc_gui.core.scheduler import Scheduler
from cosmaqc_gui.core.settings import Settings
from cosmaqc_gui.core.status import Status, status_of
from cosmaqc_gui.core.store import Store, is_full
from cosmaqc_gui.core.wishes import IngestRequest, Wishes, ask_to_ingest, forget_stale
from workers.contract import layout
from workers.contract.errors import NoFootage
from workers.contract.products import VERDICT
from workers.contract.software import software_version
from workers.contract.words import Stage

log = logging.getLogger(__name__)

TELL_EVERY_S = 0.5
PLAN_SHARE = 20.0
"""Of a busy engine's time, planning takes one part in so many."""
NO_ROOM_PAUSE_S = 5.0


class Listener:
    """Hears how the work goes; does nothing with it by default."""

    def status(self, status: Status) -> None:
        """How far it is; about twice a second."""

    def say(self, sentence: str) -> None:
        """Something that the operator should know now."""


@dataclass(frozen=True)
class Outcome:
    """How a run of the engine ended.

    Exactly one of these holds: ``verdict`` is the path of ``verdict.json``; ``refused`` says why the input could not
    be used; ``failed`` why there is no verdict; ``stopped``.
    """

    verdict: Path | None = None
    refused: Ended | None = None
    failed: Ended | None = None
    stopped: bool = False


class Engine:
    """Works on one mission.

    Args:
        path: the mission folder; made when missing.
        settings: the operator's settings.
        driver_of: makes the driver for the mission folder.
        ranking: how frames are ranked within a dive.
        listener: hears how the work goes.
    """

    def __init__(
        self,
        path: Path,
        settings: Settings,
        driver_of: Callable[[Path], Driver],
        ranking: Ranking,
        listener: Listener,
    ) -> None:
        self.path = path
        self.settings = settings
        self._driver_of = driver_of
        self._ranking = ranking
        self._listener = listener
        self._stop = threading.Event()
        self._driver: Driver | None = None

    def stop(self) -> None:
        """Ask for an orderly stop; safe in a signal handler."""
        self._stop.set()

    def kill(self) -> None:
        """End all workers at once, without a word; for the operator who asks a second time."""
        if self._driver is not None:
            self._driver.kill_all()

    def run(self, request: IngestRequest, changes: Overrides) -> Outcome:
        """Ingest what is asked, run the line until all is at rest, publish.

        Args:
            request: footage, nav, AOI and rig to add; may be empty on a mission that has footage.
            changes: params to set in the mission.

        Raises:
            CosmaError: the mission is locked or unreadable, the params make no sense, or nothing works any more.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with MissionLock(self.path):
            while True:
                try:
                    return self._run(request, changes)
                except (OSError, sqlite3.OperationalError) as error:
                    if not is_full(error, self.path):
                        raise
                    log.warning("no room to begin: %s", error)
                    if self._stop.is_set():
                        return Outcome(stopped=True)
                    self._listener.say(
                        "There is no room on the mission's disk. Free some; the work goes on by itself."
                    )
                    self._stop.wait(NO_ROOM_PAUSE_S)

    def _run(self, request: IngestRequest, changes: Overrides) -> Outcome:
        mission = create_or_open(self.path, changes)
        self._driver = self._driver_of(self.path)
        end_orphans(self.path)
        swept = outputs.sweep(self.path)
        with closing(Store(self.path / layout.MISSION_SQLITE)) as store:
            jobs = Jobs(store, owner=f"engine-{os.getpid()}")
            line = Line(mission, jobs, self._ranking)
            store.append("engine_started", "", {"software": software_version(), "swept": swept})
            jobs.take_over(line.done)
            line.forget_passing_failures()
            forget_stale(store)
            if line.snapshot.params != mission.params:
                store.append("params", "", mission.params.model_dump(mode="json"))
            if line.snapshot.paused:
                store.append("resumed")  # a run without a window that waits for a click would wait for ever
            if not request.is_empty:
                ask_to_ingest(store, request)
            elif not line.snapshot.inventory.recordings and not line.ingesting:
                raise NoFootage(f"The mission {self.path} has no footage yet.")
            return self._work(line)

    def _work(self, line: Line) -> Outcome:
        assert self._driver is not None
        scheduler = Scheduler(
            self.path, line.jobs, self._driver, self.settings, line.finished, self._listener.say
        )
        work = _Work(line, scheduler, Wishes(line, scheduler), self._listener)
        try:
            scheduler.loop(work.step, self._stop.is_set)
            if scheduler.running:
                self._listener.say("Stopping; finished work is kept.")
            scheduler.stop()
        finally:
            self._driver.kill_all()
        self._farewell(line)
        return Outcome(stopped=True) if self._stop.is_set() and not work.is_over else work.outcome()

    def _farewell(self, line: Line) -> None:
        """Say that the engine stopped, where there is room to say it; nothing depends on it."""
        try:
            line.store.append("engine_stopped")
            line.refresh()
            line.keep()
        except sqlite3.OperationalError as error:
            if not is_full(error, self.path):
                raise
            log.warning("no room to keep the snapshot")


class _Work:
    """One run of the line: what is looked at after each round of the scheduler."""

    def __init__(self, line: Line, scheduler: Scheduler, wishes: Wishes, listener: Listener) -> None:
        self.line = line
        self.scheduler = scheduler
        self.wishes = wishes
        self.listener = listener
        self.is_over = False
        self.stopped = False
        self.not_ingested: Ended | None = None
        self._planned_after = -1
        self._planned_s = self._plan_took_s = 0.0
        self._told_s = float("-inf")

    def step(self) -> bool:
        """Carry out wishes, plan anew when something changed, tell; whether the run is over."""
        if self.wishes.carry_out():
            self._planned_after = -1
        self.stopped = self.wishes.stop
        if self.wishes.stop_after_this:
            self.scheduler.paused = True
            self.stopped = self.stopped or not self.scheduler.running
        if not self.stopped and self._plan_is_due():
            self._plan()
        self._tell()
        at_rest = self.line.plan.at_rest and not self.scheduler.running and not self.line.ingesting
        self.is_over = self.stopped or self.not_ingested is not None or at_rest
        return self.is_over

    def _plan_is_due(self) -> bool:
        """Whether something changed, and it is worth planning for it now.

        A plan of 1,000 segments takes half a second. While all lanes are busy it can wait, so that planning takes a
        small share of the time; a lane that would stand idle gets its plan at once.
        """
        if self._planned_after == self.scheduler.settled:
            return False
        idle = len(self.scheduler.running) < self.scheduler.settings.lane_count
        return idle or time.monotonic() - self._planned_s >= PLAN_SHARE * self._plan_took_s

    def _plan(self) -> None:
        started = time.monotonic()
        planned_after = self.scheduler.settled
        self.line.replan()
        for job_id in self.line.superseded(list(self.scheduler.running)):
            self.scheduler.cancel(job_id, "plan")
        self.not_ingested = self._failed_ingest()
        self._planned_after = planned_after  # only now: a full disk in between has to repeat it
        self._planned_s = time.monotonic()
        self._plan_took_s = self._planned_s - started

    def _failed_ingest(self) -> Ended | None:
        failed = [e for i, e in self.line.jobs.ended().items() if unit_of(i)[0] is Stage.INGEST]
        return failed[-1] if failed else None

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._told_s < TELL_EVERY_S:
            return
        self._told_s = now
        running = {job_id: r.share for job_id, r in self.scheduler.running.items()}
        waiting = ["waiting for room on the disk"] if self.scheduler.no_space else []
        if self.scheduler.paused:
            waiting.append("paused")
        lanes = self.scheduler.settings.lane_count
        self.listener.status(status_of(self.line.plan, self.line.snapshot, running, waiting, lanes))

    def outcome(self) -> Outcome:
        """How it ended."""
        if self.stopped:
            return Outcome(stopped=True)
        if self.not_ingested is not None:
            return Outcome(refused=self.not_ingested)
        if self.line.verdict_job is not None:
            return Outcome(verdict=self.line.mission.path / layout.PRODUCTS / VERDICT)
        ended = self.line.jobs.ended()
        last = [ended[i.job.id] for i in self.line.plan.items if i.job is not None and i.job.id in ended]
        return Outcome(failed=last[-1] if last else None)
