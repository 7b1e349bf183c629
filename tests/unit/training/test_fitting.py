"""Training learns, goes on where it was broken off, and stops on what it cannot go on with, its checkpoint kept."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from lfr.errors import ManifestError, TrainingError
from lfr.evaluation import demo_faces
from lfr.models import Model
from lfr.training.crops import cut_crops, open_crops
from lfr.training.faces import Faces, Order, batches
from lfr.training.memory import largest_batch, stating_what_fits
from lfr.training.networks import build_network
from lfr.training.training import Prepared, TrainingFiles, fit
from tests.unit.training.conftest import tiny


def weights(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([value.flatten().float() for value in network.state_dict().values()])


def test_training_brings_the_loss_down_and_says_how_long_it_waited_for_data(files: TrainingFiles) -> None:
    _, progressed = fit(tiny(), files)
    losses = [figures["loss"] for figures in progressed.history]
    assert losses[-1] < losses[0]
    assert all(0.0 <= figures["data_wait_share"] <= 1.0 for figures in progressed.history)
    assert all(figures["images_per_s"] > 0 for figures in progressed.history)
    assert progressed.finished


@pytest.mark.parametrize("kind", ["arcface", "cosface", "adaface"])
def test_a_margin_loss_trains_on_subjects(files: TrainingFiles, kind: str) -> None:
    _, progressed = fit(tiny(objective={"kind": kind, "margin": 0.2}, epochs=2), files)
    assert progressed.history[-1]["loss"] < progressed.history[0]["loss"]


def test_a_training_that_was_broken_off_ends_as_an_unbroken_one(files: TrainingFiles, tmp_path: Path) -> None:
    def broken(epoch: int, figures: dict[str, float]) -> None:
        del figures
        if epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(tiny(), files, said=broken)
    resumed, progressed = fit(tiny(), files)
    unbroken, _ = fit(tiny(), replace(files, checkpoint=str(tmp_path / "other.pt")))
    assert progressed.epoch == 3
    assert weights(resumed).equal(weights(unbroken))


def test_a_loss_that_is_no_number_stops_and_the_last_good_checkpoint_stays(files: TrainingFiles) -> None:
    good, _ = fit(tiny(epochs=1), files)
    _go_on(files)
    kept = Path(files.checkpoint).read_bytes()
    with pytest.raises(TrainingError, match=r"loss is nan.*checkpoint .* of epoch 1 is kept"):
        fit(tiny(optimiser={"learning_rate": 1e30, "clip_norm": 1e30, "warm_up_share": 0.0}), files)
    assert Path(files.checkpoint).read_bytes() == kept
    assert torch.isfinite(weights(good)).all()


def _go_on(files: TrainingFiles) -> None:
    """Make the checkpoint one of a training that has not come to its end."""
    content = torch.load(files.checkpoint, weights_only=True)
    content["progressed"]["finished"] = False
    torch.save(content, files.checkpoint)


def test_a_full_disk_stops_with_one_line(files: TrainingFiles) -> None:
    checkpoint = Path(files.checkpoint)
    checkpoint.with_name(f".{checkpoint.name}.partial").symlink_to("/dev/full")
    with pytest.raises(TrainingError, match=r"cannot write the checkpoint: No space left"):
        fit(tiny(epochs=1), files)


def test_a_file_that_is_no_checkpoint_is_refused(files: TrainingFiles) -> None:
    Path(files.checkpoint).write_bytes(b"not a checkpoint")
    with pytest.raises(TrainingError, match="no checkpoint that can be read"):
        fit(tiny(), files)


def test_it_stops_once_the_held_out_people_no_longer_gain(files: TrainingFiles) -> None:
    _, progressed = fit(tiny(epochs=50, patience=1, optimiser={"learning_rate": 1e-12}), files)
    assert progressed.finished
    assert progressed.epoch < 50


def test_it_stops_when_its_time_is_up(files: TrainingFiles) -> None:
    _, progressed = fit(tiny(epochs=50, most_minutes=1e-6), files)
    assert progressed.epoch == 1
    assert progressed.history[0]["learning_rate"] < tiny().optimiser.learning_rate / 10


@pytest.mark.gpu
def test_a_gpu_trains_in_bf16_and_leaves_weights_of_f32(files: TrainingFiles) -> None:
    network, progressed = fit(tiny(), files)
    assert progressed.history[-1]["loss"] < progressed.history[0]["loss"]
    assert {value.device.type for value in network.state_dict().values()} == {"cuda"}
    assert {value.dtype for value in network.parameters()} == {torch.float32}


def test_bf16_that_is_asked_for_trains_on_a_cpu_too(files: TrainingFiles) -> None:
    _, progressed = fit(tiny(epochs=1, precision="bf16"), files)
    assert progressed.history[0]["loss"] > 0


def test_out_of_memory_says_which_batch_fits() -> None:
    network = build_network(tiny().backbone, seed=0)
    with (
        pytest.raises(TrainingError, match=r"out of memory on cpu with batch_size: 8; batch_size: 4 fits"),
        stating_what_fits(network, tiny(), torch.device("cpu")),
    ):
        torch.empty(1 << 55)


def test_another_error_of_torch_is_not_taken_for_a_lack_of_memory() -> None:
    network = build_network(tiny().backbone, seed=0)
    with pytest.raises(RuntimeError, match="size"), stating_what_fits(network, tiny(), torch.device("cpu")):
        torch.zeros(2) + torch.zeros(3)
    assert largest_batch(network, 2, torch.device("cpu")) == 2


def test_two_workers_get_the_halves_of_each_batch() -> None:
    whole = list(Order(10, 4, seed=1))
    halves = [list(Order(10, 4, seed=1, rank=rank, workers=2)) for rank in (0, 1)]
    for batch, first, second in zip(whole, *halves, strict=True):
        assert sorted(first + second) == sorted(batch)
        assert len(first) == len(second)


def test_an_order_draws_other_faces_in_another_epoch() -> None:
    order = Order(100, 10, seed=1, drawn=30)
    first = list(order)
    order.epoch = 1
    assert len(first) == 3
    assert {place for batch in first for _, place in batch} != {place for batch in order for _, place in batch}


def test_loading_in_another_process_gives_the_same_faces(files: TrainingFiles) -> None:
    faces = Faces(
        open_crops(Path(files.crops)), np.arange(8), np.stack([np.load(f) for f in files.teacher]), tiny().augmentation,
        0.3, 1,
    )  # fmt: skip
    here, there = (_all(batches(faces, Order(8, 4, seed=1), loaders=loaders)) for loaders in (0, 1))
    assert here.equal(there)


def _all(loader: DataLoader[tuple[torch.Tensor, torch.Tensor]]) -> torch.Tensor:
    return torch.cat([faces for faces, _ in loader])


def test_crops_are_readable_by_their_owner_only_and_go_nowhere_by_value(prepared: Prepared) -> None:
    folder = prepared.crops.folder
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "crops.npy").stat().st_mode & 0o777 == 0o600
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in folder.glob("teacher-*.npy"))
    assert len(pickle.dumps(prepared.crops)) < 1000


def test_unreadable_images_are_named_and_too_many_of_them_stop(model: Model, tmp_path: Path) -> None:
    faces = demo_faces()[np.arange(12)]
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    paths = [str(file) for file in faces.files]
    paths[3] = str(broken)
    spoilt = replace(faces, paths=tuple(paths))

    def cut(share: float, home: str):  # type: ignore[no-untyped-def] # crops
        return cut_crops(spoilt, np.arange(12), model, tmp_path / home, digest="d", margin_px=8, unreadable_share=share)

    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert cut(0.1, "a").unreadable == (str(broken),)
    with pytest.raises(ManifestError, match=r"1 of 12 images cannot be read.*broken\.jpg"):
        cut(0.05, "b")
