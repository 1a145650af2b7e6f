"""The text of a nav log's recognised columns: encodings, delimiters, decimal commas."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from workers.contract.errors import NavUnreadable
from workers.media.nav_columns import Column, NavMapping, recognise

F64 = npt.NDArray[np.float64]


def read_table(path: Path, mapping: NavMapping) -> tuple[dict[str, Column], dict[str, list[str]], bool]:
    """Recognised columns, their texts, and whether decimals may be written with a comma.

    Raises:
        NavUnreadable: the file cannot be read, or is no CSV.
    """
    try:
        lines = _lines(path)
        header_line = next((line for line in lines if line.strip() and not line.startswith("#")), "")
        delimiter = mapping.delimiter or max(",;\t", key=header_line.count)
        if len(delimiter) != 1 or delimiter in '\r\n"':
            cause = f"{path}: the delimiter {delimiter!r} is not one character."
            raise NavUnreadable(cause)
        reader = csv.reader(_from_header(lines), delimiter=delimiter)
        header = next(reader, [])
        columns = recognise(header, mapping, path)
        texts: dict[str, list[str]] = {field: [] for field in columns}
        row: list[str] = []
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            for field, column in columns.items():
                texts[field].append(row[column.index].strip() if column.index < len(row) else "")
        if row and len(row) < len(header) and not lines[-1].endswith("\n"):
            for (
                cells
            ) in texts.values():  # the log ends in the middle of a line: its last number may be half of one
                cells[-1] = ""
    except csv.Error as error:
        cause = f"{path} is not a CSV file: {error}."
        raise NavUnreadable(cause) from error
    except OSError as error:
        cause = f"{path} cannot be read: {error.strerror or error}."
        raise NavUnreadable(cause, "Check the path.") from error
    return columns, texts, delimiter != ","


def _lines(path: Path) -> list[str]:
    content = path.read_bytes()
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [f"{line}\n" for line in lines[:-1]] + lines[-1:] * bool(lines[-1])


def _from_header(lines: Sequence[str]) -> Iterator[str]:
    started = False
    for line in lines:
        started = started or bool(line.strip() and not line.startswith("#"))
        if started:
            yield line


def numbers_of(texts: Sequence[str], factor: float, *, comma: bool) -> F64:
    """Numbers of a column times a factor; NaN where there is none."""
    values = np.full(len(texts), np.nan)
    for row, text in enumerate(texts):
        try:
            values[row] = float(text.replace(",", ".") if comma else text) * factor
        except ValueError:
            continue
    values[~np.isfinite(values)] = np.nan
    return values
