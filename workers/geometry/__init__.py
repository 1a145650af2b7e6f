"""Geometry shared by the stages: similarity transforms, attitudes, places on the earth, footprints, holes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
"""An array of doubles."""
Bools = NDArray[np.bool_]
"""An array of booleans."""
Ints = NDArray[np.int64]
"""An array of integers."""
AnyArray = NDArray[Any]
"""An array of whatever."""
