"""The output folders of a mission: which exist, which crashed processes left half-built, which are superseded."""

import os
import re
import shutil
from pathlib import Path

from workers.contract import layout
from workers.contract.job import KEY_DIGITS
from workers.contract.words import Stage

MISSION_STAGES = (Stage.STITCH, Stage.COVERAGE, Stage.VERDICT)
COPYING = ".partial"
"""What 01 puts behind the name of a file while it copies it."""

_OF_A_KEY = re.compile(rf"([0-9a-f]{{{KEY_DIGITS}}})(\..+)?")


def prune(mission: Path, keep: set[str]) -> None:
    """Remove outputs of the mission stages other than ``keep`` (job ids), which later ones superseded."""
    for stage in MISSION_STAGES:
        for unit in _folders(mission / layout.WORK / stage.value):
            for path in unit.iterdir():
                named = _OF_A_KEY.fullmatch(path.name)
                if named is None or f"{stage}/{unit.name}/{named[1]}" in keep:
                    continue  # kept, or not an output: a cache that the stage keeps beside them
                if path.is_dir():
                    # renamed first: a half-removed output must not look like a finished one
                    gone = path.with_name(f"{layout.PARTIAL}{path.name}-{os.getpid()}")
                    path.rename(gone)
                    shutil.rmtree(gone)
                else:
                    path.unlink()


def existing(mission: Path) -> set[str]:
    """Ids of all jobs whose output exists."""
    found = set()
    for stage in Stage:
        for unit in _folders(mission / layout.WORK / stage.value):
            found |= {
                f"{stage}/{unit.name}/{p.name}"
                for p in unit.iterdir()
                if not p.name.startswith(".") and (p / layout.MANIFEST).exists()
            }
    return found


def sweep(mission: Path) -> int:
    """Remove what crashed processes left half-built; how many files and folders.

    Only call it while no worker is alive.
    """
    swept = 0
    for path in mission.glob(f"{layout.PARTIAL}*"):
        swept += _remove(path)
    for folder in (layout.WORK, layout.PRODUCTS, layout.FOOTAGE, layout.NAV.parent):
        for root, folders, files in os.walk(mission / folder):
            for name in filter(_is_half_built, [*folders, *files]):
                swept += _remove(Path(root) / name)
            folders[:] = [f for f in folders if not _is_half_built(f)]
    return swept


def _is_half_built(name: str) -> bool:
    """An output or product being built, or a copy of footage that was not finished."""
    return name.startswith(layout.PARTIAL) or name.endswith(COPYING)


def _remove(path: Path) -> int:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    return 1


def _folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir()) if path.is_dir() else []
