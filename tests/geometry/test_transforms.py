"""Similarity transforms and rotations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from workers.geometry import F64
from workers.geometry.attitude import exp_so3, from_yaw_pitch_roll, log_so3, mean_rotation, turn_to_down
from workers.geometry.sim3 import Sim3, robust_sim3, umeyama


def some_sim3(random: np.random.Generator) -> Sim3:
    turn = exp_so3(random.normal(0, 1.0, 3))[0]
    return Sim3(float(np.exp(random.normal())), turn, random.normal(0, 5, 3))


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


def test_umeyama_recovers_a_similarity_from_exact_points(random: np.random.Generator) -> None:
    true, points = some_sim3(random), random.normal(size=(30, 3))
    found = umeyama(points, true.apply(points), random.uniform(0.1, 1.0, 30))
    assert found.scale == pytest.approx(true.scale)
    np.testing.assert_allclose(found.rotation, true.rotation, atol=1e-9)
    np.testing.assert_allclose(found.translation, true.translation, atol=1e-9)


def test_umeyama_gives_a_rotation_and_no_mirror_for_flat_points(random: np.random.Generator) -> None:
    points = random.normal(size=(30, 3)) * [1, 1, 0]
    found = umeyama(points, points * [1, 1, -1] + random.normal(0, 1e-3, (30, 3)))
    assert np.linalg.det(found.rotation) == pytest.approx(1.0)


@pytest.mark.parametrize("points", [np.zeros((5, 3)), np.zeros((2, 3))])
def test_umeyama_refuses_points_without_extent(points: F64) -> None:
    with pytest.raises(ValueError, match=r"points|correspondences"):
        umeyama(points, points)


@pytest.mark.parametrize("seed", range(5))
def test_a_robust_fit_ignores_thirty_per_cent_of_outliers(seed: int) -> None:
    random = np.random.default_rng(seed)
    true, points = some_sim3(random), random.normal(size=(500, 3)) * [3, 3, 0.1]
    target = true.apply(points) + random.normal(0, 0.002, (500, 3))
    bad = random.random(500) < 0.3
    target[bad] += random.normal(0, 2.0, (int(bad.sum()), 3)) * true.scale
    found = robust_sim3(points, target, np.ones(500), threshold=0.02)
    assert found is not None
    fit, inlier = found
    assert fit.scale == pytest.approx(true.scale, rel=2e-3)
    assert inlier[~bad].mean() > 0.97
    assert inlier[bad].mean() < 0.03


def test_a_robust_fit_is_the_same_each_time(random: np.random.Generator) -> None:
    points, target = random.normal(size=(50, 3)), random.normal(size=(50, 3))
    one, two = (robust_sim3(points, target, np.ones(50), threshold=0.5) for _ in range(2))
    assert one is not None
    assert two is not None
    assert one[0].scale == two[0].scale


def test_too_few_correspondences_give_no_fit() -> None:
    assert robust_sim3(np.zeros((2, 3)), np.zeros((2, 3)), np.ones(2), 0.1) is None


def test_a_transform_and_its_inverse_cancel(random: np.random.Generator) -> None:
    one, points = some_sim3(random), random.normal(size=(10, 3))
    np.testing.assert_allclose(one.inverse().compose(one).apply(points), points, atol=1e-9)


def test_moved_poses_keep_rotations_and_move_centres_as_points(random: np.random.Generator) -> None:
    move = some_sim3(random)
    poses = np.tile(np.eye(4), (4, 1, 1))
    poses[:, :3, :3], poses[:, :3, 3] = exp_so3(random.normal(size=(4, 3))), random.normal(size=(4, 3))
    moved = move.of_poses(poses)
    np.testing.assert_allclose(moved[:, :3, 3], move.apply(poses[:, :3, 3]))
    np.testing.assert_allclose(np.linalg.det(moved[:, :3, :3]), 1.0)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-4, 1.0, 3.0, 3.14, math.pi - 1e-7, math.pi])
def test_log_undoes_exp_up_to_half_a_turn(angle: float, random: np.random.Generator) -> None:
    axis = random.normal(size=(20, 3))
    vector = axis / np.linalg.norm(axis, axis=1, keepdims=True) * angle
    turn = exp_so3(vector)
    np.testing.assert_allclose(exp_so3(log_so3(turn)), turn, atol=1e-6)


def test_yaw_pitch_roll_have_the_stated_signs() -> None:
    ahead, port = np.array([1.0, 0, 0]), np.array([0, 1.0, 0])
    zero, turn = np.zeros(1), np.full(1, 0.1)
    assert (from_yaw_pitch_roll(turn, zero, zero)[0] @ ahead)[1] > 0, "yaw turns to port"
    assert (from_yaw_pitch_roll(zero, turn, zero)[0] @ ahead)[2] < 0, "pitch is nose down"
    assert (from_yaw_pitch_roll(zero, zero, turn)[0] @ port)[2] > 0, "roll is starboard down"


def test_the_mean_of_rotations_lies_between_them() -> None:
    turns = exp_so3(np.array([[0, 0, 0.2], [0, 0, 0.4]]))
    np.testing.assert_allclose(log_so3(mean_rotation(turns)[None])[0], [0, 0, 0.3], atol=1e-9)


def test_any_axis_can_be_turned_down(random: np.random.Generator) -> None:
    for axis in random.normal(size=(20, 3)):
        unit = axis / np.linalg.norm(axis)
        turn = turn_to_down(unit)
        np.testing.assert_allclose(turn @ unit, [0, 0, -1], atol=1e-12)
        assert np.linalg.det(turn) == pytest.approx(1.0)
