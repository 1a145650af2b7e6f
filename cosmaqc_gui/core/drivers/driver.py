"""What the scheduler asks of a machine: submit, poll, cancel, collect."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from workers.contract.events import Event, Failed, Finished
from workers.contract.job import Job


@dataclass(frozen=True)
class Limits:
    """What a worker may use.

    ``memory_mib`` bounds the resident memory of the worker with all its children; ``silence_s`` is how long it
    may say nothing; ``threads`` how many processors it may keep busy. None of them is part of a job's key.
    """

    memory_mib: int = 8192
    silence_s: float = 1800.0
    threads: int = 1


@dataclass(frozen=True)
class Polled:
    """News of a job: what its worker said, and how it ended (None: it has not).

    ``killed``: somebody outside ended the worker (SIGKILL, and not for want of memory), which says nothing about
    the job; a crash does.
    """

    events: tuple[Event, ...] = ()
    ended: Finished | Failed | None = None
    killed: bool = False


class Driver(Protocol):
    """One way of running jobs. A job is known by its id from submit to collect.

    However a worker ends, :meth:`poll` says so with a ``Finished`` or ``Failed`` event; where the worker could not
    say it, the driver does. Nothing here blocks for longer than it takes to start a process.
    """

    def submit(self, job: Job, limits: Limits) -> None:
        """Start a worker on the job.

        Raises:
            OSError: the job could not be written or the worker not started.
        """

    def poll(self, job_id: str) -> Polled:
        """What is new since the last poll. Once ended, it stays ended."""

    def cancel(self, job_id: str) -> None:
        """Ask the worker to stop, and see to it in later polls that it does; within two seconds it is gone."""

    def collect(self, job_id: str) -> Path:
        """Bring the output of a finished job home and forget the job; its folder, relative to the mission.

        Raises:
            WorkerDied: the output is not there although the worker said that it finished.
        """

    def kill_all(self) -> None:
        """End all workers at once, without waiting for a last word."""
