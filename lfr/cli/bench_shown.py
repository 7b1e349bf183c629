"""How the rows of `lfr bench` are shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from lfr.cli.console import emit, out

__all__ = ["emit_rows"]

_NAME_WIDTH = 36  # a longer one is broken into lines, and not the figures beside it


def emit_rows(rows: Sequence[dict[str, Any]], *, as_json: bool) -> None:
    """Print the benchmark document: rows, and the machine they were measured on."""
    from lfr.evaluation.benchmarks import QUIET_CORES, machine_facts, tpir_said

    machine = machine_facts()

    def show() -> None:
        shows_p99 = any("p99_ms" in row for row in rows)
        table = Table("", "ours", "peer", "ratio", *(["p99"] if shows_p99 else []), "parity")
        table.columns[0].no_wrap = all(len(row["name"]) <= _NAME_WIDTH for row in rows)
        for row in rows:
            name, value = next(iter(row["parity"].items()))
            cells = [row["name"], _rate(row, "ours"), _rate(row, "peer"), f"[bold]{row['ratio']:.2f}[/]"]
            if shows_p99:
                cells.append(f"{row['p99_ms']:.2f} ms" if "p99_ms" in row else "")
            table.add_row(*cells, f"{name} {_plain(value)}")
        out.print(table)
        parities = dict.fromkeys(", ".join(f"{k} {_plain(v)}" for k, v in row["parity"].items()) for row in rows)
        if len(parities) == 1:
            out.print(f"parity: {next(iter(parities))}")
        first = rows[0]
        out.print(
            f"{_each(rows, 'unit')}, median of {first['repeats']} and least to most, in turn; threads: "
            f"{first['threads']}; model version: {first['version']}; peer: {_each(rows, 'peer_name')}",
            style="dim",
        )
        for row in rows:
            if "roofline" in row:
                out.print(_limit(row), highlight=False)
            if "memory_mib" in row and row["probes"] == 1:
                out.print(f"{row['name']}: {row['memory_mib']:,.0f} MiB, and {row['screen_mib']:,.0f} MiB in bytes")
            if "took_s" in row:
                out.print(f"{row['name']}: {row['took_s']:.2f} s, {row['peak_mib']:.0f} MiB at most", highlight=False)
            if "at_12_fps" in row:
                out.print(_carried(row), highlight=False)
            if "stride" in row:
                out.print(f"{row['name']}: TPIR {tpir_said(row['parity'])}", highlight=False)
        other_load = max((row["other_load"] for row in rows if "other_load" in row), default=0.0)
        if other_load >= QUIET_CORES:
            out.print(
                f"the machine was not quiet: other processes kept up to {other_load:.1f} cores busy; "
                "measure again when it is",
                style="yellow",
            )
        bf16 = "with bf16" if machine["bf16"] else "without bf16"
        out.print(f"{machine['processor']}, cores: {machine['cores']}, {bf16}", style="dim")

    emit({"rows": rows, "machine": machine}, as_json=as_json, show=show)


def _limit(row: dict[str, Any]) -> str:
    found = row["roofline"]
    return (
        f"{row['name']}: {found['operations'] / 1e9:.3g} G operations and {found['bytes'] / 1e6:.3g} MB each; "
        f"{found['share_of_operations']:.0%} of the {found['peak_operations_s'] / 1e9:,.0f} G operations/s "
        f"({found['precision']}) and {found['share_of_bytes']:.0%} of the {found['peak_bytes_s'] / 1e9:.1f} GB/s "
        f"measured here; bound by {found['bound']}"
    )


def _carried(row: dict[str, Any]) -> str:
    return (
        f"{row['cameras']} at 12 frames/s each: {row['looked_at']:.0%} of the frames are looked at, "
        f"{row['busy_cores']:.2f} of {row['threads']} cores busy, {row['camera_mib']:.0f} MiB a camera; "
        f"{row['at_12_fps']} would have every frame looked at"
    )


def _each(rows: Sequence[dict[str, Any]], key: str) -> str:
    return " or ".join(dict.fromkeys(row[key] for row in rows))


def _rate(row: dict[str, Any], side: str) -> str:
    middle, least, most = (
        f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}" for rate in (row[side], *row[f"{side}_spread"])
    )
    return f"[bold]{middle}[/]\n{least} to {most}"


def _plain(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
