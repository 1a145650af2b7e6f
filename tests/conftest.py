"""What all tests share: the field material, where there is any."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared field material: ``$COSMAQC_SHARED``, by default ``../shared``."""
    folder = Path(os.environ.get("COSMAQC_SHARED", REPOSITORY.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"NOT TESTED on real footage: there is no {folder}; set COSMAQC_SHARED")
    return folder.resolve()
