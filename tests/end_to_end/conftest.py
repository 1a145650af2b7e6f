"""Running the app as an operator does: the installed command, in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from workers.contract.products import VERDICT

LONGEST_S = 3600


@dataclass(frozen=True)
class Outcome:
    """What a run left: exit code, what it printed, and ``verdict.json`` (None when there is none)."""

    code: int
    output: str
    verdict: dict[str, Any] | None
    mission: Path

    @property
    def word(self) -> str:
        """The verdict's word; fails the test when there is no verdict."""
        assert self.verdict is not None, self.output
        return str(self.verdict["verdict"])

    @property
    def codes(self) -> set[str]:
        """Codes of the verdict's reasons."""
        assert self.verdict is not None, self.output
        return {str(reason["code"]) for reason in self.verdict["reasons"]}


def cosmaqc() -> str:
    """The installed command beside this interpreter."""
    found = shutil.which("cosmaqc", path=str(Path(sys.executable).parent))
    assert found, "cosmaqc is not installed; run make setup"
    return found


def run_line(mission: Path, *arguments: str | Path) -> Outcome:
    """``cosmaqc run ARGUMENTS --mission MISSION``, with its verdict."""
    command = [cosmaqc(), "run", *map(str, arguments), "--mission", str(mission)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=False)
    path = mission / "products" / VERDICT
    verdict = json.loads(path.read_text()) if path.exists() else None
    output = f"$ {' '.join(command)}\n{done.stdout}\n{done.stderr}\nexit {done.returncode}"
    return Outcome(done.returncode, output, verdict, mission)


def score(dive: Path, mission: Path, tool: Path, *arguments: str) -> str:
    """The scorer's last line: ``holds``, or what falls short of the dive's truth."""
    command = [sys.executable, str(tool), str(dive), str(mission), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    print(done.stdout, done.stderr)
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr


@pytest.fixture
def run() -> Callable[..., Outcome]:
    """See :func:`run_line`."""
    return run_line
