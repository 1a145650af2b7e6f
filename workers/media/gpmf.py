"""What a GoPro writes beside the picture (GPMF): serial, settings, gyro and accelerometer, exposure.

telemetry-parser does the parsing. Of 13,500 damaged clips it panicked on some dozens and took up to 13 s on
others, so it runs in a child process with a limit of time and memory: whatever happens there, the answer here
is None. Keys are the four letters of GPMF in hex, see https://github.com/gopro/gpmf-parser.
"""

import importlib.util
import json
import logging
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import workers

CHILD_TIMEOUT_S = 120.0
CHILD_MEMORY_BYTES = 6 << 30
_BATCH = 4

_SERIAL = "0x4341534e"  # CASN
_FIRMWARE = "0x464d5752"  # FMWR
_MODEL = "0x4d494e46"  # MINF
_STABILISATION = "0x45495341"  # EISA
_STABILISATION_ON = "0x45495345"  # EISE
_FIELD_OF_VIEW = "0x56464f56"  # VFOV
_ROLLING_SHUTTER = "0x53524f54"  # SROT, milliseconds
_GPS_FIX = "0x47505346"  # GPSF
_DEVICE = "0x44564944"  # DVID
_SENSOR_GAIN = "0x49534f47"  # ISOG, of 100 ISO
_CAMERA_DEVICES = (1, "HLMT")
_CAMERA_NAMES = ("HERO", "GoPro", "Fusion", "MAX")

F64 = npt.NDArray[np.float64]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Gpmf:
    """Figures of one file; None where the camera did not write them. ``rolling_shutter_s`` is the readout."""

    serial: str | None = None
    model: str | None = None
    firmware: str | None = None
    field_of_view: str | None = None
    stabilised: bool | None = None
    rolling_shutter_s: float | None = None
    gps_fix: bool = False
    exposure_s_median: float | None = None
    iso_median: float | None = None
    temperature_c_median: float | None = None
    imu_samples: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Imu:
    """Samples in file time: ``time_s`` (N,), ``gyro_rad_s`` (N,3), ``accel_m_s2`` (N,3; NaN: none)."""

    time_s: F64
    gyro_rad_s: F64
    accel_m_s2: F64


def identify(paths: Sequence[Path]) -> dict[Path, Gpmf]:
    """What the headers of many files say, without their IMU; files without GPMF are left out."""
    found: dict[Path, Gpmf] = {}
    todo = list(paths)
    while todo:
        batch, answers = todo[:_BATCH], 0
        for path, line in zip(batch, _child(batch, imu=False).splitlines(), strict=False):
            answers += 1
            if (header := _from_line(line)) is not None:
                found[path] = header
        if answers < len(batch):  # the child ended on this one
            log.warning("the telemetry of %s cannot be parsed", batch[answers])
            answers += 1
        todo = todo[answers:]
    return found


def read(path: Path) -> tuple[Gpmf, Imu | None] | None:
    """All of one file; None when it has no GPMF, or none that can be parsed."""
    line, _, samples = _child([path], imu=True).partition(b"\n")
    header = _from_line(line)
    if header is None:
        return None
    if header.imu_samples == 0 or len(samples) != header.imu_samples * 7 * 8:
        return replace(header, imu_samples=0), None
    table = np.frombuffer(samples, dtype=np.float64).reshape(-1, 7)
    return header, Imu(table[:, 0].copy(), table[:, 1:4].copy(), table[:, 4:7].copy())


