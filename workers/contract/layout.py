"""Where everything lies in a mission folder. *Done* means that an output's folder exists."""

from pathlib import Path

from workers.contract.job import KEY_DIGITS, Job
from workers.contract.words import Stage

MISSION_TOML = "mission.toml"
MISSION_SQLITE = "mission.sqlite"
LOCK = ".engine.lock"
FOOTAGE = Path("footage")
NAV = Path("inputs/nav")
AOI = Path("inputs/aoi.geojson")
RIG = Path("inputs/rig.toml")
WORK = Path("work")
PRODUCTS = Path("products")
MANIFEST = "manifest.json"
PARTIAL = ".partial-"


def output_of(stage: Stage, unit: str, key: str) -> Path:
    """Folder of a stage's output, relative to the mission."""
    return WORK / stage.value / unit / key[:KEY_DIGITS]


def output(job: Job) -> Path:
    """Folder of a job's output, relative to the mission."""
    return output_of(job.stage, job.unit, job.key)


def partial(job: Job, pid: int) -> Path:
    """Where a job builds its output until it is published by one rename."""
    done = output(job)
    return done.with_name(f"{PARTIAL}{done.name}-{pid}")


def job_file(job: Job) -> Path:
    """The job's JSON, beside its output."""
    done = output(job)
    return done.with_name(f"{done.name}.job.json")


def events_file(job: Job) -> Path:
    """The job's events, one a line, beside its output."""
    done = output(job)
    return done.with_name(f"{done.name}.events.jsonl")


def log_file(job: Job) -> Path:
    """What the worker wrote to stderr."""
    done = output(job)
    return done.with_name(f"{done.name}.log")
