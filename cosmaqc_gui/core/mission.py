"""The mission folder: making, opening, and its params.

``mission.toml`` holds what makes the folder a mission, and the params that differ from the defaults. It is written
by this program and may be read, and with no engine running edited, by people.
"""

import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue, ValidationError

from workers.contract import layout
from workers.contract.errors import MissionUnreadable, UsageError
from workers.contract.params import Params
from workers.contract.words import Stage

SCHEMA = 1
Overrides = dict[str, dict[str, JsonValue]]


@dataclass(frozen=True)
class Mission:
    """An open mission; ``overrides`` are the params that differ from the defaults, by stage."""

    path: Path
    name: str
    created: str
    overrides: Overrides

    @property
    def params(self) -> Params:
        """The params of the line."""
        return params_from(self.overrides)


def params_from(overrides: Mapping[str, Mapping[str, JsonValue]]) -> Params:
    """Defaults with overrides.

    Raises:
        UsageError: a stage or param does not exist, or a value is out of its range.
    """
    try:
        return Params.model_validate(overrides)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            raise UsageError(f"There is no param {where}.", _known_params(problem["loc"])) from error
        raise UsageError(f"{where}: {problem['msg']} (given: {problem['input']!r}).") from error


def _known_params(where: tuple[int | str, ...]) -> str:
    stages = [s.value for s in Stage]
    if where and where[0] in stages and len(where) > 1:
        names = ", ".join(type(Params().of(Stage(str(where[0])))).model_fields)
        return f"Params of {where[0]}: {names or 'none'}."
    return f"Stages: {', '.join(stages)}."


def parse_set(texts: Iterable[str]) -> Overrides:
    """Read ``stage.param=value`` words; a value is JSON, or a plain word.

    Raises:
        UsageError: a word has another shape, or names a param that does not exist.
    """
    overrides: Overrides = {}
    for text in texts:
        name, equals, value = text.partition("=")
        stage, dot, param = name.strip().partition(".")
        if not (equals and dot and stage and param):
            raise UsageError(f"--set {text}: write it as stage.param=value, e.g. quality.min_matches=20.")
        try:
            parsed: JsonValue = json.loads(value)
        except json.JSONDecodeError:
            parsed = {"true": True, "false": False, "none": None}.get(value.strip().lower(), value.strip())
        overrides.setdefault(stage, {})[param] = parsed
    params_from(overrides)
    return overrides


def open_mission(path: Path) -> Mission:
    """Open an existing mission.

    Raises:
        MissionUnreadable: there is none, or it is damaged or of a newer version.
    """
    file = path / layout.MISSION_TOML
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissionUnreadable(
            f"There is no mission in {path}.", "Give footage to begin one: cosmaqc run FOOTAGE --mission DIR."
        ) from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MissionUnreadable(
            f"{file} cannot be read: {error}.", "Correct the file, or restore it."
        ) from error
    if content.get("schema") != SCHEMA:
        raise MissionUnreadable(f"{file} has schema {content.get('schema')}; this program knows {SCHEMA}.")
    overrides = content.get("params", {})
    params_from(overrides)
    return Mission(path, str(content.get("name", path.name)), str(content.get("created", "")), overrides)


def exists(path: Path) -> bool:
    """Whether the folder holds a mission."""
    return (path / layout.MISSION_TOML).exists()


def create_or_open(path: Path, changes: Overrides) -> Mission:
    """Open the mission, or make one; params given now are kept in it.

    Raises:
        MissionUnreadable: it is damaged or of a newer version.
        UsageError: the params do not fit.
        OSError: the folder cannot be written.
    """
    path.mkdir(parents=True, exist_ok=True)
    if exists(path):
        mission = open_mission(path)
    else:
        created = datetime.now(UTC).isoformat(timespec="seconds")
        mission = Mission(path, path.resolve().name, created, {})
    overrides = with_changes(mission.overrides, changes)
    params_from(overrides)
    if overrides != mission.overrides or not exists(path):
        mission = Mission(path, mission.name, mission.created, overrides)
        _write(mission)
    return mission


def with_changes(overrides: Overrides, changes: Overrides) -> Overrides:
    """Overrides after changes; a change back to the default removes the override."""
    defaults = Params()
    result: Overrides = {}
    for stage in Stage:
        own = {**overrides.get(stage.value, {}), **changes.get(stage.value, {})}
        default = defaults.of(stage).model_dump(mode="json")
        own = {name: value for name, value in own.items() if name not in default or value != default[name]}
        if own:
            result[stage.value] = own
    unknown = {s: o for s, o in {**overrides, **changes}.items() if s not in set(Stage)}
    return {**result, **unknown}


def _write(mission: Mission) -> None:
    lines = [
        f"schema = {SCHEMA}",
        f"name = {json.dumps(mission.name)}",
        f"created = {json.dumps(mission.created)}",
    ]
    for stage, own in mission.overrides.items():
        # TOML has no null; JSON's strings, numbers, booleans and flat lists are TOML's
        pairs = [f"{name} = {json.dumps(value)}" for name, value in own.items() if value is not None]
        lines += ["", f"[params.{stage}]", *pairs]
    replace_file(mission.path / layout.MISSION_TOML, "\n".join(lines) + "\n")


def replace_file(path: Path, text: str) -> None:
    """Write a file so that a crash leaves the old one or the new one, never half of it."""
    beside = path.with_name(f"{layout.PARTIAL}{path.name}-{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
