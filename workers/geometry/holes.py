"""Finding gaps (hydrographers' holidays) in a grid of failing cells.

After NOAA / HydrOffice QC Tools' Holiday Finder: "all holes", "object detection" (three cells in a line) and
"full coverage" (a 3x3 box).
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from workers.contract.words import Certainty
from workers.geometry import AnyArray, Bools


@dataclass(frozen=True)
class Hole:
    """A connected set of failing cells: ``cells`` (N,2) rows and columns; certainty None: too small to matter."""

    cells: AnyArray
    certainty: Certainty | None


def has_box(failing: Bools, side: int = 3) -> bool:
    """Whether a full box of ``side`` x ``side`` failing cells lies in the mask."""
    return bool(ndimage.binary_erosion(failing, np.ones((side, side), bool), border_value=0).any())


def has_line(failing: Bools, length: int = 3) -> bool:
    """Whether ``length`` failing cells lie in a row or a column."""
    across = ndimage.binary_erosion(failing, np.ones((1, length), bool), border_value=0)
    along = ndimage.binary_erosion(failing, np.ones((length, 1), bool), border_value=0)
    return bool(across.any() or along.any())


def find_holes(failing: Bools) -> list[Hole]:
    """Every connected set of failing cells (sharing an edge), largest first.

    Args:
        failing: (rows, columns); cells outside the area of interest must be False.
    """
    labels, count = ndimage.label(failing)
    holes = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        mask = labels[box] == number
        cells = np.argwhere(mask) + np.array([box[0].start, box[1].start])
        padded = np.pad(mask, 1)
        certainty = None
        if has_box(padded):
            certainty = Certainty.CERTAIN
        elif has_line(padded):
            certainty = Certainty.POSSIBLE
        holes.append(Hole(cells, certainty))
    assert len(holes) == count
    return sorted(holes, key=lambda hole: (-len(hole.cells), tuple(hole.cells[0])))
