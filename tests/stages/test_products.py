"""Products are read back with the programs that others read them with."""

from __future__ import annotations

import contextlib
import csv
import functools
import html.parser
import io
import json
import math
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import rasterio
from PIL import Image
from pyproj import Transformer
from rasterio.warp import transform
from shapely.geometry import shape

from tests.stages.survey_factory import (
    AREA_M,
    CELL_M,
    HOLE_ROWS,
    SITE_LON_LAT,
    START_UTC_S,
    MadeSurvey,
    make_survey,
    without_gaps,
)
from workers.contract.products import (
    CLOUD_VIEW_ARRAYS,
    FRAMES_CSV_COLUMNS,
    MAP_ARRAYS,
    PRODUCT_FILES,
    CoverageShares,
    Reason,
)
from workers.contract.words import VerdictWord
from workers.stages.verdict.products import write_products
from workers.stages.verdict.provenance import printable
from workers.stages.verdict.redive import footprint_of, redive_for
from workers.stages.verdict.survey import inputs_checksums, load_survey

HOSTILE = '<script>alert("x")</script>&$\\frac{]]>\n\u202e\x07é'
REDIVE = {name for name in PRODUCT_FILES if name.startswith("redive.")}
MAP_PICTURES = {"coverage.tif", "coverage.png", "coverage.pgw"}

Written = tuple[MadeSurvey, Path]


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Written]:
    """Make a survey, write its products and say where they are; the same call gives the same folder."""

    @functools.cache
    def make(name: str = "mission", *, no_gaps: bool = False, **kwargs: Any) -> Written:
        mission = tmp_path_factory.mktemp(name)
        made = make_survey(mission, **kwargs)
        made = without_gaps(made) if no_gaps else made
        out = mission / "products"
        out.mkdir()
        with contextlib.chdir(mission):
            write_products(out, load_survey(made.inputs), made.verdict)
        return made, out

    return make


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def to_site(lon: Any, lat: Any) -> np.ndarray:
    """Metres east and north of the site's corner."""
    utm = Transformer.from_crs(4326, 32631, always_xy=True)
    return np.asarray(np.stack(utm.transform(lon, lat), -1) - utm.transform(*SITE_LON_LAT))


def test_that_a_placed_survey_with_a_hole_has_every_product(write: Callable[..., Written]) -> None:
    _, out = write()
    assert names_in(out) == set(PRODUCT_FILES)


def test_that_cells_of_the_geotiff_lie_where_the_ground_is(write: Callable[..., Written]) -> None:
    _, out = write()
    with rasterio.open(out / "coverage.tif") as file:
        assert file.descriptions == ("footprint_views", "filmed_views", "reconstructed_views", "pass")
        assert file.crs.to_epsg() == 32631
        assert file.dtypes == ("uint16",) * 4
        assert file.transform.e < 0 < file.transform.a
        assert json.loads(file.tags()["COSMAQC_PROVENANCE"])["scale"]["source"] == "nav"
        east = np.array([0.05, 4.5, 4.5, 8.95, 3.2, -0.2])
        north = np.array([0.05, 3.6, 5.4, 6.15, 4.0, 3.0])
        place = Transformer.from_crs(32631, 4326, always_xy=True)
        corner = Transformer.from_crs(4326, 32631, always_xy=True).transform(*SITE_LON_LAT)
        lon, lat = place.transform(east + corner[0], north + corner[1])
        rows, columns = rasterio.transform.rowcol(file.transform, *transform("EPSG:4326", file.crs, lon, lat))
        found = file.read(4)[rows, columns]
        assert found.tolist() == [1, 0, 1, 1, 1, file.nodata]  # the fifth lies on the island in the hole
        share = (file.read(4) == 1).sum() / (file.read(4) != file.nodata).sum()
    verdict = json.loads((out / "verdict.json").read_text())
    assert share == pytest.approx(verdict["coverage"]["best"])


