"""Medians, ratios and verdicts, as a record for machines and as a table for people."""

from __future__ import annotations

import statistics
from collections.abc import Collection
from typing import Any

from .goals import Clock, Goal, Measure
from .run import Results


def record(measure: Measure, results: Results) -> dict[str, Any]:
    """One measure: a row for each contestant that took part, and why the others did not."""
    figures: dict[str, dict[str, float]] = {}
    rows = []
    for name in measure.contestants:
        samples = results.samples.get((measure.way, name))
        if samples:
            figures[name] = {what: statistics.median(sample[what] for sample in samples) for what in samples[0]}
    ours = next((name for name in measure.ours if name in figures), None)
    floor = next((name for name in measure.others if name in figures and name.startswith("floor")), None)
    for name, found in figures.items():
        times = {clock.value: found[clock.value] * measure.per_unit for clock in Clock}
        row: dict[str, Any] = {"contestant": name, "samples": len(results.samples[measure.way, name]), **times}
        row |= {what: value for what, value in found.items() if what not in times}
        row["per_floor"] = _ratio(figures, name, floor, measure.clock)
        row["ours_per_it"] = None if name in measure.ours else _ratio(figures, ours, name, measure.clock)
        goals = [goal for goal in measure.goals if goal.than == name and ours != name]
        row["goals"] = [_verdict(goal, _ratio(figures, ours, name, goal.clock)) for goal in goals]
        for limit in measure.limits if name == ours else ():
            value = times.get(limit.of, found.get(limit.of, 0.0))
            met = value <= limit.at_most
            row["goals"].append({"at_most": limit.at_most, "found": value, "of": limit.of, "met": met})
        rows.append(row)
    absent = {
        name: results.absent.get((measure.way, name), "was not asked")
        for name in measure.contestants
        if name not in figures
    }
    return {
        "number": measure.number,
        "title": measure.title,
        "unit": measure.unit,
        "clock": measure.clock.value,
        "rows": rows,
        "absent": absent,
    }


def _ratio(figures: dict[str, dict[str, float]], one: str | None, other: str | None, clock: Clock) -> float | None:
    if one is None or other is None or not figures[other][clock.value]:
        return None
    return figures[one][clock.value] / figures[other][clock.value]


def _verdict(goal: Goal, found: float | None) -> dict[str, Any]:
    return {
        "at_most": goal.at_most,
        "found": found,
        "clock": goal.clock.value,
        "met": found is not None and found <= goal.at_most,
    }


_LINE = "{:4} {:32} {:>10} {:>10} {:>9} {:>9}  {}"


def lines(records: Collection[dict[str, Any]], notes: Collection[str]) -> list[str]:
    """The table."""
    found = [_LINE.format("#", "", "CPU", "wall", "x floor", "ours / it", "goal for ours / it"), "-" * 110]
    for each in records:
        found.append(f"{each['number']:4} {each['title']}: {each['unit']}, ratios of {each['clock']} time")
        for row in each["rows"]:
            shown = (_number(row[what]) for what in ("cpu", "wall", "per_floor", "ours_per_it"))
            found.append(_LINE.format("", row["contestant"], *shown, _remarks(row, each)).rstrip())
        found += [f"     {name}: left out, {why}" for name, why in each["absent"].items()]
    judged = [goal for each in records for row in each["rows"] for goal in row["goals"]]
    found += ["-" * 110, f"{sum(goal['met'] for goal in judged)} of {len(judged)} goals met"]
    return [*found, *notes]


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}" if value < 100 else f"{value:.1f}"


def _remarks(row: dict[str, Any], measure: dict[str, Any]) -> str:
    remarks = []
    for goal in row["goals"]:
        how = ""
        if goal.get("clock", measure["clock"]) != measure["clock"]:
            how = f" ({goal['clock']} {_number(goal['found'])})"
        elif goal.get("of") in _WORDS:
            how = f" {_WORDS[goal['of']]}"
        remarks.append(f"<= {_number(goal['at_most'])}{how} {'met' if goal['met'] else 'NOT MET'}")
    if measure["unit"] == "us a step":
        remarks.append(f"{1e6 / row['wall']:,.0f} steps/s")
    if "resident_mb" in row:
        remarks.append(f"{row['resident_mb']:+.1f} MB")
    if row.get("heavy"):
        remarks.append("loads numpy or pandas")
    return "; ".join(remarks)


_WORDS = {"resident_mb": "MB resident", "heavy": "of numpy, pandas, pyarrow"}
"""Of what a limit is that has no column."""
