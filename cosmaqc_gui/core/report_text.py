"""The verdict and the plan in words, for the terminal."""

import json
import math
from collections import Counter
from pathlib import Path

from cosmaqc_gui.core.planned import Action, Plan
from workers.contract.products import Gap, Verdict
from workers.contract.words import Certainty, Stage

MOST_LINES = 12
_ACTIONS = {
    Action.REUSE: "reused",
    Action.RUN: "to run",
    Action.WAIT: "waiting",
    Action.HELD: "held",
    Action.SKIP: "skipped",
    Action.ENDED: "failed before",
}


def read_verdict(path: Path) -> Verdict:
    """Read ``verdict.json``.

    Raises:
        pydantic.ValidationError: it is of another version.
    """
    fields = json.loads(path.read_bytes())
    fields["schema_"] = fields.pop("schema")
    return Verdict.model_validate(fields)


def verdict_text(verdict: Verdict, products: Path) -> str:
    """The verdict with its figures, gaps, reasons, what was left out, and where the report is."""
    lines = [verdict.sentence, ""]
    coverage = verdict.coverage
    shares = (
        ("best estimate", coverage.best),
        ("worst case", coverage.worst),
        ("filmed only", coverage.filmed),
    )
    known = [
        f"{name} {math.floor(share * 1000 + 1e-6) / 10:.1f} %" for name, share in shares if share is not None
    ]
    lines.append(
        f"Coverage: {', '.join(known) if known else 'unknown'} (area: {verdict.aoi_source.replace('_', ' ')})."
    )
    lines.append(f"Scale: {verdict.scale.source} ({verdict.scale.detail}).")
    gaps = sorted(verdict.gaps, key=lambda g: (g.certainty is not Certainty.CERTAIN, -g.area_m2))
    lines += _section("Gaps", [_gap(g) for g in gaps])
    lines += _section("Why", [r.text for r in verdict.reasons])
    lines += _section("Left out", [f"{p.subject}: {p.cause} {p.hint}" for p in verdict.left_out])
    lines += ["", f"Report: {products / 'report.html'}"]
    return "\n".join(lines)


def _gap(gap: Gap) -> str:
    where = ""
    if gap.centre_lonlat is not None:
        lon, lat = gap.centre_lonlat
        where = f" at {lat:.6f}, {lon:.6f}"
    cause = gap.cause.replace("_", " ")
    return f"{gap.id}: {gap.certainty}, {gap.area_m2:.1f} m2, {cause}{where}. {gap.remedy}"


def _section(title: str, rows: list[str]) -> list[str]:
    if not rows:
        return []
    more = [f"  ... and {len(rows) - MOST_LINES} more, in the report"] if len(rows) > MOST_LINES else []
    return ["", f"{title}:", *(f"  {row}" for row in rows[:MOST_LINES]), *more]


def plan_text(plan: Plan) -> str:
    """What a run would do, stage by stage, and why."""
    lines = []
    for stage in Stage:
        items = [i for i in plan.items if i.stage is stage]
        if not items:
            continue
        counts = Counter(i.action for i in items)
        lines.append(
            f"{stage.number:02d} {stage}: "
            + ", ".join(f"{counts[a]} {_ACTIONS[a]}" for a in Action if counts[a])
        )
        whys = Counter((i.action, i.why) for i in items if i.action is not Action.REUSE)
        lines += [f"   {_ACTIONS[action]} ({n}): {why}" for (action, why), n in whys.most_common(MOST_LINES)]
    return "\n".join(lines) if lines else "The mission has no footage yet."
