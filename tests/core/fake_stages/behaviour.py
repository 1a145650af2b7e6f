"""What a fake stage does besides writing its output, as the footage file tells it.

``{"at": "inference", "do": "fail", ...}`` in the footage's list ``acts``; ``times`` limits it to the first so many
tries, counted in a file beside the footage.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from workers.contract.dive import Recording
from workers.contract.errors import FootageMissing, ReconstructionFailed
from workers.contract.events import Report

ACTS = "acts.json"


def read_acts(recording: Recording) -> list[dict[str, Any]]:
    """The acts that a recording's files ask for; FootageMissing when one is gone."""
    acts: list[dict[str, Any]] = []
    for chapter in recording.chapters:
        for file in chapter.files:
            if not file.path.exists():
                raise FootageMissing(f"{file.path} is not there.")
            for n, act in enumerate(json.loads(file.path.read_text()).get("acts", [])):
                acts.append({**act, "tally": f"{file.path}.{n}.tally"})
    return acts


def perform(stage: str, acts: list[dict[str, Any]], report: Report) -> None:
    """Do what is asked of this stage."""
    for act in acts:
        if act["at"] != stage:
            continue
        tally = Path(act["tally"] + f".{stage}")
        tries = len(tally.read_bytes()) if tally.exists() else 0
        with tally.open("ab") as stream:
            stream.write(b"x")
        if tries >= act.get("times", 10**9):
            continue
        globals()[f"_{act['do']}"](act, report)


def _sleep(act: dict[str, Any], report: Report) -> None:
    steps = max(1, int(act["s"] / 0.05))
    for n in range(steps):
        report(n, of=steps)
        time.sleep(0.05)


def _fail(act: dict[str, Any], report: Report) -> None:
    raise ReconstructionFailed("No component of enough frames.")


def _crash(act: dict[str, Any], report: Report) -> None:
    raise RuntimeError("a defect")


def _die(act: dict[str, Any], report: Report) -> None:
    """As from a crash in native code, or with ``signal`` 9 as from a kill."""
    os.kill(os.getpid(), act.get("signal", signal.SIGSEGV))


def _hang(act: dict[str, Any], report: Report) -> None:
    """Deaf to SIGTERM, with a child that is too."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    report.figure("child_pid", subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]).pid)
    while True:
        time.sleep(1)


def _eat(act: dict[str, Any], report: Report) -> None:
    """Hold memory until somebody notices."""
    held = bytearray(act["mib"] * 2**20)
    held[::4096] = b"x" * len(held[::4096])
    time.sleep(600)


def _fill(act: dict[str, Any], report: Report) -> None:
    """Write so much into the current output that a small disk is full."""
    with Path("work/ballast.tmp").open("wb") as stream:
        try:
            for _ in range(act["mib"]):
                stream.write(b"x" * 2**20)
                stream.flush()
        finally:
            Path("work/ballast.tmp").unlink()
