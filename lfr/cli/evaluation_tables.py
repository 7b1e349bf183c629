"""Results of `lfr evaluate` as tables for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from lfr.cli.console import out

__all__ = ["show_identification", "show_verification"]


def show_verification(document: Mapping[str, Any]) -> None:
    """Print the document of `lfr evaluate verification`."""
    out.print(f"{document['images']} images, failures to acquire: {document['failures_to_acquire']}")
    if document["accuracy"] is not None:
        accuracy, deviation = document["accuracy"], document["accuracy_standard_deviation"]
        out.print(f"{document['mated']} mated and {document['non_mated']} non-mated pairs")
        out.print(f"accuracy [bold]{accuracy:.4f}[/]  ({len(document['folds'])} folds, deviation {deviation:.4f})")
        out.print(_trade_offs(document))
    if (compared := document.get("all_pairs")) is None:
        return
    out.print(
        f"all pairs: {compared['mated']:,} mated, {compared['non_mated']:,} non-mated comparisons "
        f"of {compared['subject_pairs']:,} pairs of subjects"
    )
    if compared["eer"] is not None:
        out.print(f"equal error rate [bold]{compared['eer']:.4f}[/]")
    out.print(_trade_offs(compared))
    if compared["cells"]:
        out.print(_cells(compared))


def show_identification(document: Mapping[str, Any]) -> None:
    """Print the document of `lfr evaluate identification`."""
    out.print(
        f"watchlist of [bold]{document['watchlist_size']}[/] subjects ({document['references']} references, "
        f"failures to enrol: {document['failures_to_enrol']})"
    )
    out.print(
        f"{document['mated']} mated searches of {document['mated_subjects']} subjects, {document['non_mated']} "
        f"non-mated of {document['non_mated_subjects']}; failures to acquire: {document['failures_to_acquire']}"
    )
    table = Table("FPIR at most", "FPIR observed", "TPIR", "95% interval over subjects", "threshold")
    for point in document["points"]:
        tpir, fpir = point["tpir"], point["fpir_observed"]
        table.add_row(
            f"{point['fpir']:g}",
            f"{fpir['value']:.4f} ({fpir['count']} of {fpir['of']})",
            "no mated search" if tpir["value"] is None else f"{tpir['value']:.4f}",
            "-" if tpir["value"] is None else f"{tpir['low']:.4f} to {tpir['high']:.4f}",
            f"{point['threshold']:.3f}",
        )
    for target in document["insufficient_data"]:
        table.add_row(f"{target:g}", "insufficient data", f"{document['non_mated']} non-mated searches", "-", "-")
    out.print(table)
    if document["cmc"]:
        ranks = ", ".join(f"{rank}: {document['cmc'][rank - 1]:.4f}" for rank in (1, 5, 20))
        out.print(f"own subject among the first k, whatever the score: {ranks}")
    if document["by_watchlist_size"]:
        out.print(_sizes(document))


def _trade_offs(document: Mapping[str, Any]) -> Table:
    table = Table("FMR at most", "FNMR", "95% interval over subjects", "threshold")
    for point in document["fnmr_at_fmr"]:
        rate = point["fnmr"]
        interval = f"{rate['low']:.4f} to {rate['high']:.4f}"
        table.add_row(f"{point['fmr']:g}", f"{rate['value']:.4f}", interval, f"{point['threshold']:.3f}")
    for target in document["insufficient_data"]:
        table.add_row(f"{target:g}", "insufficient data", f"{document['non_mated']} non-mated comparisons", "-")
    return table


def _cells(compared: Mapping[str, Any]) -> Table:
    """FMR of each pair of groups at a few thresholds of the whole."""
    points = compared["fnmr_at_fmr"][1:4]
    table = Table("groups", "non-mated", *(f"FMR at {point['threshold']:.3f}" for point in points))
    for cell in compared["cells"]:
        rates = {at["threshold"]: at["fmr"] for at in cell["fmr_at_threshold"]}
        shown = ["-" if (fmr := rates[point["threshold"]]) is None else f"{fmr:.1e}" for point in points]
        table.add_row(" x ".join(cell["groups"]), f"{cell['non_mated']:,}", *shown)
    return table


def _sizes(document: Mapping[str, Any]) -> Table:
    """FPIR by watchlist size at the threshold of the first point under 2%, or the last there is."""
    points = document["points"]
    threshold = next((point["threshold"] for point in points if point["fpir"] < 0.02), points[-1]["threshold"])
    table = Table(
        "watchlist", "FPIR measured", "95% of lists drawn", "if independent", title=f"at threshold {threshold:.3f}"
    )
    for at in document["by_watchlist_size"]:
        if at["threshold"] == threshold:
            table.add_row(
                str(at["watchlist_size"]),
                f"{at['measured']:.5f}",
                f"{at['low']:.5f} to {at['high']:.5f}" if at["draws"] > 1 else "-",
                f"{at['independent']:.5f}",
            )
    return table
