"""Ready networks give what the weights give, without torch, and only if they are the bytes that were made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lfr.errors import ModelError, WeightsError
from lfr.models import Model, ReadyModel, load_ready, make_ready
from lfr.types import Pixels


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> ReadyModel:
    made = make_ready("openvino-f32", tmp_path_factory.mktemp("ready"))
    assert made is not None
    return made


def test_they_give_what_the_weights_give_to_the_bit(ready: ReadyModel, model: Model, demo_crops: Pixels) -> None:
    loaded = load_ready(ready, threads=1)
    assert (loaded.digest, loaded.embedding_size) == (model.digest, model.embedding_size)
    np.testing.assert_array_equal(loaded.embedder(demo_crops)[0], model.embedder(demo_crops)[0])
    picture = np.concatenate(list(demo_crops[:2]), axis=1)[None, :96, :192]
    for ours, theirs in zip(loaded.detector(picture), model.detector(picture), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_process_that_has_them_imports_no_torch(ready: ReadyModel) -> None:
    code = (
        "import sys; from pathlib import Path; from lfr.models import ReadyModel, load_ready; "
        f"m = load_ready(ReadyModel({ready.version!r}, {ready.digest!r}, Path({str(ready.folder)!r}), "
        f"{dict(ready.files)!r}), only='detector'); "
        "import numpy as np; m.detector(np.zeros((1, 64, 96, 3), np.uint8)); "
        "print([n for n in ('torch', 'onnx', 'scipy') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_one_network_alone_is_loaded_alone(ready: ReadyModel, demo_crops: Pixels) -> None:
    with pytest.raises(ModelError, match="without its detector"):
        load_ready(ready, only="embedder").detector(demo_crops)


def test_they_are_made_once(ready: ReadyModel) -> None:
    before = (ready.folder / "detector.bin").stat().st_mtime_ns
    assert make_ready("openvino-f32", ready.folder.parent) == ready
    assert (ready.folder / "detector.bin").stat().st_mtime_ns == before
    assert [path.name for path in ready.folder.parent.iterdir()] == [ready.folder.name]


def test_a_changed_file_is_refused_and_made_anew(tmp_path: Path) -> None:
    made = make_ready("openvino-f32", tmp_path)
    assert made is not None
    weights = made.folder / "embedder.bin"
    content = bytearray(weights.read_bytes())
    content[100] ^= 1
    weights.write_bytes(content)
    with pytest.raises(WeightsError, match=r"embedder\.bin: changed since it was made"):
        load_ready(made)
    again = make_ready("openvino-f32", tmp_path)
    assert again is not None
    assert load_ready(again).digest == made.digest
    assert again.files["embedder.bin"] == made.files["embedder.bin"]


def test_a_version_on_another_runtime_has_none(tmp_path: Path) -> None:
    assert make_ready("torch-f32", tmp_path) is None
    assert list(tmp_path.iterdir()) == []
