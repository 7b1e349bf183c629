"""``lfr registry``: which version is where, on what evidence."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from lfr.cli.console import JsonOption, emit, err, out
from lfr.cli.governed import KeyFileOption, governed

if TYPE_CHECKING:
    from lfr.registry import GateResult, Promoted, RegisteredVersion, Tracking

__all__ = ["app", "open_registry"]

app = typer.Typer(
    help="Register versions of the recogniser, hold their evidence against a policy, promote them and go back.",
    no_args_is_help=True,
)

VersionArgument = Annotated[str, typer.Argument(metavar="VERSION", help="Number or alias.", show_default=False)]
PolicyOption = Annotated[str, typer.Option("--policy", metavar="NAME", help="field, shadow, demo, or a policy file.")]
ApproverOption = Annotated[
    Path, typer.Option("--approver-key-file", metavar="FILE", help="Key of the second person, who approves.")
]


@app.command()
def register(
    version: Annotated[
        str, typer.Option("--version", metavar="NAME", help="Version of the default weights, `lfr models list`.")
    ] = "openvino-f32",
    onnx: Annotated[
        Path | None, typer.Option("--onnx", metavar="FILE", help="Another embedder, that takes 112x112 crops.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="What the other embedder is called.")] = "",
    licence: Annotated[str, typer.Option("--licence", help="Under which terms its weights may be used.")] = "",
    mean: Annotated[tuple[float, float, float], typer.Option("--mean", help="Taken off each channel, in 0..255.")] = (
        0.0,
        0.0,
        0.0,
    ),
    std: Annotated[tuple[float, float, float], typer.Option("--std", help="What each channel is divided by.")] = (
        1.0,
        1.0,
        1.0,
    ),
    channels: Annotated[str, typer.Option("--channels", help="rgb or bgr.")] = "rgb",
    json: JsonOption = False,
) -> None:
    """Register a whole recogniser: detector, embedder, alignment, quality policies, runtime and digests.

    An ONNX embedder declares its pre-processing and is run before it is taken:
    `lfr registry register --onnx model.onnx --name mine --licence MIT --mean 127.5 127.5 127.5 --std 128 128 128`.
    """
    from lfr.errors import InputError
    from lfr.models import Preprocessing
    from lfr.registry import register as registered

    if channels not in {"rgb", "bgr"}:
        raise InputError(f"--channels {channels}: expected rgb or bgr")
    wants = Preprocessing.model_validate({"mean": mean, "std": std, "channels": channels})
    with err.status("loading and running it"):
        made = registered(open_registry(), version=version, onnx=onnx, preprocessing=wants, name=name, licence=licence)
    emit(made.as_dict(), as_json=json, show=partial(_show_version, made))


@app.command("list")
def list_(json: JsonOption = False) -> None:
    """List the versions, the newest first, and which aliases point to them."""
    from lfr.registry import list_versions

    found = list_versions(open_registry())

    def show() -> None:
        table = Table("version", "model", "digest", "aliases", "registered")
        for version in found:
            when = version.created.strftime("%Y-%m-%d %H:%M")
            table.add_row(
                str(version.number), escape(version.name), version.model_digest[:12], ", ".join(version.aliases), when
            )
        out.print(table)

    emit({"versions": [version.as_dict() for version in found]}, as_json=json, show=show)


@app.command()
def show(version: VersionArgument, json: JsonOption = False) -> None:
    """Show one version and the evidence there is on it."""
    from lfr.registry import find_evidence, find_version

    tracking = open_registry()
    found = find_version(tracking, version)
    evidence = find_evidence(tracking, found)

    def shown() -> None:
        _show_version(found)
        for kind, digest in evidence.digests.items():
            out.print(f"evidence: {kind}, SHA-256 {digest[:12]}")
        if not evidence.digests:
            out.print(f"no evidence yet: `lfr registry evaluate {found.number}` makes it")

    emit({**found.as_dict(), "evidence": dict(evidence.digests)}, as_json=json, show=shown)


@app.command()
def evaluate(
    version: VersionArgument,
    notebooks: Annotated[
        Path | None, typer.Option("--notebooks", metavar="FOLDER", help="Yours instead of lfr's.", show_default=False)
    ] = None,
    dataset: Annotated[str, typer.Option("--dataset", help="demo, lfw or folder.")] = "demo",
    root: Annotated[str, typer.Option("--root", metavar="FOLDER", help="Where lfw or folder lies.")] = "",
    manifest: Annotated[str, typer.Option("--manifest", metavar="CSV", help="An evaluation set of your own.")] = "",
    by: Annotated[str, typer.Option("--by", metavar="COLUMNS", help="Group columns.")] = "source_sex,source_ethnicity",
    fpir: Annotated[float, typer.Option("--fpir", help="FPIR that the threshold is for.")] = 0.01,
    watchlist_size: Annotated[
        int | None,
        typer.Option("--watchlist-size", min=1, help="People listed.  [default: all with a usable reference]"),
    ] = None,
    card: Annotated[
        str, typer.Option("--card", metavar="NAME", help="Data card.  [default: that of the data set]")
    ] = "",
    key_file: Annotated[
        Path | None,
        typer.Option("--key-file", metavar="FILE", help="Key of who evaluates, for the log.", show_default=False),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Run the calibration and fairness notebooks on a version, and log what comes out as its evidence.

    The notebook is the evaluation, not a copy of it: the executed one is
    logged as HTML beside its figures and numbers. A version can reach the
    field only if its evaluator gave a key, and somebody else approves it.
    """
    from lfr.registry import find_evidence, find_version, record_evaluation
    from lfr.registry.evaluating import evaluate_version

    tracking = open_registry()
    found = find_version(tracking, version)
    evaluator = ""
    if key_file is not None:
        with governed(key_file) as (_, principal):
            principal.require("registry.evaluate", what=f"version {found.number}")
            evaluator = principal.require_person()
    data = {"dataset": dataset, "root": root, "manifest": manifest}
    with err.status("evaluating") as status:
        runs = evaluate_version(
            tracking,
            found,
            notebooks=notebooks,
            home=_home(),
            data=data,
            by=by,
            fpir=fpir,
            watchlist_size=watchlist_size,
            card=card,
            said=status.update,
        )
    evidence = find_evidence(tracking, found)
    if evaluator:
        with governed(key_file) as (store, principal):
            record_evaluation(store, principal, found, evidence.digests)
    document = {**found.as_dict(), "evaluator": evaluator, "runs": runs, "evidence": dict(evidence.digests)}

    def shown() -> None:
        for kind, run_id in runs.items():
            out.print(f"{kind}: run {run_id}")
        out.print(
            f"evaluated by {evaluator}"
            if evaluator
            else "nobody is on record as its evaluator: for demonstrations only (--key-file)"
        )
        out.print(f"now: `lfr registry gate {found.number} --policy demo`")

    emit(document, as_json=json, show=shown)


