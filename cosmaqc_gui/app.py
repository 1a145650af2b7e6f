"""The composition root: the only place that wires engine, driver and terminal together."""

import contextlib
import logging
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TextIO

from cosmaqc_gui.core import grade
from cosmaqc_gui.core.drivers.local import LocalDriver
from cosmaqc_gui.core.engine import Engine, Listener, Outcome
from cosmaqc_gui.core.jobs import Jobs
from cosmaqc_gui.core.line import Line
from cosmaqc_gui.core.mission import Overrides, open_mission, params_from, with_changes
from cosmaqc_gui.core.report_text import plan_text, read_verdict, verdict_text
from cosmaqc_gui.core.settings import Settings
from cosmaqc_gui.core.status import Status
from cosmaqc_gui.core.store import Store
from cosmaqc_gui.core.wishes import IngestRequest
from workers.contract import layout
from workers.contract.errors import (
    BadInput,
    CosmaError,
    ErrorCode,
    MissionLocked,
    MissionUnreadable,
    UsageError,
)
from workers.contract.words import VerdictWord

log = logging.getLogger(__name__)

ENGINE_LOG = "engine.log"
PLAIN_EVERY_S = 20.0

EXIT_OF_VERDICT = {VerdictWord.COMPLETE: 0, VerdictWord.NOT_COMPLETE: 10, VerdictWord.CANNOT_TELL: 11}
EXIT_BAD_INPUT = 2
EXIT_NO_VERDICT = 3
EXIT_LOCKED = 4
EXIT_STOPPED = 130
INPUT_CODES = {
    ErrorCode.USAGE,
    ErrorCode.NO_FOOTAGE,
    ErrorCode.AOI_UNREADABLE,
    ErrorCode.NAV_UNREADABLE,
    ErrorCode.NAV_REFUSED,
    ErrorCode.RIG_UNREADABLE,
    *(code for code in ErrorCode if code.startswith("file_")),
}
"""Codes with which 01 says that what the operator gave cannot be used."""


