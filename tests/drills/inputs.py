"""No input hurts: files, pictures and messages are mutated for a while, in a process of their own that may crash."""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from pydantic import ValidationError

from lfr.access import authenticate, init_access
from lfr.alerts import envelope_for_key
from lfr.audit import read_anchor, verify_export
from lfr.database import SigningKey, create_store
from lfr.deployments.calibrations import calibration_named, shipped_calibration
from lfr.deployments.request import read_request
from lfr.errors import LfrError
from lfr.evaluation.benchmarks.store_audit import write_long_export
from lfr.evaluation.manifest import read_manifest
from lfr.oversight import export_force, open_force_export
from lfr.oversight.force_export import MANIFEST, SIGNATURE, signed_message
from lfr.registry.policy import read_policy
from lfr.serving.settings import AppArgs
from lfr.sources import decode_image, open_source
from lfr.watchlist.entries import checked_fields, read_rows
from tests.drills.finding import Finding, Length, Problems
from tests.support.drill import ENTRY
from tests.support.served import STRANGER, walk, write_walk

__all__ = ["CORPUS", "PROMISE", "TARGETS", "Target", "drills", "fuzz", "main", "mutated"]

PROMISE = "No input hurts"
CORPUS = Path(__file__).parent / "corpus"
"""Inputs that once broke something, a folder for each target; they are tried first."""
_SAID = (
    "name", "purpose", "necessity", "proportionality", "place", "why_there", "signage", "controller_force", "dpia",
    "appropriate_policy_document", "equality_impact_assessment",
)  # fmt: skip
_RECIPIENT = X25519PrivateKey.from_private_bytes(bytes(range(32)))
_SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
_MOST_S, _MOST_SAID = 5.0, 20_000
_EXTREMES = (
    b"\x00",
    b"\xff" * 4,
    b"-1",
    b"9" * 40,
    b"1e999",
    b"NaN",
    b"\xed\xa0\x80",
    b"\r\n",
    b'"',
    b"[" * 2_000,
    b"%s",
)


@dataclass(frozen=True)
class Target:
    """Something that reads what comes from outside.

    Attributes
    ----------
    suffix
        Of the file that it reads.
    seeds
        Makes inputs that are right, in a folder.
    read
        Reads a file; whatever is no error of lfr's own tree that it raises is a defect.
    """

    suffix: str
    seeds: Callable[[Path], list[bytes]]
    read: Callable[[Path], object]


def drills(length: Length) -> Iterator[Finding]:
    """Mutate each target's inputs for so long, in a process of their own; where it crashes, the next has another."""
    seconds = {"short": 1.0, "normal": 12.0, "long": 60.0}[length]
    left = list(TARGETS)
    while left:
        told, how = _in_a_process(left, seconds)
        for name in left[: len(told)]:
            problems = Problems(PROMISE, f"mutated: {name}")
            for defect in told[name]["defects"]:
                problems.expect(False, defect)
            problems.tries = told[name]["tries"]
            refused, slowest = told[name]["refused"], told[name]["slowest"]
            yield problems.finding(f"{refused:,} refused, the rest read; the slowest took {slowest:.2f} s")
        left = left[len(told) :]
        if left:
            yield Finding(PROMISE, f"mutated: {left[0]}", 1, False, how)
            left = left[1:]


def _in_a_process(names: list[str], seconds: float) -> tuple[dict[str, Any], str]:
    """Mutate the inputs of targets until one crashes; returns what came of those before it, and how it crashed."""
    with tempfile.TemporaryDirectory(prefix="lfr-inputs-") as folder:
        words = [sys.executable, "-W", "ignore", "-m", "tests.drills.inputs", folder, str(seconds), *names]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
            try:
                printed, _ = running.communicate(timeout=(3 * seconds + 20) * len(names) + 120)
            except subprocess.TimeoutExpired:
                running.kill()
                printed, _ = running.communicate()
        told = {name: json.loads(line) for name, line in zip(names, printed.splitlines(), strict=False)}
        if len(told) == len(names):
            return told, ""
        now = Path(folder) / "now"
        kept = _keep(names[len(told)], now.read_bytes()) if now.exists() else "not known"
        return told, f"the process ended with {running.returncode}; the input is {kept}"


