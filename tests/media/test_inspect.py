"""What `python -m workers inspect` prints."""

import json
from pathlib import Path

import pytest

from tests.media.clips import make_clip
from workers.inspect import main


def test_a_folder_is_told_by_its_headers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_clip(tmp_path / "AUV01" / "PORT" / "GX020012.MP4")
    (tmp_path / "AUV01" / "PORT" / "GX030012.MP4").touch()
    assert main([str(tmp_path / "AUV01"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    video = found["videos"][0]
    assert (video["vehicle"], video["camera"], video["number"], video["chapter"]) == (
        "AUV01",
        "PORT",
        "0012",
        2,
    )
    assert "0 bytes" in found["problems"][0]["cause"]


def test_a_nav_log_is_told_with_what_is_wrong_with_it(
    shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(shared / "data" / "auv_sparus" / "sparus_snippet.csv")]) == 0
    assert "refused: It has only 12 distinct positions in 50 rows" in capsys.readouterr().out


def test_an_area_is_told_by_its_size(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(shared / "dives" / "complete" / "aoi.geojson"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["area"]["area_m2"] == pytest.approx(23.4, abs=0.2)


def test_what_is_not_there_is_named_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "nothing")]) == 2
    assert "nothing does not exist" in capsys.readouterr().err
