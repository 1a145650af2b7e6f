"""This machine as a place to compute: processors, memory, disk, NVIDIA GPUs; as JSON on stdout."""

import argparse
import csv
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from workers.contract import CONTRACT_VERSION
from workers.contract.dive import Frozen
from workers.contract.errors import UsageError
from workers.contract.software import software_version

NVIDIA_SMI = "nvidia-smi"
ASK_GPU = "index,name,driver_version,memory.total,memory.used,utilization.gpu"
PATIENCE_S = 20.0


class Gpu(Frozen):
    """One GPU; None where the driver does not say."""

    index: int
    name: str
    driver: str | None
    memory_mib: float | None
    memory_used_mib: float | None
    busy_percent: float | None


class Machine(Frozen):
    """What a machine offers. ``gpu_note`` says why there is no GPU, when there is none."""

    host: str
    system: str
    python: str
    software: str
    contract: int
    processors: int
    memory_mib: float
    memory_free_mib: float
    folder: str
    disk_mib: float
    disk_free_mib: float
    gpus: tuple[Gpu, ...]
    gpu_note: str = ""


def probe(folder: Path) -> Machine:
    """Look at this machine; ``folder`` is where the work would go.

    Raises:
        UsageError: the folder is not there.
    """
    try:
        disk = shutil.disk_usage(folder)
    except OSError as error:
        raise UsageError(
            f"{folder} cannot be looked at: {error.strerror}.", "Name an existing folder."
        ) from error
    memory = psutil.virtual_memory()
    gpus, note = _gpus()
    affinity = getattr(os, "sched_getaffinity", None)
    return Machine(
        host=socket.gethostname(),
        system=platform.platform(),
        python=platform.python_version(),
        software=software_version(),
        contract=CONTRACT_VERSION,
        processors=len(affinity(0)) if affinity else os.cpu_count() or 1,
        memory_mib=memory.total / 2**20,
        memory_free_mib=memory.available / 2**20,
        folder=str(folder.absolute()),
        disk_mib=disk.total / 2**20,
        disk_free_mib=disk.free / 2**20,
        gpus=gpus,
        gpu_note=note,
    )


def _gpus() -> tuple[tuple[Gpu, ...], str]:
    program = shutil.which(NVIDIA_SMI)
    if program is None:
        return (), f"{NVIDIA_SMI} is not installed"
    command = [program, f"--query-gpu={ASK_GPU}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return (), f"{NVIDIA_SMI}: {error}"
    gpus = read_table(done.stdout)
    if gpus:
        return gpus, ""
    said = (done.stdout + done.stderr).strip().splitlines()
    return (), f"{NVIDIA_SMI}: {said[0] if said else f'exit status {done.returncode}'}"


def read_table(text: str) -> tuple[Gpu, ...]:
    """Read the rows of ``nvidia-smi --query-gpu``; error lines may stand before a good table, and are passed over."""
    gpus = []
    for row in csv.reader(text.splitlines(), skipinitialspace=True):
        if len(row) != ASK_GPU.count(",") + 1 or not row[0].strip().isdigit():
            continue
        index, name, driver, total, used, busy = (cell.strip() for cell in row)
        gpus.append(
            Gpu(
                index=int(index),
                name=name,
                driver=None if driver.startswith("[") else driver,
                memory_mib=_number(total),
                memory_used_mib=_number(used),
                busy_percent=_number(busy),
            )
        )
    return tuple(gpus)


def _number(cell: str) -> float | None:
    """A cell's number; None for ``[N/A]``, ``[Not Supported]``, ``[Unknown Error]`` and the like."""
    try:
        return float(cell)
    except ValueError:
        return None


def main(argv: Sequence[str]) -> int:
    """Print what this machine offers."""
    parser = argparse.ArgumentParser(prog="python -m workers probe", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), help="where the work would go")
    machine = probe(parser.parse_args(argv).folder)
    sys.stdout.write(json.dumps(machine.model_dump(mode="json"), indent=2) + "\n")
    return 0
