"""Runs one job: skip if done, build in ``.partial-*``, publish by one rename, say what happens as events.

The order of things is what makes a crash harmless: everything is written and flushed to the disk below
``.partial-*``, the manifest last, and then one rename makes the output exist. Until that rename there is nothing
that could be taken for a result, afterwards there is nothing left to do.
"""

import errno
import importlib
import json
import logging
import os
import resource
import shutil
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Protocol

import xxhash
from pydantic import ValidationError

from workers.contract import CONTRACT_VERSION, layout
from workers.contract.dive import Frozen
from workers.contract.errors import BadJob, Cancelled, CosmaError, DiskFull, InternalError, OutOfMemory
from workers.contract.events import (
    EXIT_DISK_FULL,
    NO_ROOM_BYTES,
    Event,
    Failed,
    Finished,
    Measured,
    Progressed,
    Report,
    Started,
    Warned,
    event_to_line,
)
from workers.contract.job import INPUTS_OF, Job
from workers.contract.params import Params
from workers.contract.software import software_version

log = logging.getLogger(__name__)

STAGES = "workers.stages"
PROGRESS_EVERY_S = 0.2
_FULL = {errno.ENOSPC, errno.EDQUOT}

Emit = Callable[[Event], None]


class StageModule(Protocol):
    """What the runner asks of a stage."""

    def run(self, inputs: Frozen, params: Frozen, out: Path, report: Report) -> None:
        """Fill the folder ``out``."""


class Reporter:
    """The :class:`workers.contract.events.Report` of a running stage.

    Progress is thinned to one event in ``PROGRESS_EVERY_S``; the last step is always said. Safe to call from
    any thread.
    """

    def __init__(self, job: Job, emit: Emit, stop: threading.Event) -> None:
        self._job = job.id
        self._emit = emit
        self._stop = stop
        self._said_at = 0.0

    def __call__(self, done: int, *, of: int) -> None:
        """Progress, and a cancel point."""
        self._check()
        now = time.monotonic()
        if done >= of or now - self._said_at >= PROGRESS_EVERY_S:
            self._said_at = now
            self._emit(Progressed(job=self._job, done=done, of=of))

    def figure(self, name: str, value: float, unit: str = "") -> None:
        """A figure worth showing."""
        self._check()
        self._emit(Measured(job=self._job, name=name, value=float(value), unit=unit))

    def warn(self, code: str, text: str) -> None:
        """Something the operator should know."""
        self._check()
        log.warning("%s: %s", code, text)
        self._emit(Warned(job=self._job, code=code, text=text))

    def _check(self) -> None:
        if self._stop.is_set():
            raise Cancelled("The job was asked to stop.")