def test_that_the_picture_has_whole_blocks_of_pixels_and_its_world_file_places_them(
    write: Callable[..., Written],
) -> None:
    _, out = write()
    picture = Image.open(out / "coverage.png")
    pixel, _, _, down, x, y = (float(line) for line in (out / "coverage.pgw").read_text().split())
    with rasterio.open(out / "coverage.tif") as file:
        block = round(CELL_M / pixel)
        assert picture.size == (file.width * block, file.height * block)
        assert pixel * block == pytest.approx(CELL_M, abs=1e-9)
        assert down == -pixel
        assert (x - pixel / 2, y + pixel / 2) == pytest.approx((file.bounds.left, file.bounds.top), abs=1e-6)
        views, passes = file.read(3), file.read(4)
        with rasterio.open(out / "coverage.png") as png:
            assert png.bounds == pytest.approx(file.bounds, abs=1e-6)
    centres = np.asarray(picture.convert("RGB"))[block // 2 :: block, block // 2 :: block].astype(int)
    bluish = centres[..., 2] > centres[..., 0]
    plain = np.zeros_like(bluish)
    plain[8:11, 4:-4] = True  # away from tracks, gaps and edges
    assert (bluish[plain] == (passes[plain] == 1)).mean() > 0.98
    assert views[plain].min() >= 3


def test_that_frames_csv_has_a_row_a_frame_with_its_camera_s_place_and_time(
    write: Callable[..., Written],
) -> None:
    made, out = write()
    with (out / "frames.csv").open(newline="") as file:
        reader = csv.DictReader(file)
        assert tuple(reader.fieldnames or ()) == FRAMES_CSV_COLUMNS
        rows = list(reader)
    frames = load_survey(made.inputs).frames
    assert len(rows) == len(frames)
    first = rows[0]
    assert datetime.fromisoformat(first["utc"]).timestamp() == pytest.approx(START_UTC_S, abs=1e-3)
    assert first["utc"] == "2026-05-12T09:30:00.250+00:00"
    assert len(first["lon"].split(".")[1]) == 9
    assert to_site(float(first["lon"]), float(first["lat"])) == pytest.approx([0.0, 0.55], abs=1e-3)
    assert float(first["height_m"]) == pytest.approx(-18.4)
    lost = [row for row in rows if row["registered"] == "0"]
    assert len(lost) == 8
    assert {row["lon"] + row["lat"] + row["height_m"] + row["component"] for row in lost} == {""}
    assert {row["usable"] for row in rows} == {"0", "1"}


def test_that_gap_outlines_enclose_exactly_the_failing_cells(write: Callable[..., Written]) -> None:
    made, out = write()
    document = json.loads((out / "gaps.geojson").read_text())
    assert document["provenance"]["verdict"] == "not_complete"
    for gap, feature in zip(made.verdict.gaps, document["features"], strict=True):
        rings = feature["geometry"]["coordinates"]
        outer = [to_site(*np.array(polygon[0]).T) for polygon in rings]
        area = sum(shape({"type": "Polygon", "coordinates": [ring.tolist()]}).area for ring in outer)
        holes = sum(
            shape({"type": "Polygon", "coordinates": [to_site(*np.array(hole).T).tolist()]}).area
            for polygon in rings
            for hole in polygon[1:]
        )
        assert area - holes == pytest.approx(gap.area_m2, rel=2e-3)
        assert feature["properties"]["cause"] == gap.cause
        assert shape(feature["geometry"]).is_valid
    middle = shape(document["features"][0]["geometry"]).centroid
    assert to_site(middle.x, middle.y)[1] == pytest.approx(
        (HOLE_ROWS.start + HOLE_ROWS.stop) / 2 * CELL_M, abs=0.02
    )


def test_that_tracks_are_split_where_frames_are_missing(write: Callable[..., Written]) -> None:
    _, out = write()
    features = json.loads((out / "tracks.geojson").read_text())["features"]
    kinds = [feature["properties"]["kind"] for feature in features]
    assert kinds == ["nav", "camera", "camera", "camera", "camera"]  # each camera lost four frames once
    assert all(len(feature["geometry"]["coordinates"]) >= 2 for feature in features)


def test_that_re_dive_legs_cover_the_gap_and_all_four_files_agree(write: Callable[..., Written]) -> None:
    made, out = write()
    with (out / "redive.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    lonlat = [(float(row["lon"]), float(row["lat"])) for row in rows]
    legs = to_site(*np.array(lonlat).T)
    hole = HOLE_ROWS.start * CELL_M, HOLE_ROWS.stop * CELL_M
    assert len(legs) % 2 == 0
    assert legs[:, 0].min() < 0.0
    assert legs[:, 0].max() > AREA_M[0]
    assert (legs[:, 1] > hole[0]).all()
    assert (legs[:, 1] < hole[1]).all()
    namespace = {"g": "http://www.topografix.com/GPX/1/1", "k": "http://www.opengis.net/kml/2.2"}
    gpx = ET.parse(out / "redive.gpx").getroot().findall(".//g:rtept", namespace)
    assert [(float(p.get("lon", "")), float(p.get("lat", ""))) for p in gpx] == lonlat
    line = json.loads((out / "redive.geojson").read_text())["features"][0]["geometry"]["coordinates"]
    assert [tuple(point) for point in line] == lonlat
    kml = ET.parse(out / "redive.kml").getroot().find(".//k:LineString/k:coordinates", namespace)
    assert kml is not None
    assert [tuple(map(float, point.split(","))) for point in (kml.text or "").split()] == lonlat
    assert made.verdict.gaps[0].id == int(rows[0]["gap"])


def test_that_a_re_dive_is_spaced_by_the_footprint_and_timed_at_the_survey_speed(
    write: Callable[..., Written],
) -> None:
    made, _ = write()
    survey = load_survey(made.inputs)
    footprint = footprint_of(survey)
    assert footprint is not None
    assert footprint.altitude_m == pytest.approx(1.6)
    assert footprint.across_m == pytest.approx(960 / 552 * 1.6, rel=1e-3)
    gap = survey.coverage.gaps[0]
    slow, fast = redive_for(gap, survey, 0.25), redive_for(gap, survey, 0.5)
    assert slow is not None
    assert fast is not None
    ends = np.array(fast.waypoints).reshape(-1, 2, 2)
    assert fast.minutes * 60 * 0.5 == pytest.approx(np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1).sum())
    assert len(fast.waypoints) == 2
    assert fast.minutes < slow.minutes < 2 * fast.minutes  # a slower vehicle needs less room to settle


def test_that_no_re_dive_is_written_when_no_gap_needs_one(write: Callable[..., Written]) -> None:
    _, out = write(no_gaps=True)
    assert names_in(out) == set(PRODUCT_FILES) - REDIVE


def read_ply(path: Path) -> tuple[list[str], np.ndarray]:
    data = path.read_bytes()
    end = data.index(b"end_header\n") + len(b"end_header\n")
    header = data[:end].decode("ascii").splitlines()
    kinds = {"double": "<f8", "uchar": "u1", "int": "<i4"}
    fields = [line.split()[1:] for line in header if line.startswith("property")]
    return header, np.frombuffer(data[end:], [(name, kinds[kind]) for kind, name in fields])


def test_that_the_cloud_keeps_millimetres_in_full_coordinates(write: Callable[..., Written]) -> None:
    made, out = write()
    header, points = read_ply(out / "cloud.ply")
    assert "comment crs EPSG:32631 (easting, northing, height), metres" in header
    assert "comment vehicle 0 AUV01" in header
    assert max(len(line) for line in header) < 1000
    provenance = "".join(line.removeprefix("comment provenance ") for line in header if "provenance" in line)
    assert json.loads(provenance)["scale"]["source"] == "nav"
    cloud = np.load(made.inputs.stitch / "cloud.npz")
    assert len(points) == len(cloud["xyz"])
    assert points["x"] == pytest.approx(cloud["xyz"][:, 0] + made.frame.origin[0], abs=1e-6)
    assert (points["red"] == cloud["rgb"][:, 0]).all()


def test_that_open3d_reads_the_cloud(write: Callable[..., Written]) -> None:
    o3d = pytest.importorskip("open3d")
    _, out = write(hostile=HOSTILE)
    assert len(o3d.io.read_point_cloud(str(out / "cloud.ply")).points) == 3000


def test_that_any_prefix_of_the_view_cloud_is_a_fair_sample(write: Callable[..., Written]) -> None:
    _, out = write()
    view = np.load(out / "cloud_view.npz")
    assert set(view.files) == set(CLOUD_VIEW_ARRAYS)
    assert view["xyz"].dtype == np.float32
    start, whole = view["xyz"][:500].mean(0), view["xyz"].mean(0)
    assert np.abs(start - whole).max() < 0.5
    assert set(view["views"].tolist()) <= {1, 3, 4, 5, 6}
    assert view["origin"].tolist() == [round(v) for v in view["origin"].tolist()]


def test_that_map_npz_holds_what_the_contract_says(write: Callable[..., Written]) -> None:
    made, out = write()
    found = np.load(out / "map.npz")
    assert set(found.files) == set(MAP_ARRAYS)
    assert found["gap_id"].tolist() == [gap.id for gap in made.verdict.gaps]
    assert found["ring_gap_id"].tolist() == [1, 1, 2]  # the first gap has an island
    box = found["aoi_xy"].min(0), found["aoi_xy"].max(0)
    assert box[1] - box[0] == pytest.approx(AREA_M, abs=1e-3)
    assert (found["gap"] > 0).sum() * CELL_M**2 == pytest.approx(found["gap_area_m2"].sum())
    assert found["segment_names"][found["frame_segment"]][0] == "AUV01-PORT_0001_01_000"


class Page(html.parser.HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "srcset", "href", "action"}]
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read_page(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def test_that_the_report_says_the_answer_first_and_needs_no_network(write: Callable[..., Written]) -> None:
    made, out = write()
    page = read_page(out / "report.html")
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in page.links)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    text = " ".join("".join(page.text).split())
    assert made.verdict.sentence in text
    for words in (
        "not filmed",
        "worst case",
        "file_no_moov",
        "pycolmap",
        "survey_speed_m_s",
        "0123456789abcdef",
    ):
        assert words in text, words


