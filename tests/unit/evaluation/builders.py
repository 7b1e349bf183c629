"""Small data sets of demo faces, in the form of the public ones."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np


def lfw_of_demo_faces(folder: Path, demo_faces: list[Path]) -> Path:
    """LFW's form with four subjects, two folds and eight pairs; the last image holds no face.

    That image is in one mated and one non-mated pair, both of the second fold.
    """
    by_name = {path.stem: path for path in demo_faces}
    lines = ["2\t2"]
    for first, second in (("s001", "s002"), ("s003", "s004")):
        lines += [f"{first}\t1\t2", f"{second}\t1\t2", f"{first}\t1\t{second}\t1", f"{first}\t2\t{second}\t2"]
    (folder / "pairs.txt").write_text("\n".join(lines), encoding="utf-8")
    for subject in ("s001", "s002", "s003", "s004"):
        (folder / subject).mkdir()
        for number, variant in ((1, "a"), (2, "b")):
            target = folder / subject / f"{subject}_{number:04d}.jpg"
            target.write_bytes(by_name[f"{subject}_{variant}"].read_bytes())
    cv2.imwrite(str(folder / "s004" / "s004_0002.jpg"), np.full((224, 224, 3), 128, np.uint8))
    return folder