def _child(paths: Sequence[Path], *, imu: bool) -> bytes:
    """What a process that parses files says: a JSON line a file, then its samples; cut where it died."""
    root = str(Path(workers.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-P", "-m", "workers.media.gpmf", "imu" if imu else "header"]
    try:
        child = subprocess.run(
            [*command, *(str(path.absolute()) for path in paths)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            timeout=CHILD_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        return late.stdout or b""
    return child.stdout


def _from_line(line: bytes) -> Gpmf | None:
    if not line.startswith(b"{"):
        return None
    fields = json.loads(line)
    fields["notes"] = tuple(fields["notes"])
    return Gpmf(**fields)


def _main(arguments: Sequence[str]) -> None:
    """The child: parse each file, write a line for it, or an empty one."""
    _limit_memory()
    with_imu, files = arguments[0] == "imu", arguments[1:]
    for file in files:
        samples = b""
        try:
            header, samples = _parse(file, with_imu=with_imu)
            line = json.dumps(asdict(header))
        except Exception:  # noqa: BLE001 - the child's only purpose is to contain whatever the parser raises
            line = ""
        except BaseException as panic:
            if type(panic).__name__ != "PanicException":
                raise
            line = ""
        sys.stdout.buffer.write(line.encode() + b"\n" + samples)
        sys.stdout.flush()


def _limit_memory() -> None:
    """A damaged length field must not take the laptop's memory (no such limit on Windows)."""
    if importlib.util.find_spec("resource"):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (CHILD_MEMORY_BYTES, CHILD_MEMORY_BYTES))


def _parse(file: str, *, with_imu: bool) -> tuple[Gpmf, bytes]:
    import telemetry_parser

    parser = telemetry_parser.Parser(file)
    header = _header(parser.model, parser.telemetry())
    table = _imu_table(parser.normalized_imu()) if with_imu else np.empty((0, 7))
    return replace(header, imu_samples=len(table)), table.tobytes()


def _header(model: str | None, blocks: list[dict[str, dict[str, Any]]]) -> Gpmf:
    settings: dict[str, Any] = {}
    devices: dict[Any, str] = {}
    for block in blocks:
        for group in block.values():
            for key, value in group.items():
                settings.setdefault(key, value)
            if _DEVICE in group:
                devices.setdefault(group[_DEVICE], str(group.get("Name", "")).strip())
    others = [name for device, name in devices.items() if device not in _CAMERA_DEVICES]
    own = [name for device, name in devices.items() if device in _CAMERA_DEVICES]
    named = next((name for name in own if name.startswith(_CAMERA_NAMES)), None)
    rolling_ms = _number(settings.get(_ROLLING_SHUTTER))
    gains = [100.0 * gain for gain in _series(blocks, "ISOG", _SENSOR_GAIN)]
    return Gpmf(
        serial=_text(settings.get(_SERIAL)),
        model=_text(settings.get(_MODEL)) or _text(model) or named,
        firmware=_text(settings.get(_FIRMWARE)),
        field_of_view=_text(settings.get(_FIELD_OF_VIEW)),
        stabilised=_stabilised(settings),
        rolling_shutter_s=rolling_ms / 1000.0 if rolling_ms else None,
        gps_fix=any(_number(block.get("GPS", {}).get(_GPS_FIX)) in (2.0, 3.0) for block in blocks),
        exposure_s_median=_median(_series(blocks, "Exposure", "Data")),
        iso_median=_median(list(_series(blocks, "SensorISO", "Data")) or gains),
        temperature_c_median=_median(_series(blocks, "Gyroscope", "Temperature")),
        notes=tuple(f"The telemetry also holds another device: {name or 'unnamed'}." for name in others),
    )


def _stabilised(settings: dict[str, Any]) -> bool | None:
    """EISE says on or off; older cameras have only EISA, N when off."""
    on = _text(settings.get(_STABILISATION_ON))
    if on is not None:
        return on == "Y"
    kind = _text(settings.get(_STABILISATION))
    return None if kind is None else kind.upper() not in ("N", "N/A", "OFF")


def _series(blocks: list[dict[str, dict[str, Any]]], group: str, key: str) -> Iterator[float]:
    for block in blocks:
        value = block.get(group, {}).get(key)
        for sample in value if isinstance(value, list) else [value]:
            number = _number(sample)
            if number is not None:
                yield number


def _median(values: Iterator[float] | list[float]) -> float | None:
    numbers = list(values)
    return statistics.median(numbers) if numbers else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)


def _text(value: object) -> str | None:
    """Printable text, or None; a damaged header must not put control characters into names."""
    if not isinstance(value, str):
        return None
    clean = "".join(letter for letter in value if letter.isprintable()).strip()
    return clean[:64] or None


def _imu_table(samples: list[dict[str, Any]]) -> F64:
    """Rows of time_s, gyro (rad/s), accel (m/s2), by time; some sample accel at half the gyro's rate."""
    gyros = [s for s in samples if s.get("gyro") is not None]
    table: F64 = np.full((len(gyros), 7), np.nan)
    if not gyros:
        return table
    table[:, 0] = [s["timestamp_ms"] / 1000.0 for s in gyros]
    table[:, 1:4] = np.radians([s["gyro"] for s in gyros])
    accel = np.array(
        [(s["timestamp_ms"] / 1000.0, *s["accl"]) for s in samples if s.get("accl") is not None], dtype=float
    ).reshape(-1, 4)
    accel = accel[np.isfinite(accel).all(axis=1)]
    table = table[np.isfinite(table[:, :4]).all(axis=1)]
    table = table[np.argsort(table[:, 0], kind="stable")]
    if len(accel):
        accel = accel[np.argsort(accel[:, 0], kind="stable")]
        for axis in range(3):
            table[:, 4 + axis] = np.interp(table[:, 0], accel[:, 0], accel[:, 1 + axis])
    return table


if __name__ == "__main__":
    _main(sys.argv[1:])
