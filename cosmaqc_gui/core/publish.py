"""Brings the verdict's output to ``products/``.

Files are replaced one by one and ``verdict.json`` last: whoever waits for a new verdict finds all that it speaks of.
They are copies, not links: a program that edits a product in place must not change what later runs reuse.
"""

import os
import shutil
from pathlib import Path

from workers.contract import layout
from workers.contract.job import Job
from workers.contract.products import PRODUCT_FILES, VERDICT


def publish(mission: Path, verdict: Job) -> Path:
    """Copy the products of a finished verdict; the path of ``verdict.json``.

    Raises:
        OSError: the disk is full or the output is gone.
    """
    source = mission / layout.output(verdict)
    target = mission / layout.PRODUCTS
    target.mkdir(exist_ok=True)
    files = sorted(p for p in source.rglob("*") if p.is_file() and p.name != layout.MANIFEST)
    files.sort(key=lambda p: p.name == VERDICT)
    for path in files:
        _copy(path, target / path.relative_to(source))
    there = {p.relative_to(source) for p in files}
    for name in PRODUCT_FILES:
        if Path(name) not in there:  # of an earlier verdict: a re-dive plan that no gap asks for any more
            (target / name).unlink(missing_ok=True)
    return target / VERDICT


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f"{layout.PARTIAL}{target.name}-{os.getpid()}")
    try:
        shutil.copyfile(source, beside)
        fd = os.open(beside, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
        beside.replace(target)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
