"""Binary little-endian PLY point clouds with colours."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_TYPES = {
    "float": "<f4",
    "float32": "<f4",
    "double": "<f8",
    "float64": "<f8",
    "uchar": "u1",
    "uint8": "u1",
    "int": "<i4",
    "int32": "<i4",
    "ushort": "<u2",
    "uint16": "<u2",
}


def read_ply(path: Path) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Points (N,3) and colours (N,3) uint8 (zeros where there are none) of a binary little-endian PLY.

    Raises:
        ValueError: not such a file.
    """
    with path.open("rb") as file:
        header = []
        while (line := file.readline().decode("ascii", "replace").strip()) != "end_header":
            header.append(line)
            if len(header) > 200 or not line:
                raise ValueError(f"{path}: not a PLY file")
        if header[:1] != ["ply"] or "format binary_little_endian 1.0" not in header:
            raise ValueError(f"{path}: not a binary little-endian PLY file")
        count = next(int(line.split()[2]) for line in header if line.startswith("element vertex"))
        fields = [line.split() for line in header if line.startswith("property")]
        dtype = np.dtype([(name, _TYPES[kind]) for _, kind, name in fields])
        data = np.frombuffer(file.read(count * dtype.itemsize), dtype, count)
    xyz = np.stack([data["x"], data["y"], data["z"]], axis=1).astype(float)
    names = data.dtype.names or ()
    if "red" not in names:
        return xyz, np.zeros((count, 3), np.uint8)
    return xyz, np.stack([data["red"], data["green"], data["blue"]], axis=1)
