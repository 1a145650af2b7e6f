"""The rig file."""

from pathlib import Path

import pytest

from workers.contract.dive import Camera
from workers.contract.errors import ErrorCode, RigUnreadable
from workers.contract.words import Side
from workers.media.rig import read_rig, resolved

TEXT = """altitude_m = 1.6
[cameras."AUV01-PORT"]
lever_m = [0.0, 0.15, -0.1]
yaw_deg = 2.5
[cameras.C3353424500199]
lever_m = [0, -0.15, -0.1]
[cameras.elsewhere]
"""


def test_mounts_name_cameras_by_id_or_serial_and_strangers_are_named(tmp_path: Path) -> None:
    path = tmp_path / "rig.toml"
    path.write_text(TEXT)
    cameras = [
        Camera(id="AUV01-PORT", vehicle="AUV01", side=Side.PORT),
        Camera(id="AUV01-STBD", vehicle="AUV01", side=Side.STARBOARD, serial="C3353424500199"),
    ]
    rig, problems = resolved(read_rig(path), cameras, path)
    assert rig.altitude_m == 1.6
    assert {mount.camera: mount.lever_m for mount in rig.mounts} == {
        "AUV01-PORT": (0.0, 0.15, -0.1),
        "AUV01-STBD": (0.0, -0.15, -0.1),
    }
    assert [problem.code for problem in problems] == [ErrorCode.RIG_UNREADABLE]
    assert "elsewhere" in problems[0].cause


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("altitude_m = -1", "altitude_m"),
        ("height = 2", "height"),
        ("[cameras.a]\nlever_m = [1, 2]", "lever_m"),
        ("[cameras.a]\nyaw_deg = nan", "yaw_deg"),
        ("[cameras", "TOML"),
    ],
)
def test_a_wrong_rig_is_refused_naming_the_field(tmp_path: Path, text: str, word: str) -> None:
    path = tmp_path / "rig.toml"
    path.write_text(text)
    with pytest.raises(RigUnreadable, match=word):
        read_rig(path)
