"""04 quality: what the measures answer to, and what they do not."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from cosmaqc_gui.core.grade import QualityRow, grade_dive, read_quality
from tests.stages.footage_factory import Heard, recording_of, slice_of
from tests.stages.seabed_factory import Picture, Track, film, write_frames
from workers.contract.artefacts import QUALITY_COLUMNS
from workers.contract.job import QualityInputs
from workers.contract.params import FramesParams, QualityParams
from workers.contract.words import Grade
from workers.media.features import equalised, extract, read_gray
from workers.stages import frames, quality

Spoil = Callable[[Picture], Picture]


@pytest.fixture(scope="module")
def track() -> Track:
    """A clear pass."""
    return film(12)


def gray(picture: Picture) -> npt.NDArray[np.uint8]:
    return cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.uint8)


def measured(folder: Path, pictures: list[Picture], track: Track) -> tuple[QualityRow, ...]:
    """Quality of the pictures as one segment."""
    write_frames(folder / "frames", pictures, track.camera)
    (folder / "out").mkdir()
    quality.run(QualityInputs(frames=folder / "frames"), QualityParams(), folder / "out", Heard())
    return read_quality(folder / "out" / "quality.csv")


def usable(rows: tuple[QualityRow, ...]) -> list[int]:
    """Indices of the frames that are usable when the rows are the whole dive."""
    names = [row.frame_id for row in rows]
    return [names.index(name) for name in grade_dive({"one": rows}, QualityParams())["one"].usable]


def veiled(share: float, blur_px: float) -> Spoil:
    def spoil(picture: Picture) -> Picture:
        soft = cv2.GaussianBlur(picture, (0, 0), blur_px)
        return (soft * (1 - share) + 125 * share).astype(np.uint8)

    return spoil


def shaken(length: int) -> Spoil:
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1 / length
    return lambda picture: cv2.filter2D(picture, -1, kernel).astype(np.uint8)


def dimmed(share: float) -> Spoil:
    return lambda picture: (picture * share).astype(np.uint8)


def bland(share: float) -> Spoil:
    """Ground of which all texture is weaker, as sand's is."""

    def spoil(picture: Picture) -> Picture:
        slow = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), picture.shape[1] / 20)
        return np.clip(slow + share * (picture - slow), 0, 255).astype(np.uint8)

    return spoil


def test_that_every_frame_has_a_row_in_order_with_the_columns_of_the_contract(
    tmp_path: Path, track: Track
) -> None:
    rows = measured(tmp_path, list(track.pictures[:4]), track)
    head = (tmp_path / "out" / "quality.csv").read_text().splitlines()[0]
    assert tuple(head.split(",")) == QUALITY_COLUMNS
    assert [row.frame_id for row in rows] == sorted(row.frame_id for row in rows)
    assert all(row.matches > 50 and row.detail > 0.2 for row in rows)


def test_that_all_of_a_clear_pass_is_usable(tmp_path: Path, track: Track) -> None:
    assert usable(measured(tmp_path, list(track.pictures), track)) == list(range(12))


SPELL, HALF, ONE = range(4, 8), range(6), (3,)


@pytest.mark.parametrize(
    ("spoil", "bad"),
    [
        pytest.param(veiled(0.7, 3.0), SPELL, id="a milky spell"),
        pytest.param(veiled(0.7, 3.0), ONE, id="one milky frame"),
        pytest.param(veiled(0.5, 2.0), HALF, id="half of it hazy"),
        pytest.param(veiled(0.0, 2.5), HALF, id="half of it out of focus"),
        pytest.param(shaken(11), HALF, id="half of it shaken"),
        pytest.param(shaken(11), ONE, id="one frame shaken"),
        pytest.param(dimmed(0.05), HALF, id="half of it dark"),
    ],
)
def test_that_bad_frames_and_they_alone_are_unusable(
    tmp_path: Path, track: Track, spoil: Spoil, bad: range | tuple[int, ...]
) -> None:
    pictures = [spoil(p) if n in bad else p for n, p in enumerate(track.pictures)]
    assert usable(measured(tmp_path, pictures, track)) == [n for n in range(12) if n not in bad]