def fuzz(target: Target, name: str, folder: Path, *, seconds: float, seed: int) -> dict[str, Any]:
    """Try the corpus, then mutations of a target's seeds until the time is over."""
    rng, until = random.Random(seed), time.monotonic() + seconds
    seeds, counts, defects, slowest = target.seeds(folder), Counter[str](), dict[str, str](), 0.0
    kept = sorted((CORPUS / name).glob("*")) if (CORPUS / name).is_dir() else []
    pending = [*seeds, *(path.read_bytes() for path in kept)]
    while pending or time.monotonic() < until:
        content = pending.pop() if pending else mutated(rng, seeds)
        (folder / "now").write_bytes(content)
        path = folder / f"input{target.suffix}"
        path.write_bytes(content)
        began = time.monotonic()
        try:
            target.read(path)
        except LfrError as error:
            counts["refused"] += 1
            if "\n" in str(error) and len(str(error)) > 4_000:
                defects.setdefault(
                    "a long message", f"{_keep(name, content)}: a message of {len(str(error))} characters"
                )
        except Exception as error:  # noqa: BLE001 # that is what is looked for
            if (kind := type(error).__name__) not in defects:
                defects[kind] = f"{_keep(name, content)}: {kind}: {str(error)[:80]}"
        took = time.monotonic() - began
        slowest, counts["tries"] = max(slowest, took), counts["tries"] + 1
        if took > _MOST_S:
            defects.setdefault("slow", f"{_keep(name, content)}: took {took:.1f} s")
    return {
        "tries": counts["tries"],
        "refused": counts["refused"],
        "defects": list(defects.values()),
        "slowest": slowest,
    }


def mutated(rng: random.Random, seeds: list[bytes]) -> bytes:
    """Return one of the seeds with one to four things wrong with it."""
    content = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, 4)):
        at, size = rng.randrange(len(content) + 1), rng.randint(1, 64)
        how = rng.randrange(7)
        if how == 0 and content:
            content[min(at, len(content) - 1)] ^= 1 << rng.randrange(8)
        elif how == 1:
            del content[at : at + size]
        elif how == 2:
            content[at:at] = content[at : at + size] * rng.randint(1, 20)
        elif how == 3:
            content[at:at] = rng.choice(_EXTREMES)
        elif how == 4:
            del content[at:]
        elif how == 5:
            other = rng.choice(seeds)
            content[at:] = other[rng.randrange(len(other)) :]
        else:
            content[at : at + size] = rng.randbytes(size)
    return bytes(content)


def _keep(name: str, content: bytes) -> str:
    """Keep an input that broke something, for a test of it."""
    path = CORPUS / name / hashlib.sha256(content).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return f"corpus/{name}/{path.name}"


def _pictures(_: Path) -> list[bytes]:
    jpeg = next(walk(STRANGER, frames=1))
    pixels = cv2.resize(decode_image(jpeg, name="a walk"), (96, 54)).astype(np.uint8)
    kinds = (".jpg", ".png", ".webp", ".bmp", ".tiff")
    return [cv2.imencode(kind, pixels)[1].tobytes() for kind in kinds]


def _videos(folder: Path) -> list[bytes]:
    return [write_walk(folder / "walk.avi", STRANGER, frames=3).read_bytes()]


def _manifests(folder: Path) -> list[bytes]:
    for name in "abc":
        (folder / f"{name}.jpg").write_bytes(b"a picture")
    return [b"path,subject_id,split,sex\na.jpg,s1,reference,f\nb.jpg,s1,probe,f\nc.jpg,s2,probe,m\n"]


def _lists(_: Path) -> list[bytes]:
    names = ["subject_id", *ENTRY, "image"]
    row = ["s001", *ENTRY.values(), "a.jpg;b.jpg"]
    return ["\n".join([",".join(names), ",".join(row), ",".join(row), ""]).encode()]


def _exports(folder: Path) -> list[bytes]:
    write_long_export(folder / "export.jsonl", SigningKey.create(folder / "key"), entries=3)
    return [(folder / "export.jsonl").read_bytes()]


def _force_exports(folder: Path) -> list[bytes]:
    with closing(create_store(folder / "home")) as store:
        admin = init_access(store, force_id="essex", force_name="Essex", name="Made Up")
        envelope = envelope_for_key(_RECIPIENT.public_key().public_bytes_raw().hex().encode())
        export_force(store, authenticate(store, admin.key), folder / "force.zip", envelope=envelope)
    return [(folder / "force.zip").read_bytes()]


def _force_manifests(folder: Path) -> list[bytes]:
    with zipfile.ZipFile(io.BytesIO(*_force_exports(folder))) as archive:
        return [archive.read(MANIFEST)]