@app.command()
def card(
    version: VersionArgument,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write it there.", show_default=False)
    ] = None,
    json: JsonOption = False,
) -> None:
    """Write the model card of a version, every figure of which comes from its evidence."""
    from rich.markdown import Markdown

    from lfr.errors import InputError
    from lfr.registry import find_version
    from lfr.registry.model_card import version_card

    tracking = open_registry()
    found = find_version(tracking, version)
    text = version_card(tracking, found)
    if output is not None:
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise InputError(f"{output}: cannot write the card: {error.strerror}") from error
    emit({**found.as_dict(), "card": text}, as_json=json, show=lambda: out.print(Markdown(text)))


@app.command()
def gate(version: VersionArgument, policy: PolicyOption = "field", json: JsonOption = False) -> None:
    """Hold a version's evidence against a policy, check by check; exits with 1 where it does not pass."""
    from datetime import UTC, datetime

    from lfr.registry import find_evidence, find_version, read_policy
    from lfr.registry import gate as judged
    from lfr.registry.cards import card_problems

    tracking = open_registry()
    found = find_version(tracking, version)
    wanted = read_policy(policy)
    evidence = find_evidence(tracking, found, card_problems=card_problems(tracking, found))
    result = judged(evidence, wanted, model_digest=found.model_digest, now=datetime.now(UTC))
    emit({**found.as_dict(), **result.as_dict()}, as_json=json, show=partial(_show_gate, result, found))
    if not result.passed:
        raise typer.Exit(1)


