"""Runs workers as processes of this machine: the embedded default.

A worker is a session of its own, so that a Ctrl-C in the terminal does not reach it and one signal ends it with
all its children. It carries the mission's mark in its environment (:func:`mark_of`): after the engine was killed, the
next one finds what is left by that mark and ends it. A mark is safer than a recorded process id: it cannot belong
to a stranger, it also finds a worker that was started in the instant before the engine died, and children whose
parent is gone. Re-attaching would save at most one job a lane and need a second way of watching a process.

``PR_SET_PDEATHSIG`` is not used: it fires when the *thread* that started the worker ends, not the process, and it
would throw away a worker's last seconds of work that the next engine can use.
"""

import contextlib
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
from pydantic import ValidationError

from cosmaqc_gui.core.drivers.driver import Limits, Polled
from workers.contract import layout
from workers.contract.errors import Cancelled, CosmaError, DiskFull, OutOfMemory, TimedOut, WorkerDied
from workers.contract.events import EXIT_DISK_FULL, NO_ROOM_BYTES, Event, Failed, Finished, event_from_line
from workers.contract.job import Job

log = logging.getLogger(__name__)

MARK = "COSMAQC_WORKER_OF"
THREADS = "COSMAQC_THREADS"
GRACE_S = 1.5
WATCH_EVERY_S = 0.5
THREAD_VARIABLES = (THREADS, "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class EventTail:
    """Reads a growing ``events.jsonl`` from a byte offset on, whole lines only."""

    def __init__(self, path: Path, offset: int) -> None:
        self.path = path
        self.offset = offset

    def read(self) -> list[Event]:
        """The events that were appended since the last read."""
        try:
            with self.path.open("rb") as stream:
                stream.seek(self.offset)
                block = stream.read()
        except FileNotFoundError:
            return []
        whole, newline, _ = block.rpartition(b"\n")
        self.offset += len(whole) + len(newline)
        events = []
        for line in whole.splitlines():
            try:
                events.append(event_from_line(line))
            except ValidationError:  # half a line that an earlier worker left when it was killed
                if line:
                    log.warning("%s: not an event: %r", self.path, line[:200])
        return events


@dataclass
class _Worker:
    """A running worker, as the driver watches it."""

    job: Job
    process: subprocess.Popen[bytes]
    tail: EventTail
    limits: Limits
    heard_at: float
    watched_at: float = 0.0
    asked_to_stop_at: float | None = None
    verdict: CosmaError | None = None
    killed: bool = False
    oom_kills: int = 0
    last_word: Finished | Failed | None = None
    ended: Finished | Failed | None = None


class LocalDriver:
    """Starts, watches and ends workers on this machine.

    Args:
        mission: the mission folder.
        stages: package that the workers load their stages from.
        python_path: folders in which the workers look for packages first.
        environment: what the workers' environment holds besides this process's.
    """

    def __init__(
        self,
        mission: Path,
        *,
        stages: str = "workers.stages",
        python_path: Sequence[Path] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._mission = mission.resolve()
        self._mark = mark_of(self._mission)
        self._stages = stages
        self._python_path = tuple(python_path)
        self._environment = dict(environment or {})
        self._workers: dict[str, _Worker] = {}

    def submit(self, job: Job, limits: Limits) -> None:
        """Write the job beside its output and start a worker on it."""
        job_file = self._mission / layout.job_file(job)
        events_file = self._mission / layout.events_file(job)
        job_file.parent.mkdir(parents=True, exist_ok=True)
        job_file.write_text(job.model_dump_json(), encoding="utf-8")
        offset = events_file.stat().st_size if events_file.exists() else 0
        with (self._mission / layout.log_file(job)).open("ab") as log_file:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "workers", "run", str(job_file)),
                    *("--mission", str(self._mission), "--stages", self._stages),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # the same lines as in events.jsonl
                stderr=log_file,
                env=self._environment_of(limits),
                cwd=self._mission,
                start_new_session=True,
            )
        self._workers[job.id] = _Worker(
            job, process, EventTail(events_file, offset), limits, time.monotonic()
        )

    def poll(self, job_id: str) -> Polled:
        """Read what the worker said, hold it to its limits, and notice when it is gone."""
        worker = self._workers[job_id]
        if worker.ended is not None:
            return Polled(ended=worker.ended, killed=worker.killed)
        gone = _is_gone(worker.process.pid)  # before reading: what it said before it went is then all there
        events = worker.tail.read()
        for event in events:
            if isinstance(event, Finished | Failed):
                worker.last_word = event
        if events:
            worker.heard_at = time.monotonic()
        if gone:
            worker.ended = self._bury(worker)
        else:
            self._watch(worker)
        said = tuple(e for e in events if not isinstance(e, Finished | Failed))
        return Polled(said, worker.ended, worker.killed)

    def cancel(self, job_id: str) -> None:
        """SIGTERM now; a later poll sends SIGKILL when that did not help."""
        worker = self._workers[job_id]
        if worker.ended is None and worker.asked_to_stop_at is None:
            worker.asked_to_stop_at = time.monotonic()
            _signal_group(worker.process.pid, signal.SIGTERM)

    def collect(self, job_id: str) -> Path:
        """The output is in the mission already."""
        worker = self._workers.pop(job_id)
        done = layout.output(worker.job)
        if isinstance(worker.ended, Finished) and not (self._mission / done / layout.MANIFEST).exists():
            raise WorkerDied(f"The worker of {job_id} said that it finished, but {done} is not there.")
        return done

    def kill_all(self) -> None:
        """SIGKILL to every worker's group."""
        for worker in self._workers.values():
            if worker.ended is None:
                _signal_group(worker.process.pid, signal.SIGKILL)

    # ------------------------------------------------------------------ inside

    def _environment_of(self, limits: Limits) -> dict[str, str]:
        environment = {**os.environ, **self._environment, MARK: self._mark}
        environment.update(dict.fromkeys(THREAD_VARIABLES, str(limits.threads)))
        # -P keeps the current directory (the mission) off the path; this finds the packages without an install
        source = Path(layout.__file__).resolve().parents[2]
        paths = [*map(str, self._python_path), str(source), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
        return environment

    def _watch(self, worker: _Worker) -> None:
        """End a worker that was asked to stop and did not, is silent, or uses too much memory."""
        now = time.monotonic()
        if worker.asked_to_stop_at is not None:
            if now - worker.asked_to_stop_at > GRACE_S:
                _signal_group(worker.process.pid, signal.SIGKILL)
            return
        if now - worker.watched_at < WATCH_EVERY_S:
            return
        worker.watched_at = now
        silent_s = now - worker.heard_at
        used_mib = _resident_mib(worker.process.pid)
        if silent_s > worker.limits.silence_s:
            worker.verdict = TimedOut(f"The worker of {worker.job.id} said nothing for {silent_s:.0f} s.")
        elif used_mib > worker.limits.memory_mib:
            worker.verdict = OutOfMemory(
                f"{worker.job.id} used {used_mib:.0f} MiB; it is allowed {worker.limits.memory_mib} MiB."
            )
        if worker.verdict is not None:
            _signal_group(worker.process.pid, signal.SIGKILL)

    def _bury(self, worker: _Worker) -> Finished | Failed:
        """End what is left of the group, remove the half-built output, and give the last word."""
        _signal_group(
            worker.process.pid, signal.SIGKILL
        )  # children that outlived it; its id is not reused yet
        status = worker.process.wait()
        no_room = (
            shutil.disk_usage(self._mission).free < NO_ROOM_BYTES
        )  # asked before the partial output is gone
        partial = self._mission / layout.partial(worker.job, worker.process.pid)
        shutil.rmtree(partial, ignore_errors=True)
        if worker.last_word is not None:
            return worker.last_word
        cause = worker.verdict or _cause_of(worker, status, no_room=no_room)
        worker.killed = status == -signal.SIGKILL and isinstance(cause, WorkerDied)
        return Failed(job=worker.job.id, code=cause.code, cause=cause.cause, hint=cause.hint)


def _cause_of(worker: _Worker, status: int, *, no_room: bool) -> CosmaError:
    if worker.asked_to_stop_at is not None:
        return Cancelled(f"{worker.job.id} was stopped.")
    if status == EXIT_DISK_FULL or (no_room and status != -signal.SIGKILL):
        return DiskFull(f"There was no room left for {worker.job.id}.")
    if status == -signal.SIGKILL and _oom_kills() > worker.oom_kills:
        return OutOfMemory(f"The system ran out of memory and ended the worker of {worker.job.id}.")
    how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
    return WorkerDied(f"The worker of {worker.job.id} {how} without a word.")


def _is_gone(pid: int) -> bool:
    """Whether the child has ended; it is not reaped, so that its group's id stays its own."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _signal_group(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(
        ProcessLookupError, PermissionError
    ):  # all gone already (macOS says EPERM for zombies)
        os.killpg(pid, number)


def _resident_mib(pid: int) -> float:
    total = 0
    with contextlib.suppress(psutil.Error):
        leader = psutil.Process(pid)
        for process in [leader, *leader.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
    return total / 2**20


def _oom_kills() -> int:
    """How many processes the kernel has ended for want of memory since it started; 0 where it does not say."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    return 0


def mark_of(mission: Path) -> str:
    """What the workers of a mission carry: the folder's own identity, which a rename keeps and a copy does not."""
    status = mission.stat()
    return f"{status.st_dev}:{status.st_ino}"


def end_orphans(mission: Path) -> int:
    """End every worker, and worker's child, that a former engine of this mission left; how many.

    Raises:
        WorkerDied: one of them cannot be ended.
    """
    mark = mark_of(mission)
    orphans = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARK) == mark:
                orphans.append(process)
    for process in orphans:
        with contextlib.suppress(psutil.Error):
            log.warning("ending a worker of a former engine: %d", process.pid)
            process.kill()
    _, alive = psutil.wait_procs(orphans, timeout=10)
    if alive:
        pids = ", ".join(str(p.pid) for p in alive)
        raise WorkerDied(
            f"Workers of a former engine cannot be ended: {pids}.", "End them, or restart the machine."
        )
    return len(orphans)
