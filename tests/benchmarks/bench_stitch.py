"""Stitch and coverage: seconds and peak memory at 10, 100 and 1,000 segments of made missions.

``python -m tests.benchmarks.bench_stitch [SEGMENTS ...]``. Poses and clouds are made up; each size runs in a process
of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import pytest

from tests.stages.mission_factory import Plan, Silent, fly, write_mission
from workers.contract.job import CoverageInputs, StitchInputs
from workers.contract.params import CoverageParams, StitchParams

SIZES = (10, 100, 1000)
LEG_M, SPACING_M, SEGMENT_S = 60.0, 1.2, 60.0


def plan_of(segments: int) -> Plan:
    """A lawn-mower of about so many segments over both cameras."""
    seconds = segments / 2 * SEGMENT_S
    leg_m = min(LEG_M, seconds * 0.5 / 5)
    legs = max(2, round(seconds / ((leg_m + 1.6 + SPACING_M * 1.57) / 0.5)))
    ys = tuple(0.3 + SPACING_M * k for k in range(legs))
    return Plan(
        area_m=(leg_m, ys[-1] + 0.3),
        legs_y_m=ys,
        segment_s=SEGMENT_S,
        points_per_m2=25.0,
        film=(0.0, seconds - 1.0),
    )


def measure(folder: Path) -> tuple[float, float, float]:
    """Seconds of stitch and coverage, and the peak memory of this process in MiB."""
    from workers.stages import coverage, stitch

    inputs = StitchInputs.model_validate_json((folder / "inputs.json").read_text())
    out, covered = folder / "stitch", folder / "coverage"
    out.mkdir()
    covered.mkdir()
    begin = time.perf_counter()
    stitch.run(inputs, StitchParams(), out, Silent())
    middle = time.perf_counter()
    aoi = folder / "mission" / "aoi.geojson"
    coverage.run(CoverageInputs(stitch=out, aoi=aoi), CoverageParams(), covered, Silent())
    end = time.perf_counter()
    return middle - begin, end - middle, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def row_of(size: int) -> str:
    """One line of the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written = write_mission(fly(plan_of(size)), folder / "mission")
        (folder / "inputs.json").write_text(written.inputs.model_dump_json())
        frames = sum(len(one.time_s) for one in written.mission.filmed)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            stitch_s, coverage_s, memory_mib = pool.apply(measure, (folder,))
    segments = len(written.inputs.segments)
    return f"{segments:9d} {frames:8d} {stitch_s:10.1f} {coverage_s:12.1f} {memory_mib:12.0f}"


def table(sizes: tuple[int, ...]) -> None:
    """Print a row a size."""
    print(f"{'segments':>9} {'frames':>8} {'stitch (s)':>10} {'coverage (s)':>12} {'memory (MiB)':>12}")
    for size in sizes:
        print(row_of(size), flush=True)


@pytest.mark.benchmark
def test_stitch_and_coverage_at_ten_a_hundred_and_a_thousand_segments() -> None:
    print()
    table(SIZES)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("segments", type=int, nargs="*", default=SIZES)
    table(tuple(arguments.parse_args().segments))
