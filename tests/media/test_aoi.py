"""Areas of interest from the formats that operators have, checked before use."""

import json
from pathlib import Path

import pytest
from shapely.geometry import shape

from workers.contract.errors import AoiUnreadable
from workers.media.aoi import area_m2, check_near, read_aoi, to_geojson

SQUARE = [[5.9, 43.1], [5.901, 43.1], [5.901, 43.101], [5.9, 43.101], [5.9, 43.1]]
KML = """<?xml version="1.0"?><kml xmlns="http://www.opengis.net/kml/2.2"><Document><Placemark><Polygon><outerBoundaryIs>
<LinearRing><coordinates>5.9,43.1,0 5.901,43.1,0 5.901,43.101,0 5.9,43.101,0 5.9,43.1,0</coordinates></LinearRing>
</outerBoundaryIs></Polygon></Placemark></Document></kml>"""


def polygon(ring: list[list[float]]) -> dict[str, object]:
    return {"type": "Polygon", "coordinates": [ring]}


def write(path: Path, content: object) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize(
    "content",
    [
        polygon(SQUARE),
        {"type": "Feature", "properties": {}, "geometry": polygon(SQUARE)},
        {"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": polygon(SQUARE)}]},
        {
            "type": "GeometryCollection",
            "geometries": [{"type": "Point", "coordinates": [5, 43]}, polygon(SQUARE)],
        },
        {"type": "MultiPolygon", "coordinates": [[SQUARE]]},
        KML,
        "lon,lat\n5.9,43.1\n5.901,43.1\n5.901,43.101\n5.9,43.101\n",
        "Latitude;Longitude\n43,1;5,9\n43,1;5,901\n43,101;5,901\n43,101;5,9\n",
    ],
)
def test_all_formats_give_the_same_area(tmp_path: Path, content: object) -> None:
    area = read_aoi(write(tmp_path / "aoi", content))
    assert area_m2(area) == pytest.approx(111.195 * 111.195 * 0.730, rel=0.01)


def test_several_polygons_are_one_area(tmp_path: Path) -> None:
    moved = [[lon + 0.01, lat] for lon, lat in SQUARE]
    features = [{"type": "Feature", "geometry": polygon(ring)} for ring in (SQUARE, moved, SQUARE)]
    area = read_aoi(write(tmp_path / "aoi.geojson", {"type": "FeatureCollection", "features": features}))
    assert len(area.geoms) == 2  # type: ignore[union-attr]


def test_holes_stay_holes(tmp_path: Path) -> None:
    hole = [[5.9004, 43.1004], [5.9006, 43.1004], [5.9006, 43.1006], [5.9004, 43.1004]]
    whole = read_aoi(write(tmp_path / "a.geojson", polygon(SQUARE)))
    holed = read_aoi(write(tmp_path / "b.geojson", {"type": "Polygon", "coordinates": [SQUARE, hole]}))
    assert area_m2(holed) == pytest.approx(0.98 * area_m2(whole), rel=1e-3)


def test_what_is_written_reads_back_the_same(tmp_path: Path) -> None:
    area = read_aoi(write(tmp_path / "a.geojson", polygon(SQUARE)))
    written = json.loads(to_geojson(area))
    assert shape(written["features"][0]["geometry"]).equals(area)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (
            polygon([[5.9, 43.1], [5.901, 43.101], [5.901, 43.1], [5.9, 43.101], [5.9, 43.1]]),
            "crosses itself",
        ),
        (polygon([[5.9, 43.1], [5.901, 43.1], [5.9, 43.1]]), "no area"),
        (polygon([[5.9, 43.1], [5.901, 43.1], [5.902, 43.1], [5.9, 43.1]]), "no area"),
        (polygon([[5.9, 43.1], [5.9 + 1e-7, 43.1], [5.9, 43.1 + 1e-7], [5.9, 43.1]]), "0.0000 m2"),
        (polygon([[50.1, 170.2], [50.1, 170.3], [50.2, 170.3], [50.1, 170.2]]), "swapped"),
        (
            polygon([[700000, 4776000], [700100, 4776000], [700100, 4776100], [700000, 4776000]]),
            "no longitude",
        ),
        (polygon([[5, 43], [6, 43], [6, 44], [5, 43]]), "km2"),
        ({"type": "Point", "coordinates": [5.9, 43.1]}, "no polygon"),
        ({"type": "Polygon", "coordinates": [[["a", "b"]]]}, "cannot be read"),
        (
            {"type": "Polygon", "coordinates": [[[float("nan"), 43.1], [5.9, 43.1], [5.9, 43.2]]]},
            "no longitude",
        ),
        ('{"type": "Polygon",', "not valid GeoJSON"),
        ("<kml><Polygon></kml>", "not valid KML"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><kml>&a;</kml>', "not valid KML"),
        ("a,b\n1,2\n", "lon and lat"),
        ("", "lon and lat"),
        ({"crs": {"properties": {"name": "EPSG:32631"}}, **polygon(SQUARE)}, "EPSG:32631"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_reason(tmp_path: Path, content: object, word: str) -> None:
    with pytest.raises(AoiUnreadable, match=word):
        read_aoi(write(tmp_path / "aoi", content))


def test_an_area_with_swapped_coordinates_is_told_from_one_at_another_site(tmp_path: Path) -> None:
    path = write(tmp_path / "a.geojson", polygon([[lat, lon] for lon, lat in SQUARE]))
    with pytest.raises(AoiUnreadable, match="swapped"):
        check_near(path, read_aoi(path), 5.9, 43.1)
    with pytest.raises(AoiUnreadable, match="km from"):
        check_near(path, read_aoi(path), 10.0, 43.1)


def test_the_area_of_a_rendered_dive(shared: Path) -> None:
    area = read_aoi(shared / "dives" / "complete" / "aoi.geojson")
    assert area_m2(area) == pytest.approx(6.0 * 3.9, rel=0.01)
    check_near(Path("aoi"), area, 5.9, 43.1)
