"""02 telemetry: what a recording's GPMF, or the EXIF of its stills, says of camera, settings and motion."""

import logging
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from workers.contract.artefacts import IMU, TELEMETRY, Telemetry
from workers.contract.dive import Recording
from workers.contract.errors import FootageUnreadable
from workers.contract.events import Report
from workers.contract.job import TelemetryInputs
from workers.contract.params import TelemetryParams
from workers.media import gpmf
from workers.media.checksums import check_unchanged
from workers.media.gpmf import Gpmf, Imu
from workers.media.stills import Still, read_still

log = logging.getLogger(__name__)

_T = TypeVar("_T")


def run(inputs: TelemetryInputs, params: TelemetryParams, out: Path, report: Report) -> None:
    """Write ``telemetry.json``, and ``imu.npz`` when the recording holds gyro samples.

    Raises:
        FootageMissing: a file is not there at the moment.
        FootageChanged: a file's content is not what was ingested.
    """
    del params  # nothing to set yet
    recording = inputs.recording
    telemetry = _of_stills(recording, report) if recording.stills else _of_video(recording, out, report)
    (out / TELEMETRY).write_text(telemetry.model_dump_json(indent=1), encoding="utf-8")
    report.figure("imu_samples", telemetry.imu_samples)


def _of_video(recording: Recording, out: Path, report: Report) -> Telemetry:
    headers: list[Gpmf] = []
    samples: list[Imu] = []
    notes: list[str] = []
    for count, chapter in enumerate(recording.chapters):
        report(count, of=len(recording.chapters))
        path = check_unchanged(chapter.files[0])
        found = gpmf.read(path)
        if found is None:
            notes.append(f"{path.name} has no telemetry that can be read.")
            continue
        header, imu = found
        headers.append(header)
        if imu is not None:
            inside = imu.time_s < chapter.duration_s
            samples.append(
                Imu(imu.time_s[inside] + chapter.start_s, imu.gyro_rad_s[inside], imu.accel_m_s2[inside])
            )
    _write_imu(out, samples)
    report(len(recording.chapters), of=len(recording.chapters))
    for header in headers:
        notes += [note for note in header.notes if note not in notes]
    return Telemetry(
        recording=recording.id,
        serial=_first(header.serial for header in headers),
        model=_first(header.model for header in headers),
        firmware=_first(header.firmware for header in headers),
        field_of_view=_first(header.field_of_view for header in headers),
        stabilised=_first(header.stabilised for header in headers),
        rolling_shutter_s=_first(header.rolling_shutter_s for header in headers),
        imu_samples=sum(len(imu.time_s) for imu in samples),
        gps_fix=any(header.gps_fix for header in headers),
        exposure_s_median=_median(header.exposure_s_median for header in headers),
        iso_median=_median(header.iso_median for header in headers),
        temperature_c_median=_median(header.temperature_c_median for header in headers),
        notes=tuple(notes),
    )


def _write_imu(out: Path, samples: Sequence[Imu]) -> None:
    if not samples:
        return
    np.savez(
        out / IMU,
        time_s=np.concatenate([imu.time_s for imu in samples]),
        gyro_rad_s=np.concatenate([imu.gyro_rad_s for imu in samples]),
        accel_m_s2=np.concatenate([imu.accel_m_s2 for imu in samples]),
    )


def _of_stills(recording: Recording, report: Report) -> Telemetry:
    files = [file for chapter in recording.chapters for file in chapter.files]
    stills: list[Still] = []
    notes: list[str] = []
    for count, file in enumerate(files):
        report(count, of=len(files))
        try:
            stills.append(read_still(check_unchanged(file)))
        except FootageUnreadable as error:
            notes.append(error.cause)
    report(len(files), of=len(files))
    return Telemetry(
        recording=recording.id,
        serial=_first(still.serial for still in stills),
        model=_first(still.model for still in stills),
        firmware=_first(still.firmware for still in stills),
        gps_fix=any(still.lat_deg is not None for still in stills),
        exposure_s_median=_median(still.exposure_s for still in stills),
        iso_median=_median(still.iso for still in stills),
        notes=tuple(notes),
    )


def _first(values: Iterable[_T | None]) -> _T | None:
    """The first that is there."""
    return next((value for value in values if value is not None), None)


def _median(values: Iterable[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return statistics.median(there) if there else None
