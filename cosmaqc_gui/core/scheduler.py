"""Claims jobs, runs them over lanes, and writes down how each of them ended.

A job that fails is an event, never the end of the batch. What the machine did to a worker (a full disk, a card that
was pulled out, a kill) is told apart from what the job itself could not do: the first waits or is tried again.
"""

import logging
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from pydantic import JsonValue

from cosmaqc_gui.core.drivers.driver import Driver, Limits
from cosmaqc_gui.core.holds import Room, missing_footage
from cosmaqc_gui.core.jobs import Jobs, QueuedJob
from cosmaqc_gui.core.settings import Settings, processors
from cosmaqc_gui.core.store import Body, is_full
from workers.contract.errors import CosmaError, DiskFull, ErrorCode, InternalError, WorkerDied
from workers.contract.events import Event, Failed, Finished, Measured, Progressed, Warned
from workers.contract.job import Job
from workers.contract.words import Hold, JobState, Stage

log = logging.getLogger(__name__)

LEASE_S = 60.0
RENEW_EVERY_S = 15.0
LOOK_EVERY_S = 1.0
PAUSE_S = 0.05
TROUBLE_PAUSE_S = 1.0
TROUBLE_LIMIT = 5
TRIED_AGAIN = {ErrorCode.WORKER_DIED, ErrorCode.TIMED_OUT}

OnFinished = Callable[[Job, Path], None]


@dataclass
class Running:
    """A claimed job and what its worker said so far.

    ``stopped_for``: None while it may run; ``operator``, ``engine`` or ``plan`` once it was asked to stop.
    """

    queued: QueuedJob
    started_s: float
    share: float = 0.0
    figures: dict[str, JsonValue] = field(default_factory=dict)
    warnings: list[JsonValue] = field(default_factory=list)
    ended: Finished | Failed | None = None
    output: Path | None = None
    stopped_for: str | None = None
    killed: bool = False