def test_that_bland_ground_is_as_good_a_view_as_any(tmp_path: Path, track: Track) -> None:
    pictures = [bland(0.35)(p) if n < 6 else p for n, p in enumerate(track.pictures)]
    assert usable(measured(tmp_path, pictures, track)) == list(range(12))


def test_that_a_dive_that_is_milky_throughout_does_not_pass_for_being_uniform(tmp_path: Path) -> None:
    murky = film(10, milky=frozenset(range(10)))
    rows = measured(tmp_path, list(murky.pictures), murky)
    graded = grade_dive({"one": rows}, QualityParams())["one"]
    assert graded.grade is Grade.FAIL
    assert graded.usable == ()


def test_that_a_burnt_in_text_bar_neither_sharpens_nor_matches(track: Track) -> None:
    plain = [gray(p) for p in film(2, spacing_m=3.0).pictures]
    text = [p.copy() for p in plain]
    for picture in text:
        cv2.putText(picture, "2026-05-12 D 12.3 m HDG 271", (8, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 2)
    assert quality.look_at(text[0]).sharpness < 1.2 * quality.look_at(plain[0]).sharpness
    one, two = (extract(equalised(p), 2000) for p in text)
    assert (
        quality.verify(one, two, (text[0].shape[1], text[0].shape[0])).matches < QualityParams().min_matches
    )


def test_that_the_last_frame_is_matched_backwards_and_a_single_frame_with_none() -> None:
    few, many = quality.Verified(3, 0.5), quality.Verified(9, 0.1)
    assert quality.better_of_neighbours([few, many]) == [few, many, many]
    assert quality.better_of_neighbours([]) == [quality.NOTHING]


def test_that_pictures_narrower_than_the_measures_are_left_as_they_are() -> None:
    assert quality.at_measure_width(np.zeros((288, 384), np.uint8), 640).shape == (288, 384)
    assert quality.at_measure_width(np.zeros((540, 960), np.uint8), 640).shape == (360, 640)


def test_that_featureless_frames_are_measured_too(tmp_path: Path, track: Track) -> None:
    flat = [np.full_like(track.pictures[0], 90)] * 3
    rows = measured(tmp_path, flat, track)
    assert [row.matches for row in rows] == [0, 0, 0]
    assert usable(rows) == []


def test_that_enhanced_pictures_are_sharper_than_their_originals(shared: Path) -> None:
    folder = shared / "data/quality_lsui_pairs"
    better = [
        quality.look_at(quality.at_measure_width(read_gray(folder / "GT" / original.name), 640)).sharpness
        > quality.look_at(quality.at_measure_width(read_gray(original), 640)).sharpness
        for original in sorted((folder / "input").iterdir())
    ]
    assert len(better) == 34
    assert np.mean(better) > 0.9


@pytest.mark.slow
def test_that_the_milky_spell_of_a_rendered_dive_is_found_to_the_frame(shared: Path, tmp_path: Path) -> None:
    card = shared / "dives/turbid_spell/AUV01/PORT/DCIM/100GOPRO"
    recording = recording_of(sorted(card.glob("*.MP4")))
    (tmp_path / "frames").mkdir()
    (tmp_path / "out").mkdir()
    frames.run(slice_of(recording, 30.0, 62.0), FramesParams(), tmp_path / "frames", Heard())
    quality.run(QualityInputs(frames=tmp_path / "frames"), QualityParams(), tmp_path / "out", Heard())
    # truth.json: milky from 36.11 to 56.11 s; sampled at 30, 30.5, ...
    assert usable(read_quality(tmp_path / "out" / "quality.csv")) == [*range(13), *range(53, 64)]


@pytest.mark.slow
def test_that_the_reef_clip_is_usable_throughout(shared: Path, tmp_path: Path) -> None:
    recording = recording_of([shared / "data/gopro_reef_underwater/reef_clip.mp4"])
    (tmp_path / "frames").mkdir()
    (tmp_path / "out").mkdir()
    frames.run(slice_of(recording, 0.0, 8.0), FramesParams(), tmp_path / "frames", Heard())
    quality.run(QualityInputs(frames=tmp_path / "frames"), QualityParams(), tmp_path / "out", Heard())
    assert usable(read_quality(tmp_path / "out" / "quality.csv")) == list(range(15))
