"""What every product carries: the answer, where metres come from, settings, versions, inputs, what was left out."""

import json
import re
from typing import Any

from workers.contract.products import Verdict

_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def printable(text: str) -> str:
    r"""Text that every format can hold: control, direction and lone surrogate characters become ``\uXXXX``.

    File names are bytes chosen by others: a newline would end a header line, a direction mark reverses a sentence,
    and XML has no way to write most control characters.
    """
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


def clean(value: Any) -> Any:
    """The same JSON value with every string printable."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {printable(str(key)): clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean(item) for item in value]
    return value


def provenance(verdict: Verdict) -> dict[str, Any]:
    """The verdict without its gaps, as plain JSON values."""
    carried = {"verdict", "scale", "aoi_source", "software", "params", "inputs", "left_out"}
    found = clean(verdict.model_dump(mode="json", include=carried))
    assert isinstance(found, dict)
    return found


def provenance_json(verdict: Verdict) -> str:
    """:func:`provenance` as one line of ASCII."""
    return json.dumps(provenance(verdict), sort_keys=True, separators=(",", ":"))
