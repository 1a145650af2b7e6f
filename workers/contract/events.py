"""What a worker says while it works: one JSON object a line, on stdout and in ``events.jsonl``."""

import time
from typing import Annotated, Literal, Protocol

from pydantic import Field, TypeAdapter

from workers.contract import CONTRACT_VERSION
from workers.contract.dive import Frozen
from workers.contract.errors import ErrorCode

EXIT_DISK_FULL = 28
"""Exit status of a worker that could not even write its last event for want of room (28 is ENOSPC)."""

NO_ROOM_BYTES = 4 << 20
"""With less free space than this, a worker that failed or died for no reason of its own met a full disk."""


class _Event(Frozen):
    job: str
    time_s: float = Field(default_factory=time.time)


class Started(_Event):
    """First line of every job."""

    kind: Literal["started"] = "started"
    contract: int = CONTRACT_VERSION
    pid: int
    host: str


class Progressed(_Event):
    """``done`` of ``of`` steps."""

    kind: Literal["progressed"] = "progressed"
    done: int
    of: int


class Measured(_Event):
    """A figure worth showing on the cell."""

    kind: Literal["measured"] = "measured"
    name: str
    value: float
    unit: str = ""


class Warned(_Event):
    """Something the operator should know that did not stop the stage."""

    kind: Literal["warned"] = "warned"
    code: str
    text: str


class Finished(_Event):
    """Last line of a job that worked; ``cached`` when its output was there already."""

    kind: Literal["finished"] = "finished"
    cached: bool = False
    seconds: float = 0.0
    peak_memory_mib: float = 0.0


class Failed(_Event):
    """Last line of a job that did not work."""

    kind: Literal["failed"] = "failed"
    code: ErrorCode
    cause: str
    hint: str
    detail: str = ""


Event = Annotated[Started | Progressed | Measured | Warned | Finished | Failed, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)


def event_to_line(event: Event) -> str:
    """One JSON line, newline included."""
    return event.model_dump_json() + "\n"


def event_from_line(line: str | bytes) -> Event:
    """Read one line back.

    Raises:
        pydantic.ValidationError: the line is not an event.
    """
    return _ADAPTER.validate_json(line)


class Report(Protocol):
    """What a stage is given to speak through; every call is a cancel point.

    Raises:
        Cancelled: from any call, once the job has been asked to stop.
    """

    def __call__(self, done: int, *, of: int) -> None:
        """Progress: ``done`` of ``of`` steps."""

    def figure(self, name: str, value: float, unit: str = "") -> None:
        """A figure worth showing."""

    def warn(self, code: str, text: str) -> None:
        """Something the operator should know."""
