"""Grids, surfaces, places and footprints."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from workers.contract.survey import MapFrame
from workers.geometry import F64, AnyArray
from workers.geometry.attitude import NADIR, exp_so3
from workers.geometry.grid import Grid
from workers.geometry.place import Place, utm_epsg
from workers.geometry.surface import flat, from_points
from workers.geometry.views import GRAZING_SINE, Cameras, count_views, footprint_corners

FOCAL, SIZE = 400.0, (800.0, 600.0)


def cameras_over(random: np.random.Generator, count: int, tilt: float, sigma_m: float = 0.0) -> Cameras:
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, :3, :3] = exp_so3(random.normal(0, tilt, (count, 3))) @ NADIR
    poses[:, :3, 3] = random.uniform([0, 0, 1.2], [6, 4, 2.0], (count, 3))
    pinhole = np.tile([FOCAL, FOCAL, SIZE[0] / 2, SIZE[1] / 2], (count, 1))
    return Cameras(poses, pinhole, np.tile(SIZE, (count, 1)), np.full(count, sigma_m))


def brute_force(cameras: Cameras, grid: Grid, height_m: F64) -> AnyArray:
    views = np.zeros((grid.rows, grid.columns), int)
    for row in range(grid.rows):
        for column in range(grid.columns):
            x, y = grid.x0 + (column + 0.5) * grid.cell_m, grid.y0 + (row + 0.5) * grid.cell_m
            point = np.array([x, y, height_m[row, column]])
            for pose in cameras.camera_to_map:
                local = pose[:3, :3].T @ (point - pose[:3, 3])
                if local[2] <= 0.05:
                    continue
                u, v = FOCAL * local[:2] / local[2] + np.array(SIZE) / 2
                steep = pose[2, 3] - point[2] >= GRAZING_SINE * np.linalg.norm(point - pose[:3, 3])
                views[row, column] += bool(0 <= u <= SIZE[0] and 0 <= v <= SIZE[1] and steep)
    return views


@pytest.mark.parametrize("tilt", [0.0, 0.1, 0.7])
def test_views_are_those_of_every_cell_in_every_picture(tilt: float) -> None:
    random = np.random.default_rng(3)
    cameras, grid = cameras_over(random, 12, tilt), Grid.over((0, 0, 6, 4), 0.25)
    height = 0.2 * np.sin(grid.centres()[..., 0])
    np.testing.assert_array_equal(count_views(cameras, grid, height), brute_force(cameras, grid, height))


def test_shrunk_pictures_lie_within_and_grown_ones_about_the_stated_ones() -> None:
    random = np.random.default_rng(4)
    cameras, grid = cameras_over(random, 8, 0.1, sigma_m=0.1), Grid.over((-3, -3, 9, 7), 0.2)
    height = np.zeros((grid.rows, grid.columns))
    worst, stated, best = (count_views(cameras, grid, height, sigmas) for sigmas in (2.0, 0.0, -2.0))
    assert (worst <= stated).all()
    assert (stated <= best).all()
    assert worst.sum() < stated.sum() < best.sum()


def test_a_shift_within_the_margin_never_shows_more_than_a_grown_picture() -> None:
    random = np.random.default_rng(5)
    cameras, grid = cameras_over(random, 1, 0.0, sigma_m=1.0), Grid.over((-40, -40, 40, 40), 0.5)
    height = np.zeros((grid.rows, grid.columns))
    grown = count_views(cameras, grid, height, -10.0)
    for angle in np.linspace(0, 6.0, 8):
        poses = cameras.camera_to_map.copy()
        poses[:, :2, 3] += 10.0 * np.array([np.cos(angle), np.sin(angle)])
        moved = Cameras(poses, cameras.pinhole, cameras.size, cameras.place_sigma_m)
        assert (count_views(moved, grid, height) <= grown).all()


def test_the_ground_behind_and_above_a_camera_is_not_seen() -> None:
    up = np.eye(4)[None]
    up[0, :3, 3] = (1, 1, 1)
    cameras = Cameras(up, np.array([[FOCAL, FOCAL, 400, 300]]), np.array([SIZE]), np.zeros(1))
    grid = Grid.over((0, 0, 2, 2), 0.5)
    assert count_views(cameras, grid, np.zeros((4, 4))).sum() == 0
    assert footprint_corners(cameras, 0, 0.0) is None


def test_every_cell_that_shares_ground_with_the_area_belongs_to_it() -> None:
    area = shapely.box(0.05, 0.05, 1.1, 0.62)
    grid = Grid.over((0.05, 0.05, 1.1, 0.62), 0.25)
    inside = grid.touching(area)
    assert inside.all()
    assert (grid.rows, grid.columns) == (3, 5)


def test_an_area_smaller_than_a_cell_has_one() -> None:
    area = shapely.box(3.01, 3.01, 3.05, 3.05)
    grid = Grid.over((3.01, 3.01, 3.05, 3.05), 0.17)
    assert grid.touching(area).sum() == 1


def test_a_sliver_at_the_edge_is_rounding_and_not_ground() -> None:
    area = shapely.box(0.0, 0.0, 1.0, 0.7501)
    assert Grid.over((0.0, 0.0, 1.0, 0.7501), 0.25).touching(area).sum() == 12


def test_areas_in_several_polygons_leave_the_ground_between_them_out() -> None:
    area = shapely.union_all([shapely.box(0, 0, 1, 1), shapely.box(3, 0, 4, 1)])
    inside = Grid.over((0, 0, 4, 1), 0.25).touching(area)
    assert inside[:, :4].all()
    assert inside[:, 12:].all()
    assert not inside[:, 4:12].any()


def test_cells_take_the_median_of_their_points() -> None:
    random = np.random.default_rng(0)
    xy = random.uniform(0, 4, (20_000, 2))
    z = 0.3 * np.sin(xy[:, 0]) + random.normal(0, 0.02, len(xy))
    z[::50] -= 5.0
    seabed = from_points(np.column_stack([xy, z]), (0, 0, 4, 4), 0.25)
    places = random.uniform(0.3, 3.7, (200, 2))
    assert np.abs(seabed.at(places) - 0.3 * np.sin(places[:, 0])).max() < 0.06
    assert seabed.known.all()


def test_ground_without_points_takes_the_nearest_height_and_is_not_known() -> None:
    xy = np.random.default_rng(0).uniform(0, 2, (500, 2))
    seabed = from_points(np.column_stack([xy, np.full(500, -18.0)]), (0, 0, 6, 2), 0.5)
    np.testing.assert_allclose(seabed.at(np.array([[5.5, 1.0]])), -18.0)
    assert not seabed.known[:, 6:].any()


def test_a_level_seabed_is_level_outside_its_grid_too() -> None:
    np.testing.assert_allclose(flat(-3.0, (0, 0, 1, 1), 1.0).at(np.array([[99.0, -99.0]])), -3.0)


@pytest.mark.parametrize(
    ("lon", "lat"), [(5.9, 43.1), (-70.0, -33.0), (179.99, 10.0), (-179.99, -10.0), (0.0, 0.0), (12.0, 83.0)]
)
def test_places_survive_the_way_to_the_map_and_back(lon: float, lat: float) -> None:
    place = Place.at(lon, lat)
    xy = place.to_map(np.array([lon]), np.array([lat]))
    assert (np.abs(xy) < 100.0).all()
    np.testing.assert_allclose(place.to_lonlat(xy), [[lon, lat]], atol=1e-9)


def test_map_metres_are_metres_and_convergence_points_north() -> None:
    place = Place.at(5.9, 43.1)
    north = place.to_map(np.array([5.9, 5.9]), np.array([43.1, 43.1 + 1e-3]))
    step = north[1] - north[0]
    assert np.linalg.norm(step) == pytest.approx(111.1, rel=2e-3)
    assert np.arctan2(step[0], step[1]) == pytest.approx(-place.convergence_rad(5.9, 43.1), abs=1e-4)


def test_zones_follow_longitude_and_hemisphere() -> None:
    assert (utm_epsg(5.9, 43.1), utm_epsg(-180.0, 1.0), utm_epsg(180.0, -1.0)) == (32632 - 1, 32601, 32701)


def test_a_local_frame_has_no_place() -> None:
    with pytest.raises(ValueError, match="no place"):
        _ = Place(MapFrame(epsg=None)).epsg
