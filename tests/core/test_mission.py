"""The mission folder, its params, the operator's settings, the user's data folder."""

from pathlib import Path

import pytest

from cosmaqc_gui.core.folders import data_folder
from cosmaqc_gui.core.lock import MissionLock
from cosmaqc_gui.core.mission import Overrides, create_or_open, open_mission, parse_set, with_changes
from cosmaqc_gui.core.settings import Settings, load_settings
from workers.contract import layout
from workers.contract.errors import MissionLocked, MissionUnreadable, UsageError
from workers.contract.params import Params


def test_that_params_given_once_stay_with_the_mission(tmp_path: Path) -> None:
    create_or_open(
        tmp_path, parse_set(["quality.min_matches=20", "frames.lens=wide", "stitch.typed_altitude_m=1.5"])
    )
    params = open_mission(tmp_path).params
    assert (params.quality.min_matches, params.frames.lens, params.stitch.typed_altitude_m) == (
        20,
        "wide",
        1.5,
    )


def test_that_a_param_set_back_to_its_default_is_no_override_any_more(tmp_path: Path) -> None:
    create_or_open(tmp_path, parse_set(["quality.min_matches=21", "stitch.typed_altitude_m=1.5"]))
    default = Params().quality.min_matches
    mission = create_or_open(
        tmp_path, parse_set([f"quality.min_matches={default}", "stitch.typed_altitude_m=none"])
    )
    assert mission.overrides == {}
    assert open_mission(tmp_path).overrides == {}


def test_that_lists_survive_the_file(tmp_path: Path) -> None:
    create_or_open(tmp_path, parse_set(["frames.lens=brown", "frames.distortion=[0.1, -0.2, 0, 0.001]"]))
    assert open_mission(tmp_path).params.frames.distortion == (0.1, -0.2, 0.0, 0.001)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("min_matches=20", "stage.param=value"),
        ("quality.min_matches", "stage.param=value"),
        ("quality.sharpnes=1", "no param quality.sharpnes"),
        ("qualty.sharpness=1", "no param qualty"),
        ("quality.sharpness_fraction=7", "less than or equal to 1"),
        ("frames.lens=fisheye", "'linear', 'wide' or 'brown'"),
    ],
)
def test_that_a_param_that_makes_no_sense_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_set([text])


def test_that_the_hint_names_the_params_of_the_stage() -> None:
    with pytest.raises(UsageError) as caught:
        parse_set(["verdict.complete=1"])
    assert "complete_fraction" in caught.value.hint


@pytest.mark.parametrize("text", ["schema = 99", "schema = ", "", "\0\0\0"])
def test_that_a_damaged_or_newer_mission_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / layout.MISSION_TOML).write_text(text)
    with pytest.raises(MissionUnreadable):
        open_mission(tmp_path)


def test_that_a_folder_that_is_no_mission_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissionUnreadable, match="no mission"):
        open_mission(tmp_path)


def test_that_a_mission_keeps_its_name_and_date(tmp_path: Path) -> None:
    first = create_or_open(tmp_path, {})
    again = create_or_open(tmp_path, parse_set(["coverage.views=4"]))
    assert (again.name, again.created) == (first.name, first.created)


def test_that_changes_do_not_touch_other_stages() -> None:
    before: Overrides = {"quality": {"min_matches": 20}}
    assert with_changes(before, {"coverage": {"views": 4}}) == {**before, "coverage": {"views": 4}}


def test_that_a_lock_is_held_once_and_names_its_holder(tmp_path: Path) -> None:
    with MissionLock(tmp_path), pytest.raises(MissionLocked, match=r"process \d+"):
        MissionLock(tmp_path)
    MissionLock(tmp_path).release()


def test_that_settings_come_from_the_named_file_only(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text("lanes = 3")
    other = tmp_path / "other.toml"
    other.write_text("lanes = 5")
    assert load_settings(None, {}) == Settings()
    assert load_settings(None, {"COSMAQC_CONFIG": str(config)}).lanes == 3
    assert load_settings(other, {"COSMAQC_CONFIG": str(config)}).lanes == 5


@pytest.mark.parametrize("text", ["lanes = -1", "lines = 3", "lanes = "])
def test_that_settings_that_make_no_sense_are_refused(tmp_path: Path, text: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(text)
    with pytest.raises(UsageError, match=r"config\.toml"):
        load_settings(config, {})


def test_that_user_data_goes_to_the_platforms_folder() -> None:
    home = {"HOME": "/home/ann"}
    assert data_folder(home, "linux") == Path("/home/ann/.local/share/cosmaqc")
    assert data_folder({**home, "XDG_DATA_HOME": "/data"}, "linux") == Path("/data/cosmaqc")
    assert data_folder({**home, "XDG_DATA_HOME": "relative"}, "linux") == Path(
        "/home/ann/.local/share/cosmaqc"
    )
    assert data_folder(home, "darwin") == Path("/home/ann/Library/Application Support/cosmaqc")