class Terminal(Listener):
    """Shows progress: one line that is rewritten on a terminal, a line now and then elsewhere.

    A terminal that goes away is no reason to stop working.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._shown = ""
        self._shown_s = float("-inf")

    def status(self, status: Status) -> None:
        """Rewrite the line, or write one when there is news."""
        now = time.monotonic()
        text = status.text
        if self._live:
            width = shutil.get_terminal_size().columns - 1
            self._write(f"\r\x1b[K{text[:width]}")
        elif text != self._shown and now - self._shown_s >= PLAIN_EVERY_S:
            self._shown_s = now
            self._write(f"{text}\n")
        self._shown = text

    def say(self, sentence: str) -> None:
        """A sentence on a line of its own."""
        self._write(f"\r\x1b[K{sentence}\n" if self._live else f"{sentence}\n")

    def close(self) -> None:
        """Clear the progress line."""
        if self._live:
            self._write("\r\x1b[K")

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()


def say(text: str, stream: TextIO | None = None) -> None:
    """A line for the operator, on stdout by default."""
    with contextlib.suppress(OSError, ValueError):
        (stream or sys.stdout).write(f"{text}\n")
        (stream or sys.stdout).flush()


def run_line(mission: Path, request: IngestRequest, changes: Overrides, settings: Settings) -> int:
    """``cosmaqc run``: work on the mission until all is at rest, and say the verdict.

    Returns:
        The exit status of CONTRACT.
    """
    try:
        params_from(changes)
        _make_folder(mission)
        _keep_apart(mission, request)
        with _logging_to(mission / ENGINE_LOG):
            outcome = _run_engine(mission, request, changes, settings)
    except CosmaError as error:
        return _refuse(error)
    except (OSError, sqlite3.Error) as error:
        hint = "See that its drive is there and may be written to; then run the same command again."
        return _refuse(MissionUnreadable(f"The mission {mission} cannot be worked on: {error}.", hint))
    return _tell(outcome, mission)


def _run_engine(mission: Path, request: IngestRequest, changes: Overrides, settings: Settings) -> Outcome:
    terminal = Terminal(sys.stderr)
    engine = Engine(mission, settings, LocalDriver, grade, terminal)
    with _stopping(engine):
        try:
            return engine.run(request, changes)
        finally:
            terminal.close()


def _tell(outcome: Outcome, mission: Path) -> int:
    if outcome.stopped:
        say("Stopped. Run the same command again to go on; finished work is kept.", sys.stderr)
        return EXIT_STOPPED
    if outcome.verdict is not None:
        verdict = read_verdict(outcome.verdict)
        say(verdict_text(verdict, outcome.verdict.parent))
        return EXIT_OF_VERDICT[verdict.verdict]
    ended = outcome.refused or outcome.failed
    if ended is None:
        say(f"No verdict could be written; see {mission / ENGINE_LOG}.", sys.stderr)
        return EXIT_NO_VERDICT
    say(f"{ended.cause} {ended.hint} [{ended.code}]", sys.stderr)
    return EXIT_BAD_INPUT if outcome.refused and ended.code in INPUT_CODES else EXIT_NO_VERDICT


def _refuse(error: CosmaError) -> int:
    say(str(error), sys.stderr)
    if isinstance(error, MissionLocked):
        return EXIT_LOCKED
    return EXIT_BAD_INPUT if isinstance(error, BadInput) else EXIT_NO_VERDICT


def show_plan(mission: Path, changes: Overrides) -> int:
    """``cosmaqc plan``: what a run would compute, what it would reuse, and why; nothing is changed."""
    try:
        found = open_mission(mission)
        found = replace(found, overrides=with_changes(found.overrides, changes))
        params_from(found.overrides)
        with closing(Store(mission / layout.MISSION_SQLITE)) as store:
            line = Line(found, Jobs(store, owner="plan"), grade)
            say(plan_text(line.preview()))
    except CosmaError as error:
        return _refuse(error)
    return 0


def run_demo(folder: Path, settings: Settings, *, small: bool) -> int:
    """``cosmaqc demo``: make the demo dive, run the line on it.

    Returns:
        0 when a verdict was reached, whichever it is; else the exit status of the run.
    """
    dive = folder / "dive"
    if not dive.exists():
        folder.mkdir(parents=True, exist_ok=True)
        say(f"Making the demo dive in {dive}.", sys.stderr)
        command = [sys.executable, "-m", "workers", "demo", str(dive), *(["--small"] if small else [])]
        made = subprocess.run(command, check=False)
        if made.returncode:
            return EXIT_STOPPED if made.returncode < 0 else EXIT_NO_VERDICT
    request = IngestRequest(
        footage=(dive / "AUV01",), nav=((None, dive / "AUV01_nav.csv"),), aoi=dive / "aoi.geojson"
    )
    status = run_line(folder / "mission", request, {}, settings)
    return 0 if status in EXIT_OF_VERDICT.values() else status


def _make_folder(mission: Path) -> None:
    try:
        mission.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if mission.is_file():
            raise UsageError(
                f"{mission} is a file, not a mission folder.", "Name a folder, new or old."
            ) from error
        raise UsageError(
            f"The mission folder {mission} cannot be made: {error.strerror}.",
            "Name a folder that you may write to.",
        ) from error


def _keep_apart(mission: Path, request: IngestRequest) -> None:
    """Nothing is ever written among footage: it may be the only copy."""
    for footage in request.footage:
        if footage.resolve() == mission.resolve():
            raise UsageError(
                f"{mission} is both the footage and the mission folder.",
                "Name another folder for the mission, beside the footage.",
            )


@contextlib.contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """Log to a file of the mission; the terminal is for sentences."""
    logging.raiseExceptions = False  # a full disk must not fill the terminal with tracebacks
    handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


@contextlib.contextmanager
def _stopping(engine: Engine) -> Iterator[None]:
    """First signal: an orderly stop. Second one: the end, at once."""
    asked = False

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            engine.kill()
            os._exit(EXIT_STOPPED)
        asked = True
        engine.stop()

    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)  # the terminal was closed; under nohup that is meant to be survived
    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
