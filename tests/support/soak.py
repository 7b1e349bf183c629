"""Plays a video again and again through the pipeline and reports this process's memory after each round."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import psutil

from lfr.matching import DecisionRule
from lfr.models import load_model
from lfr.pipeline import Recogniser, StreamProcessor, StreamSettings, enrol
from lfr.sources import open_source
from lfr.types import Frame


def main(video: Path, reference: Path, *, least_s: float, least_rounds: int) -> None:
    recogniser = Recogniser(load_model("openvino-f32", threads=2))
    watchlist = enrol([("somebody", reference)], recogniser)
    processor = StreamProcessor(
        recogniser, watchlist, DecisionRule(threshold=0.45, shots=5), settings=StreamSettings(detect_every=2)
    )
    resident_mib: list[float] = []
    index, begins_s, started_s = 0, 0.0, time.monotonic()
    while len(resident_mib) < least_rounds or time.monotonic() - started_s < least_s:
        # One camera that sees the same again and again: one processor, a clock that goes on.
        last_s = 0.0
        with open_source(video) as source:
            for frame in source:
                last_s = frame.time_s
                processor.process(Frame(index, begins_s + last_s, frame.pixels))
                index += 1
        begins_s += last_s + 0.04
        resident_mib.append(psutil.Process().memory_info().rss / 2**20)
    json.dump({"frames": index, "faces_seen": processor.faces_seen, "resident_mib": resident_mib}, sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), least_s=float(sys.argv[3]), least_rounds=int(sys.argv[4]))
