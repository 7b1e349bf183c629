"""Every benchmark on one page, as a table for the README, and which of them did not do the same as their peer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jinja2

from lfr.errors import InputError
from lfr.evaluation.benchmarks.aims import aims
from lfr.evaluation.benchmarks.strides import TPIR_LOST

__all__ = ["benchmark_html", "benchmark_table", "failed_parity", "with_table"]

BEGIN, END = "<!-- benchmarks: lfr bench table writes this -->", "<!-- end of benchmarks -->"
QUIET_CORES = 0.1
"""Cores that other processes may keep busy without the figures being called in doubt."""

Row = Mapping[str, Any]

# What each parity must be. bf16 has 8 bits of a number's 24, so one crop or box in hundreds is further off.
_HOLDS: dict[str, Callable[[Any, str], bool]] = {
    "cosine_mean": lambda value, version: value >= (0.999 if "bf16" in version else 0.99999),
    "cosine_min": lambda value, version: value >= (0.99 if "bf16" in version else 0.9999),
    "matched": lambda value, version: value is None or value >= (0.98 if "bf16" in version else 0.99),
    "same": lambda value, _: value == 1.0,
    "same_as_float32": lambda value, _: value is True,
    "exact": lambda value, _: value is True,
    "coverage": lambda value, _: value is None or value >= 0.95,
    # Shown to lose more than it may; what the sample cannot tell does not fail.
    "tpir_lost_at_least": lambda value, _: value <= TPIR_LOST,
    "same_as_alone": lambda value, _: value is True,
    "same_faces": lambda value, _: value is True,
    "ran": lambda value, _: value is True,
    "same_alerts": lambda value, _: value is True,
    "same_people": lambda value, _: value is True,
    "same_frames": lambda value, _: value is True,
    "same_scores": lambda value, _: value is True,
    "same_subjects": lambda value, _: value is True,
    "same_model": lambda value, _: value is True,
    "same_fmr": lambda value, _: value is True,
    "max_end_difference_in_widths": lambda value, _: value <= 0.25,
    "max_rate_difference": lambda value, _: value <= 1e-9,
}


def failed_parity(rows: Sequence[Row]) -> list[str]:
    """Return what did not hold, a line for each parity of each row; a row that says none of the known ones fails."""
    failed = []
    for row in rows:
        checked = [name for name in row["parity"] if name in _HOLDS]
        failed += [
            f"{row['name']}: {name} is {row['parity'][name]}"
            for name in checked
            if not _HOLDS[name](row["parity"][name], row["version"])
        ]
        if not checked:
            failed.append(f"{row['name']}: nothing was checked")
    return failed


def benchmark_table(document: Mapping[str, Any]) -> str:
    """Return aims, rows and machine as Markdown; the rows fold away.

    Parameters
    ----------
    document
        As for `lfr.evaluation.benchmarks.aims`.

    Raises
    ------
    InputError
        As `lfr.evaluation.benchmarks.aims`.
    """
    lines = ["| aim | to be | measured | | what is done for it |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {aim.what} | {aim.aim} | {aim.measured} | {aim.verdict.replace('missed', '**missed**')} | {aim.done} |"
        for aim in aims(document)
    ]
    lines += ["", "<details><summary>Every row, against its peer in turn</summary>", ""]
    lines += ["| what | ours | peer | ratio | share of the limit | checked in the same run |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    service = document.get("service")
    lines += ["| " + " | ".join(_cells(row)) + " |" for row in _all_rows(document)]
    lines += ["", "</details>", "", _of_machine(document["machine"])]
    if disturbed := _disturbed(document["rows"]):
        lines[-1] += f" {disturbed}"
    if service is not None:
        lines += ["", f"The service: {_of_machine(service['machine'])}"]
    return "\n".join(lines) + "\n"


def with_table(text: str, table: str) -> str:
    """Return a Markdown document with a table in the place that two comments mark.

    Raises
    ------
    InputError
        The document has no such place.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise InputError(f"no place for the table: put it between {BEGIN} and {END}")
    return f"{before}{begin}\n\n{table}\n{end}{after}"


def benchmark_html(document: Mapping[str, Any]) -> str:
    """Return the rows as one page that needs no other file; parameters and errors as for `benchmark_table`."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lfr.evaluation"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    rows = [
        {
            "row": row,
            "cells": _cells(row),
            "spread": " to ".join(_number(rate) for rate in row["ours_spread"]),
            "parity": {name: _value(value) for name, value in row["parity"].items()},
            "failed": failed_parity([row]),
        }
        for row in _all_rows(document)
    ]
    return environment.get_template("benchmarks.html").render(
        rows=rows,
        aims=aims(document),
        machine=document["machine"],
        failed=failed_parity(_all_rows(document)),
        service=document.get("service"),
        disturbed=_disturbed(document["rows"]),
    )


def _all_rows(document: Mapping[str, Any]) -> list[Row]:
    return [*document["rows"], *document.get("service", {"rows": ()})["rows"]]


def _of_machine(machine: Mapping[str, Any]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    return (
        f"{machine['cores']} cores of {machine['processor']}, {'with' if machine['bf16'] else 'without'} bf16, "
        f"{machine['memory_gib']} GiB, {machine['system']}, Python {machine['python']}; {packages}."
    )


def _disturbed(rows: Sequence[Row]) -> str:
    """What is to be said of the rest of the machine; empty where it was quiet."""
    cores = max((row["other_load"] for row in rows if "other_load" in row), default=0.0)
    return f"Other processes kept up to {cores:.1f} cores busy meanwhile." if cores >= QUIET_CORES else ""


def _cells(row: Row) -> list[str]:
    unit = row["unit"].partition(",")[0]
    name = row["name"] if row["version"].startswith("none") else f"{row['name']}, `{row['version']}`"
    return [
        name,
        f"{_number(row['ours'])} {unit}",
        f"{row['peer_name']}: {_number(row['peer'])}",
        f"{row['ratio']:.2f}",
        _limit(row),
        ", ".join(f"{key.replace('_', ' ')} {_value(value)}" for key, value in list(row["parity"].items())[:2]),
    ]


def _limit(row: Row) -> str:
    """The share of the roof that is the lower one."""
    found = row.get("roofline")
    if found is None:
        return ""
    arithmetic = found["bound"] == "arithmetic"
    share = found["share_of_operations"] if arithmetic else found["share_of_bytes"]
    return f"{share:.0%} of {'arithmetic' if arithmetic else 'memory'}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