@pytest.mark.parametrize("name", sorted(set(PRODUCT_FILES) - MAP_PICTURES))
def test_that_hostile_names_stay_names(name: str, write: Callable[..., Written]) -> None:
    _, out = write(hostile=HOSTILE)
    path = out / name
    if path.suffix == ".html":
        page = read_page(path)
        assert "script" not in page.tags
        assert '<script>alert("x")</script>' in "".join(page.text)
        assert "\u202e" not in "".join(page.text)
    elif path.suffix in {".gpx", ".kml"}:
        ET.parse(path)
    elif path.suffix in {".json", ".geojson"}:
        json.loads(path.read_text())
    elif path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        assert len({len(row) for row in rows}) == 1
    elif path.suffix == ".ply":
        header, points = read_ply(path)
        assert len(points) == 3000
        assert header[-1] == "end_header"
    else:
        with np.load(path, allow_pickle=False) as found:
            assert json.loads(str(found["provenance"]))["verdict"]


def test_that_without_a_place_coordinates_stay_local_and_nothing_pretends_to_be_on_the_earth(
    write: Callable[..., Written],
) -> None:
    _, out = write(place=False)
    assert names_in(out) == set(PRODUCT_FILES) - REDIVE
    with rasterio.open(out / "coverage.tif") as file:
        assert file.crs.to_epsg() is None
        assert not file.crs.is_geographic
        assert file.crs.to_wkt().startswith("LOCAL_CS")
        assert 'UNIT["metre",1' in file.crs.to_wkt()
        assert file.bounds.left == pytest.approx(-2 * CELL_M)
    gaps = json.loads((out / "gaps.geojson").read_text())
    assert [feature["geometry"] for feature in gaps["features"]] == [None, None]
    assert len(gaps["features"][0]["properties"]["local_rings_m"]) == 2
    with (out / "frames.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["lon"] for row in rows} == {""}
    assert rows[0]["height_m"]
    assert "comment crs none: local frame, metres" in read_ply(out / "cloud.ply")[0]
    assert "the place on the earth is not known" in (out / "report.html").read_text()


def test_that_without_a_scale_there_is_no_map_and_the_report_says_so(write: Callable[..., Written]) -> None:
    _, out = write(scale=False)
    assert names_in(out) == set(PRODUCT_FILES) - REDIVE - MAP_PICTURES
    text = " ".join("".join(read_page(out / "report.html").text).split())
    assert "CANNOT TELL" in text
    assert "There is no map." in text
    assert "that none is listed does not mean that there is none" in text
    assert np.load(out / "map.npz")["inside"].shape == (0, 0)
    assert "comment crs none: local frame, arbitrary scale" in read_ply(out / "cloud.ply")[0]


def test_that_the_same_survey_gives_the_same_bytes(write: Callable[..., Written]) -> None:
    (_, first), (_, second) = write("one"), write("two")
    for name in PRODUCT_FILES:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name


def test_that_checksums_of_all_inputs_are_named(write: Callable[..., Written]) -> None:
    made, _ = write()
    assert inputs_checksums(load_survey(made.inputs)) == {
        "footage/AUV01/AUV01-PORT/GX010001.MP4": "0123456789abcdef",
        "footage/AUV01/AUV01-STBD/GX010001.MP4": "0123456789abcdef",
        "inputs/aoi.geojson": "00ff00ff00ff00ff",
        "inputs/nav/AUV01.csv": "fedcba9876543210",
    }


@pytest.mark.parametrize(
    ("best", "worst", "words"),
    [
        (0.9499, 0.90, "94 % of the area passes (worst case 90 %)"),
        (0.9999, None, "99 % of the area passes"),
        (1.0, 1.0, "100 % of the area passes (worst case 100 %)"),
        (0.29, 0.29, "29 % of the area passes (worst case 29 %)"),
    ],
)
def test_that_percentages_are_never_rounded_up(
    best: float, worst: float | None, words: str, write: Callable[..., Written]
) -> None:
    made, _ = write()
    shares = CoverageShares(best=best, worst=worst, filmed=None)
    sentence = made.verdict.model_copy(update={"coverage": shares}).sentence
    assert sentence.startswith(f"NOT COMPLETE — {words}, 1 gap of 8.9 m²")


def test_that_cannot_tell_says_first_why(write: Callable[..., Written]) -> None:
    made, _ = write()
    reasons = (Reason(code="no_aoi", text="There is no area of interest."),)
    verdict = made.verdict.model_copy(
        update={"verdict": VerdictWord.CANNOT_TELL, "reasons": reasons, "gaps": ()}
    )
    assert verdict.sentence.startswith("CANNOT TELL — There is no area of interest, 83 % of the area passes")


@pytest.mark.parametrize("text", ["a\nb", "a\x00b", "a\u202eb", "a\udc80b"])
def test_that_printable_text_fits_every_format(text: str) -> None:
    found = printable(text)
    assert re.fullmatch(r"a\\u[0-9a-f]{4}b", found)
    ET.fromstring(f"<x>{found}</x>")


def test_that_a_hole_of_one_cell_stays_seen_in_a_small_picture(write: Callable[..., Written]) -> None:
    from matplotlib.figure import Figure

    from workers.stages.verdict.map_drawing import draw_cells, scene_of, view_colours

    made, _ = write(place=False)
    survey = load_survey(made.inputs)
    assert survey.grid is not None
    views = np.full_like(survey.grid.reconstructed_views, 5)
    views[10, 23] = 0
    scene = scene_of(survey, made.verdict)
    assert scene is not None
    figure = Figure(figsize=(0.2, 0.15), dpi=100)
    draw_cells(figure.add_axes((0.0, 0.0, 1.0, 1.0)), scene, views, judged=False)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    worst = view_colours(scene.needed)[0]
    pixels = np.asarray(Image.open(file).convert("RGB")).reshape(-1, 3).tolist()
    assert [int(worst[n : n + 2], 16) for n in (1, 3, 5)] in pixels


def test_that_colours_of_enough_and_too_few_differ_without_red_and_green() -> None:
    from workers.stages.verdict.map_drawing import view_colours

    def seen(colour: str) -> np.ndarray:
        """A colour as a deuteranope sees it: Viénot, Brettel and Mollon 1999."""
        linear = (np.array([int(colour[n : n + 2], 16) for n in (1, 3, 5)]) / 255.0) ** 2.2
        matrix = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])
        return np.clip(matrix @ linear, 0.0, 1.0) ** (1 / 2.2)

    colours = [seen(colour) for colour in view_colours(3)]
    pairs = [(few, enough) for few in colours[:3] for enough in colours[3:]]
    assert min(math.dist(few, enough) for few, enough in pairs) > 0.15