def _calibrations(_: Path) -> list[bytes]:
    shipped = shipped_calibration()
    return [json.dumps({**shipped.document, "digest": shipped.digest}).encode()]


def _fields() -> dict[str, Any]:
    said = dict.fromkeys(_SAID, "made up")
    window = {"starts_at": "2026-03-02T09:00:00Z", "ends_at": "2026-03-02T10:00:00Z"}
    lists = {"categories": ["wanted-on-warrant"], "cameras": ["north"]}
    return {**said, **window, **lists, "watchlist": "watchlist-1", "calibration": "shipped", "demo": True, "shots": 5}


def _requests(_: Path) -> list[bytes]:
    return [json.dumps(_fields()).encode()]


def _tomls(_: Path) -> list[bytes]:
    # What is in a request is written in TOML as in JSON.
    return ["".join(f"{name} = {json.dumps(value)}\n" for name, value in _fields().items()).encode()]


def _policies(_: Path) -> list[bytes]:
    folder = Path(sys.modules["lfr.registry.policy"].__file__ or "").parent / "policies"
    return [path.read_bytes() for path in sorted(folder.glob("*.yaml"))]


def _configurations(_: Path) -> list[bytes]:
    return [
        b"home: /tmp/x\nmodel: openvino-f32\nlimits: {frame_bytes: 4096}\nsources: {gate: {address: 'rtsp://h/g'}}\n"
    ]


def _play(path: Path) -> None:
    with open_source(path) as source:
        for _ in zip(source, range(50), strict=False):
            pass


def _import(path: Path) -> None:
    for row in read_rows(path):
        checked_fields(row.values)


def _verify(path: Path) -> None:
    verify_export(path)
    read_anchor(path)


def _open_force(path: Path) -> None:
    into = path.with_name("opened")
    shutil.rmtree(into, ignore_errors=True)
    open_force_export(path, into, private_key=_RECIPIENT.private_bytes_raw().hex().encode())


def _open_signed(path: Path) -> None:
    """Open the seeds' export with another manifest, signed rightly by whoever wrote it."""
    raw, signer = path.read_bytes(), _SIGNER.public_key().public_bytes_raw().hex()
    with suppress(ValueError, RecursionError, TypeError):
        raw = json.dumps({**json.loads(raw), "signing_key": signer}).encode()
    packed = path.with_name("packed.zip")
    with zipfile.ZipFile(path.with_name("force.zip")) as whole, zipfile.ZipFile(packed, "w") as archive:
        for name in sorted({*whole.namelist()} - {MANIFEST, SIGNATURE}):
            archive.writestr(name, whole.read(name))
        archive.writestr(MANIFEST, raw)
        archive.writestr(SIGNATURE, _SIGNER.sign(signed_message(raw)).hex())
    _open_force(packed)


def _configure(path: Path) -> None:
    try:
        AppArgs.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError, UnicodeDecodeError, RecursionError):  # Ray Serve's own reading says so
        return


TARGETS: Mapping[str, Target] = {
    "pictures": Target(".jpg", _pictures, lambda path: decode_image(path.read_bytes(), name="x", max_pixels=1 << 24)),
    "videos": Target(".avi", _videos, _play),
    "manifests": Target(".csv", _manifests, read_manifest),
    "lists": Target(".csv", _lists, _import),
    "audit-exports": Target(".jsonl", _exports, _verify),
    "force-exports": Target(".zip", _force_exports, _open_force),
    "force-manifests": Target(".json", _force_manifests, _open_signed),
    "calibrations": Target(".json", _calibrations, lambda path: calibration_named(path.name, folder=path.parent)),
    "requests": Target(".json", _requests, read_request),
    "requests-in-TOML": Target(".toml", _tomls, read_request),
    "policies": Target(".yaml", _policies, read_policy),
    "configurations": Target(".yaml", _configurations, _configure),
}


def main() -> int:
    """Mutate the inputs of targets, and print a line of JSON of what came of each."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills.inputs", description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("seconds", type=float)
    parser.add_argument("targets", nargs="+", choices=sorted(TARGETS))
    parser.add_argument("--seed", type=int, default=20260302)
    asked = parser.parse_args()
    for name in asked.targets:
        folder = asked.folder / name
        folder.mkdir()
        (asked.folder / "now").unlink(missing_ok=True)
        (folder / "now").symlink_to(asked.folder / "now")
        told = fuzz(TARGETS[name], name, folder, seconds=asked.seconds, seed=asked.seed)
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