@app.command()
def promote(
    version: VersionArgument,
    approver_key_file: ApproverOption,
    policy: PolicyOption = "field",
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Run the gate and, where it passes, put the version under the policy's alias; exits with 1 where it does not.

    It takes two persons with keys of their own. If it breaks off, run it again.
    """
    from lfr.access import authenticate
    from lfr.registry import find_evidence, find_version, read_policy
    from lfr.registry import promote as promoted
    from lfr.registry.cards import card_problems

    tracking = open_registry()
    found = find_version(tracking, version)
    wanted = read_policy(policy)
    evidence = find_evidence(tracking, found, card_problems=card_problems(tracking, found))
    with governed(key_file) as (store, proposer):
        approver = authenticate(store, _key(approver_key_file))
        made, result = promoted(store, tracking, proposer, approver, found, evidence=evidence, policy=wanted)
    document = {**result.as_dict(), **({} if made is None else made.as_dict())}

    def shown() -> None:
        _show_gate(result, found)
        if made is not None:
            _show_promoted(made)

    emit(document, as_json=json, show=shown)
    if made is None:
        raise typer.Exit(1)


@app.command()
def rollback(
    approver_key_file: ApproverOption,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it stands in the log.")],
    alias: Annotated[str, typer.Option("--alias", help="Which alias.")] = "field",
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Put the version back that was under an alias before; its digests and its evidence are checked again."""
    from lfr.access import authenticate
    from lfr.registry import rollback as rolled_back

    with governed(key_file) as (store, proposer):
        approver = authenticate(store, _key(approver_key_file))
        made = rolled_back(store, open_registry(), proposer, approver, alias=alias, reason=reason)
    emit(made.as_dict(), as_json=json, show=partial(_show_promoted, made))


def _home() -> Path:
    from lfr.settings import read_settings

    return read_settings().home.absolute()


def open_registry() -> Tracking:
    """Open the registry that the settings name."""
    from lfr.registry import open_tracking
    from lfr.settings import read_settings

    settings = read_settings()
    return open_tracking(settings.home.absolute(), uri=settings.tracking_uri)


def _key(path: Path) -> str:
    from lfr.errors import InputError

    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot read the key: {error}") from error


def _show_version(version: RegisteredVersion) -> None:
    out.print(f"version [bold]{version.number}[/]: {version.name}, model {version.model_digest[:12]}", highlight=False)
    out.print(f"licences: {escape(version.licences)}")
    if version.aliases:
        out.print(f"aliases: {', '.join(version.aliases)}")


def _show_gate(result: GateResult, version: RegisteredVersion) -> None:
    table = Table("", "check", "required", "found", box=box.SIMPLE_HEAD, pad_edge=False)
    for check in result.checks:
        mark = "[green]pass[/]" if check.passed else "[bold red]no[/]"
        table.add_row(mark, *(escape(text) for text in (check.name, check.required, check.found)))
    out.print(table)
    if result.reasons:
        out.print("why not:")
    for reason in result.reasons:
        out.print(f"  {escape(reason)}", soft_wrap=True)
    word = "[bold green]passes[/]" if result.passed else "[bold red]does not pass[/]"
    out.print(f"version {version.number} {word} policy {escape(result.policy)}")


def _show_promoted(made: Promoted) -> None:
    out.print(f"{made.alias}: version [bold]{made.version.number}[/] ({made.version.name}), promotion {made.number}")
    if made.notice:
        out.print(made.notice.upper(), style="bold yellow")
