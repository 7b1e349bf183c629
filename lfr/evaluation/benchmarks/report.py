"""Every benchmark on one page, as a table for the README, and which of them did not do the same as their peer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jinja2

from lfr.errors import InputError
from lfr.evaluation.benchmarks.aims import aims
from lfr.evaluation.benchmarks.parity import failed_parity

__all__ = ["all_rows", "benchmark_html", "benchmark_table", "with_table"]

BEGIN, END = "<!-- benchmarks: lfr bench table writes this -->", "<!-- end of benchmarks -->"
QUIET_CORES = 0.1
"""Cores that other processes may keep busy without the figures being called in doubt."""

Row = Mapping[str, Any]


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
    lines += ["| " + " | ".join(_cells(row)) + " |" for row in all_rows(document)]
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
        for row in all_rows(document)
    ]
    return environment.get_template("benchmarks.html").render(
        rows=rows,
        aims=aims(document),
        machine=document["machine"],
        failed=failed_parity(all_rows(document)),
        service=document.get("service"),
        disturbed=_disturbed(document["rows"]),
    )


def all_rows(document: Mapping[str, Any]) -> list[Row]:
    """Return the rows of a benchmark document, those of the service last."""
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
    unit = row["unit"]
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
