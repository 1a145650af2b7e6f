"""Clocks tied by turn rates."""

import numpy as np
import pytest

from workers.geometry import F64
from workers.stages.stitch.gyro import TurnRate, gyro_rate, synchronise


def turning(time_s: F64, seed: int) -> F64:
    """A vehicle's turn-rate vector (N,3): smooth random wobble and a sharp turn now and then."""
    random = np.random.default_rng(seed)
    rates = np.zeros((len(time_s), 3))
    for axis in range(3):
        for _ in range(12):
            period, phase, size = (
                random.uniform(2.0, 15.0),
                random.uniform(0, 6.3),
                random.uniform(0.005, 0.03),
            )
            rates[:, axis] += size * np.sin(2 * np.pi * time_s / period + phase)
    for at in random.uniform(0, 1200, 20):
        rates[:, 2] += 0.4 * np.exp(-(((time_s - at) / 2.0) ** 2))
    return rates


def camera(
    offset_s: float, drift: float, length_s: float, seed: int, noise: int, start_s: float = 0.0
) -> TurnRate:
    """A camera's gyro: its own axes, rate 200 Hz, a clock that is ``offset_s`` behind and drifts."""
    random = np.random.default_rng(noise)
    own = np.arange(0.0, length_s, 1 / 200)
    true = own + offset_s + drift * (own - length_s / 2) + start_s
    axes = np.linalg.qr(random.normal(size=(3, 3)))[0]
    return gyro_rate(own, turning(true, seed) @ axes.T + random.normal(0, 0.01, (len(own), 3)))


@pytest.mark.parametrize("offset_s", [-3.7, 0.0, 12.345])
def test_two_cameras_of_a_vehicle_are_tied_without_extrinsics(offset_s: float) -> None:
    found = synchronise(
        camera(0.0, 0.0, 200.0, 1, 2, start_s=20.0), camera(offset_s, 0.0, 150.0, 1, 3, start_s=20.0)
    )
    assert found is not None
    assert not found.ambiguous
    assert found.offset_s == pytest.approx(offset_s, abs=0.03)


def test_the_drift_between_two_cameras_is_found_at_both_ends() -> None:
    drift = 0.180 / 3600.0
    found = synchronise(camera(0.0, 0.0, 1200.0, 5, 2), camera(1.5, drift, 1190.0, 5, 3))
    assert found is not None
    assert found.offset_s == pytest.approx(1.5, abs=0.03)
    assert found.drift == pytest.approx(drift, abs=2e-5)


def test_a_vehicle_that_hardly_turned_is_ambiguous() -> None:
    random = np.random.default_rng(0)
    time_s = np.arange(0.0, 120.0, 0.005)
    one, two = (gyro_rate(time_s, random.normal(0, 0.01, (len(time_s), 3))) for _ in range(2))
    found = synchronise(one, two)
    assert found is not None
    assert found.ambiguous


def test_different_vehicles_are_not_tied() -> None:
    found = synchronise(camera(0.0, 0.0, 200.0, 1, 2), camera(0.0, 0.0, 200.0, 99, 3))
    assert found is not None
    assert found.ambiguous
