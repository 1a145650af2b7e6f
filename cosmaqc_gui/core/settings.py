"""The operator's settings: one TOML file, named with ``--config`` or in ``COSMAQC_CONFIG``, never searched for."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

import psutil
from pydantic import Field, ValidationError

from workers.contract.dive import Frozen
from workers.contract.errors import UsageError

CONFIG_VARIABLE = "COSMAQC_CONFIG"


class Settings(Frozen):
    """How the engine uses this machine; nothing here changes a result, so nothing here is in a key.

    Attributes:
        lanes: jobs that run at the same time (0: one a processor).
        free_space_floor_mib: below this much room on the mission's disk, work is held.
        worker_memory_mib: memory bound of a worker (inference has its own, among its params).
        silence_s: a worker that says nothing for so long is taken for stuck.
        memory_floor_mib: with less free memory than this, no second job is started beside a running one.
        attempts: how often a job is tried whose worker crashes or falls silent.
        attempts_when_killed: the same for workers that somebody outside kills; that says nothing about the job.
        retry_delay_s: wait before the second try; after crashes each later wait is three times longer.
    """

    lanes: int = Field(0, ge=0)
    free_space_floor_mib: float = Field(1024.0, ge=0.0)
    worker_memory_mib: int = Field(8192, ge=256)
    silence_s: float = Field(1800.0, gt=0.0)
    memory_floor_mib: float = Field(1024.0, ge=0.0)
    attempts: int = Field(3, ge=1)
    attempts_when_killed: int = Field(20, ge=1)
    retry_delay_s: float = Field(2.0, ge=0.0)

    @property
    def lane_count(self) -> int:
        """Lanes, with 0 resolved to the processors that this process may use."""
        return self.lanes or processors()


def processors() -> int:
    """Processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on this platform
        return psutil.cpu_count() or 1


def load_settings(config: Path | None, environment: Mapping[str, str]) -> Settings:
    """Read the settings.

    Args:
        config: the file given on the command line; wins over the environment.
        environment: the process's environment.

    Raises:
        UsageError: the file cannot be read or a value makes no sense.
    """
    path = config or (Path(environment[CONFIG_VARIABLE]) if environment.get(CONFIG_VARIABLE) else None)
    if path is None:
        return Settings()
    try:
        return Settings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"The settings file {path} cannot be read: {error}.") from error
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(map(str, problem["loc"]))
        raise UsageError(f"{path}: {name}: {problem['msg']}.", "Correct or remove that line.") from error