class EventLines:
    """Writes events as whole lines to ``events.jsonl`` and to stdout.

    The file is the record. Stdout is for whoever listens: when nobody does any more (the engine died), that is
    no reason to lose the work, so a broken stdout is left alone.
    """

    def __init__(self, path: Path, stdout: BinaryIO | None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        self._stdout = stdout
        self._lock = threading.Lock()
        size = os.fstat(self._fd).st_size
        if size and os.pread(self._fd, 1, size - 1) != b"\n":
            os.write(self._fd, b"\n")  # an earlier worker died in mid-line

    def emit(self, event: Event) -> None:
        """One event, as one write.

        Raises:
            OSError: the file could not be written.
        """
        line = event_to_line(event).encode()
        with self._lock:
            written = os.write(self._fd, line)
            if written != len(line):
                raise OSError(errno.ENOSPC, "an event was cut short")
            self._say(line)

    def _say(self, line: bytes) -> None:
        if self._stdout is None:
            return
        try:
            self._stdout.write(line)
            self._stdout.flush()
        except (OSError, ValueError):
            log.warning("nobody reads stdout any more; events go to the file alone")
            self._stdout = None

    def close(self) -> None:
        """Release the file."""
        os.close(self._fd)


def run_job(
    mission: Path, job: Job, emit: Emit, *, stages: str = STAGES, stop: threading.Event | None = None
) -> None:
    """Run one job to its ``Finished`` or ``Failed`` event; never raises for what goes wrong in the stage.

    Args:
        mission: the mission folder; becomes the current directory, so that the job's relative paths work.
        job: what to run.
        emit: receives the events.
        stages: the package that the stage's module is loaded from.
        stop: set to ask the stage to stop at its next report.

    Raises:
        OSError: an event could not be written.
    """
    os.chdir(mission)
    emit(Started(job=job.id, pid=os.getpid(), host=socket.gethostname()))
    started = time.monotonic()
    done = layout.output(job)
    if (done / layout.MANIFEST).exists():
        emit(Finished(job=job.id, cached=True))
        return
    work = layout.partial(job, os.getpid())
    try:
        _build(job, work, Reporter(job, emit, stop or threading.Event()), stages)
        _publish(work, done)
    except Exception as error:
        shutil.rmtree(work, ignore_errors=True)  # first: it makes the room to say so when the disk is full
        log.exception("%s failed", job.id)
        emit(_failure(job, error))
        return
    emit(Finished(job=job.id, seconds=time.monotonic() - started, peak_memory_mib=_peak_memory_mib()))


def _build(job: Job, work: Path, report: Report, stages: str) -> None:
    """Run the stage into ``work`` and write the manifest."""
    if job.contract != CONTRACT_VERSION:
        raise BadJob(f"The job speaks contract {job.contract}, this worker {CONTRACT_VERSION}.")
    try:
        inputs = INPUTS_OF[job.stage].model_validate(job.inputs)
        params = type(Params().of(job.stage)).model_validate(job.params)
    except ValidationError as error:
        raise BadJob(f"The job's inputs or params do not fit: {error}") from error
    stage: StageModule = importlib.import_module(f"{stages}.{job.stage.value}")
    work.mkdir(parents=True)
    report(0, of=1)
    stage.run(inputs, params, work, report)
    write_manifest(work, job)


def write_manifest(work: Path, job: Job) -> None:
    """List the output's files with size and xxh64, and see to it that all of it is on the disk."""
    files = []
    for path in sorted(p for p in work.rglob("*") if p.is_file()):
        size, digest = _flush_and_hash(path)
        files.append({"path": path.relative_to(work).as_posix(), "size_bytes": size, "xxh64": digest})
    manifest = {
        "job": job.model_dump(mode="json"),
        "files": files,
        "software": software_version(),
        "host": socket.gethostname(),
        "finished_s": time.time(),
    }
    path = work / layout.MANIFEST
    with path.open("w", encoding="utf-8") as stream:
        json.dump(manifest, stream)
        stream.flush()
        os.fsync(stream.fileno())
    for folder in [work, *(p for p in work.rglob("*") if p.is_dir())]:
        _flush_folder(folder)


def _flush_and_hash(path: Path) -> tuple[int, str]:
    digest = xxhash.xxh64()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
        os.fsync(stream.fileno())
        return stream.tell(), digest.hexdigest()


def _flush_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _publish(work: Path, done: Path) -> None:
    """One rename makes the output exist."""
    try:
        work.rename(done)
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
            raise
        if not (done / layout.MANIFEST).exists():  # something that is not an output is in the way
            shutil.rmtree(done)
            work.rename(done)
        else:  # another worker published the same key in the meantime: equal by definition
            shutil.rmtree(work, ignore_errors=True)
    _flush_folder(done.parent)


def _failure(job: Job, error: Exception) -> Failed:
    detail = "".join(traceback.format_exception(error))
    known: CosmaError
    if isinstance(error, CosmaError):
        known = error
    elif isinstance(error, OSError) and error.errno in _FULL:
        known = DiskFull(f"The disk has no room left ({error}).")
    elif shutil.disk_usage(Path()).free < NO_ROOM_BYTES:  # many libraries do not say why they could not write
        known = DiskFull(f"The disk has no room left ({type(error).__name__}: {error}).")
    elif isinstance(error, MemoryError):
        known = OutOfMemory("There was not enough memory.")
    else:
        known = InternalError(f"{type(error).__name__}: {error}")
    return Failed(job=job.id, code=known.code, cause=known.cause, hint=known.hint, detail=detail)


def _peak_memory_mib() -> float:
    """The larger of this process's and its children's peak resident size."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(own, children) / (1024.0 * 1024.0 if sys.platform == "darwin" else 1024.0)


def _events_stdout() -> BinaryIO:
    """Keep stdout for events: what libraries print goes to stderr from here on."""
    keep = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(keep, "wb", buffering=0)


def run_job_file(path: Path, mission: Path, stages: str = STAGES) -> int:
    """Run the job in a JSON file; SIGTERM and SIGINT ask it to stop.

    Returns:
        The exit status: 0 once the last event is written, whatever it says.

    Raises:
        pydantic.ValidationError: the file is no job.
        OSError: the file or the mission cannot be read.
    """
    job = Job.model_validate_json(path.read_bytes())
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    lines = None
    try:
        lines = EventLines(mission / layout.events_file(job), _events_stdout())
        run_job(mission, job, lines.emit, stages=stages, stop=stop)
    except OSError as error:
        if error.errno not in _FULL:
            raise
        log.error("no room for the last event")  # noqa: TRY400 - the exit status says it to the engine
        return EXIT_DISK_FULL
    finally:
        if lines is not None:
            lines.close()
    return 0
