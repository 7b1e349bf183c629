"""``lfr serve`` before anything starts: which option is refused, and what SIGHUP does."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType

import pytest

from lfr.cli import main
from lfr.cli.serve import on_hang_up


@pytest.mark.parametrize(
    ("given", "option"),
    [
        (("--threads", "1000"), "--threads: Input should be less than or equal to 256"),
        (("--source", "gate=ftp://127.0.0.1/x"), "--source: source gate: "),
        (("--source", "gate=gone.mp4"), "gate: gone.mp4: there is no such file or folder"),
    ],
)
def test_what_is_refused_is_named_by_its_own_option(
    given: tuple[str, ...],
    option: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LFR_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "argv", ["lfr", "serve", *given])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert option in capsys.readouterr().err


def test_sighup_stays_ignored_where_it_was_and_is_handled_elsewhere() -> None:
    def handler(_: int, __: FrameType | None) -> None:
        pass

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup leaves it
    try:
        assert on_hang_up(handler) is None
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        assert on_hang_up(handler) is signal.SIG_DFL
        assert signal.getsignal(signal.SIGHUP) is handler
    finally:
        signal.signal(signal.SIGHUP, before)