class Scheduler:
    """Runs the queue of one mission over the lanes of one driver.

    Args:
        mission: the mission folder.
        jobs: its queue.
        driver: what runs the workers.
        settings: the operator's settings.
        on_finished: called with job and output within the transaction that marks the job as succeeded.
        say: called with a sentence when the operator should know something.
    """

    def __init__(
        self,
        mission: Path,
        jobs: Jobs,
        driver: Driver,
        settings: Settings,
        on_finished: OnFinished,
        say: Callable[[str], None],
    ) -> None:
        self.mission = mission
        self.jobs = jobs
        self.driver = driver
        self.settings = settings
        self.running: dict[str, Running] = {}
        self.settled = 0
        self.paused = False
        self.no_space = True  # holds of a former engine are released by the first look
        self.room = Room(mission, settings.free_space_floor_mib)
        self._on_finished = on_finished
        self._say = say
        self._said_no_space = False
        self._looked_s = self._renewed_s = float("-inf")

    # ------------------------------------------------------------------ the loop

    def loop(self, step: Callable[[], bool], asked_to_stop: Callable[[], bool]) -> None:
        """Tick until ``step`` says that it is enough.

        Args:
            step: called after every tick that went well; True ends the loop.
            asked_to_stop: asked before every tick, also while nothing goes well; True ends the loop.

        Raises:
            CosmaError: what ``step`` raises; an :class:`InternalError` when nothing works any more.
        """
        troubles = 0
        while not asked_to_stop():
            try:
                self.tick()
                if step():
                    return
                troubles = 0
            except CosmaError:
                raise
            except Exception as error:  # noqa: BLE001 - one bad moment must not end a batch of hours
                troubles = self._stumble(error, troubles)
                time.sleep(TROUBLE_PAUSE_S)
            time.sleep(PAUSE_S)

    def _stumble(self, error: Exception, troubles: int) -> int:
        """Wait out a full disk for as long as it takes, anything else a few times; the troubles so far."""
        try:
            if is_full(error, self.mission):
                log.warning("no room to write down what happened: %s", error)
                self._note_full()
                return 0
        except OSError as gone:
            error = gone  # the mission's folder itself cannot be asked any more: its drive was taken out
        log.error("the engine stumbled (%d of %d)", troubles + 1, TROUBLE_LIMIT, exc_info=error)
        if troubles + 1 >= TROUBLE_LIMIT:
            raise InternalError(
                f"The engine cannot go on: {type(error).__name__}: {error}.",
                "See that the mission's drive is there, then run the same command again; finished work is kept.",
            ) from error
        return troubles + 1

    def tick(self) -> None:
        """One round: hear the workers, settle what ended, mind the holds, claim what is free.

        Every step is safe to repeat: when the disk is too full to write down that a job ended, it stays in
        :attr:`running` and is written down later.
        """
        for running in list(self.running.values()):
            self._hear(running)
        now = time.monotonic()
        if now - self._looked_s >= LOOK_EVERY_S:
            self._looked_s = now  # before anything is written: this is what says that the disk is full
            self._mind_room()
            self._mind_footage()
        for running in [r for r in self.running.values() if r.ended is not None]:
            self._settle(running)
            self.settled += 1
        if now - self._renewed_s >= RENEW_EVERY_S and self.running:
            self._renewed_s = now
            self.jobs.renew(LEASE_S)
        while self._start_one():
            pass

    def cancel(self, job_id: str, stopped_for: str) -> None:
        """Stop a running job.

        For the operator it is then cancelled, for the engine (which ends) it goes back to the queue; for the plan,
        which no longer asks for it, it is withdrawn: back in the queue it would be claimed again at once, for ever.
        """
        running = self.running[job_id]
        if running.ended is None and running.stopped_for is None:
            running.stopped_for = stopped_for
            self.driver.cancel(job_id)

    def stop(self) -> None:
        """Bring all running jobs back to the queue; returns when no worker is left."""
        self.paused = True
        for job_id in self.running:
            self.cancel(job_id, "engine")
        while self.running:
            try:
                self.tick()
            except sqlite3.OperationalError as error:
                if not is_full(error, self.mission):
                    raise
                if all(r.ended for r in self.running.values()):
                    return  # nothing can be written down; the next engine takes over what looks like running
            time.sleep(PAUSE_S)

    # ------------------------------------------------------------------ starting

    def _start_one(self) -> bool:
        """Claim and start a job; whether there may be another."""
        if self.paused or self.no_space or len(self.running) >= self.settings.lane_count:
            return False
        if self.running and psutil.virtual_memory().available < self.settings.memory_floor_mib * 2**20:
            return False
        threads = self._threads()
        queued = self.jobs.claim(LEASE_S)
        if queued is None:
            return False
        # noted before anything can go wrong: a claimed job is never forgotten
        running = self.running[queued.job.id] = Running(queued, time.monotonic())
        try:
            self.driver.submit(queued.job, self._limits(queued.job, threads))
        except OSError as error:
            running.ended = self._not_started(queued.job, error)
            return False
        return True

    def _not_started(self, job: Job, error: OSError) -> Failed:
        if is_full(error, self.mission):
            self._note_full()
            cause: CosmaError = DiskFull(f"There was no room to start {job.id}.")
        else:
            log.warning("%s could not be started: %s", job.id, error)
            cause = WorkerDied(f"The worker of {job.id} could not be started: {error}.")
        return Failed(job=job.id, code=cause.code, cause=cause.cause, hint=cause.hint)

    def _threads(self) -> int:
        """Share the processors out among the jobs that can run now: the last one gets what the others leave."""
        side_by_side = min(self.settings.lane_count, len(self.running) + self.jobs.claimable())
        return max(1, processors() // max(1, side_by_side))

    def _limits(self, job: Job, threads: int) -> Limits:
        memory = self.settings.worker_memory_mib
        if job.stage is Stage.INFERENCE:
            memory = int(str(job.params.get("memory_mib", memory)))
        return Limits(memory_mib=memory, silence_s=self.settings.silence_s, threads=threads)

    # ------------------------------------------------------------------ hearing and settling

    def _hear(self, running: Running) -> None:
        if running.ended is not None:
            return
        job = running.queued.job
        polled = self.driver.poll(job.id)
        for event in polled.events:
            _note(running, event)
        if polled.ended is None:
            return
        running.ended, running.killed = polled.ended, polled.killed
        if isinstance(polled.ended, Failed) and polled.ended.code is ErrorCode.DISK_FULL:
            self._note_full()  # now, not when it is written down: by then there may be room
        try:
            running.output = self.driver.collect(job.id)
        except WorkerDied as error:
            running.ended = Failed(job=job.id, code=error.code, cause=error.cause, hint=error.hint)

    def _settle(self, running: Running) -> None:
        """Write down how a job ended, and only then forget it."""
        job_id = running.queued.job.id
        if isinstance(running.ended, Finished):
            assert running.output is not None
            body = _body(running) | {
                "cached": running.ended.cached,
                "seconds": running.ended.seconds,
                "peak_memory_mib": running.ended.peak_memory_mib,
            }
            with self.jobs.store.transaction():
                self._on_finished(running.queued.job, running.output)
                self.jobs.settle(job_id, JobState.SUCCEEDED, "job_succeeded", body)
        elif running.ended is not None:
            self._settle_failed(running, running.ended)
        del self.running[job_id]

    def _settle_failed(self, running: Running, failed: Failed) -> None:
        job_id = running.queued.job.id
        body = _body(running) | {"code": failed.code.value, "cause": failed.cause, "hint": failed.hint}
        attempt = running.queued.attempt + 1
        if running.stopped_for == "operator":
            return self.jobs.settle(job_id, JobState.CANCELLED, "job_cancelled", body)
        if running.stopped_for == "engine":
            return self.jobs.requeue(job_id, "engine_stopped")
        if running.stopped_for == "plan":
            with self.jobs.store.transaction():
                self.jobs.requeue(job_id, "superseded")
                return self.jobs.withdraw([job_id], "superseded")
        if failed.code is ErrorCode.DISK_FULL:
            return self.jobs.requeue(job_id, failed.cause, hold=Hold.NO_SPACE)
        if failed.code is ErrorCode.FOOTAGE_MISSING:
            self._say(f"{failed.cause} {failed.hint}")
            return self.jobs.requeue(job_id, failed.cause, hold=Hold.CARD_MISSING)
        # a worker that stopped although nobody here asked it to was ended by somebody else: as good as killed
        died = failed.code in TRIED_AGAIN or failed.code is ErrorCode.CANCELLED
        most = self.settings.attempts_when_killed if running.killed else self.settings.attempts
        if died and attempt < most:
            log.warning("%s: %s (attempt %d of %d)", job_id, failed.cause, attempt, most)
            wait_s = self.settings.retry_delay_s * (1 if running.killed else 3 ** (attempt - 1))
            return self.jobs.requeue(job_id, failed.cause, wait_s=wait_s, died=True)
        log.error("%s failed: %s %s", job_id, failed.cause, failed.detail)
        return self.jobs.settle(job_id, JobState.FAILED, "job_failed", body)

    # ------------------------------------------------------------------ holds

    def _note_full(self) -> None:
        self.room.note_full()
        self._looked_s = float("-inf")

    def _mind_room(self) -> None:
        """Hold the queue while there is no room. The flag counts at once, even where it cannot be written down."""
        if self.room.is_there():
            # each time: a job that met the full disk may be written down as held only now that there is room
            self.jobs.release(Hold.NO_SPACE)
            self.no_space = self._said_no_space = False
            return
        self.no_space = True
        if not self._said_no_space:
            self._said_no_space = True
            self._say(self.room.sentence)
        self.jobs.hold_all(Hold.NO_SPACE, "the mission's disk is full")

    def _mind_footage(self) -> None:
        back = [j.id for j in self.jobs.held(Hold.CARD_MISSING) if not missing_footage(self.mission, j)]
        if back:
            self.jobs.release(Hold.CARD_MISSING, back)


def _note(running: Running, event: Event) -> None:
    if isinstance(event, Progressed):
        running.share = event.done / event.of if event.of > 0 else 0.0
    elif isinstance(event, Measured):
        running.figures[event.name] = {"value": event.value, "unit": event.unit}
    elif isinstance(event, Warned):
        running.warnings.append(f"{event.code}: {event.text}")


def _body(running: Running) -> Body:
    return {"figures": running.figures, "warnings": running.warnings}
