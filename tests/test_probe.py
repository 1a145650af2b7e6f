"""What the probe says of a machine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from workers.probe import probe, read_table

QUIRKS = """Unable to determine the device handle for GPU 0000:02:00.0: Unknown Error
0, NVIDIA GeForce RTX 3090, 550.90.07, 24576, 512, 3
1, Tesla, K80, 470.1, 11441, 0, 0
2, NVIDIA A2, 550.90.07, [N/A], [Unknown Error], [Not Supported]
3, NVIDIA A16, [Requested functionality has been deprecated], 16384, 10, 0
"""


def test_that_a_gpu_table_is_read_past_its_quirks() -> None:
    gpus = read_table(QUIRKS)
    assert [g.index for g in gpus] == [0, 2, 3], "the error line and a row of another shape are passed over"
    assert gpus[0].memory_mib == 24576
    assert (gpus[1].memory_mib, gpus[1].busy_percent) == (None, None)
    assert gpus[2].driver is None


@pytest.mark.parametrize(
    ("script", "note"),
    [
        ("echo 'NVIDIA-SMI has failed'; exit 9", "nvidia-smi: NVIDIA-SMI has failed"),
        ("exit 9", "nvidia-smi: exit status 9"),
        (None, "nvidia-smi is not installed"),
    ],
)
def test_that_a_machine_without_a_gpu_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str | None, note: str
) -> None:
    if script is not None:
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin" if script else str(tmp_path))
    machine = probe(tmp_path)
    assert (machine.gpus, machine.gpu_note) == ((), note)


def test_that_the_command_prints_json(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "workers", "probe", str(tmp_path)]
    told = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert told["processors"] >= 1
    assert told["disk_free_mib"] > 0


def test_that_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "workers", "probe", str(tmp_path / "none")]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 2
