"""The rig file: how the cameras sit on their vehicle.

::

    altitude_m = 1.6                   # typed in; a last resort for the scale
    [cameras."AUV01-PORT"]             # a camera's id, or its serial
    lever_m = [0.0, 0.15, 0.0]         # camera centre: forward, to port, up, from where nav speaks of
    yaw_deg = 0.0                      # from a nadir camera whose image x points to starboard
    pitch_deg = 0.0
    roll_deg = 0.0
"""

import tomllib
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from workers.contract.dive import Camera, CameraMount, Frozen, Problem, Rig
from workers.contract.errors import ErrorCode, RigUnreadable


class _Mount(Frozen):
    lever_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    yaw_deg: float = Field(0.0, ge=-360.0, le=360.0, allow_inf_nan=False)
    pitch_deg: float = Field(0.0, ge=-180.0, le=180.0, allow_inf_nan=False)
    roll_deg: float = Field(0.0, ge=-180.0, le=180.0, allow_inf_nan=False)


class _RigFile(Frozen):
    altitude_m: float | None = Field(None, gt=0.0, allow_inf_nan=False)
    cameras: dict[str, _Mount] = Field(default_factory=dict)


def read_rig(path: Path) -> Rig:
    """A rig as written: its mounts may name cameras by serial.

    Raises:
        RigUnreadable: it cannot be read, or has fields that are not known.
    """
    try:
        file = _RigFile.model_validate(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        cause = f"{path} cannot be read: {error.strerror or error}."
        raise RigUnreadable(cause) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        cause = f"{path} is not valid TOML: {error}."
        raise RigUnreadable(cause) from error
    except ValidationError as error:
        first = error.errors()[0]
        cause = f"{path}: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}."
        raise RigUnreadable(cause) from error
    mounts = tuple(CameraMount(camera=name, **mount.model_dump()) for name, mount in file.cameras.items())
    return Rig(mounts=mounts, altitude_m=file.altitude_m)


def resolved(rig: Rig, cameras: Sequence[Camera], path: Path) -> tuple[Rig, tuple[Problem, ...]]:
    """The rig with camera ids in place of serials; mounts of cameras that are not here are named and dropped."""
    by_name = {camera.id: camera.id for camera in cameras} | {
        camera.serial: camera.id for camera in cameras if camera.serial is not None
    }
    mounts = tuple(
        mount.model_copy(update={"camera": by_name[mount.camera]})
        for mount in rig.mounts
        if mount.camera in by_name
    )
    problems = tuple(
        Problem(
            subject=str(path),
            code=ErrorCode.RIG_UNREADABLE,
            cause=f"The rig speaks of a camera {mount.camera!r}, which has no footage here.",
            hint=f"Cameras here: {', '.join(by_name) or 'none'}.",
        )
        for mount in rig.mounts
        if mount.camera not in by_name
    )
    return Rig(mounts=mounts, altitude_m=rig.altitude_m), problems
