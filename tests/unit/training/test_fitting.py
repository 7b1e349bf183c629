"""Training learns, goes on where it was broken off, and stops on what it cannot go on with, its checkpoint kept."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from lfr.errors import InputError, ManifestError, TrainingError
from lfr.evaluation import demo_faces
from lfr.models import Model
from lfr.training import fitting
from lfr.training.config import TrainingConfig
from lfr.training.crops import cut_crops, open_crops
from lfr.training.faces import Faces, Order, batches
from lfr.training.fitting import _decay, _rate
from lfr.training.memory import largest_batch, stating_what_fits
from lfr.training.networks import build_network
from lfr.training.ray_workers import fit_with_ray
from lfr.training.training import Prepared, TrainingFiles, fit, plan_training, prepare
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


@pytest.mark.parametrize("other", ["data", "split", "teacher"])
def test_a_checkpoint_of_other_data_is_refused_finished_or_not(files: TrainingFiles, other: str) -> None:
    fit(tiny(epochs=1), files)
    elsewhere = replace(files, made_from={**files.made_from, other: "0" * 64})
    for _ in range(2):
        with pytest.raises(TrainingError, match=rf"training on other {other} \(.*remove .* to train again"):
            fit(tiny(epochs=1), elsewhere)
        _go_on(files)


def test_what_a_training_is_made_from_says_who_trains(prepared: Prepared, model: Model, tmp_path: Path) -> None:
    shared = prepared.crops.folder.parent.parent
    other_split = tiny(data={"dataset": "demo", "seed": 9}).data
    other = prepare(demo_faces(), other_split, model, shared, mirrored=False, shown=lambda items, _, __: items)
    before, after = (plan_training(made, tmp_path, mirrored=False).made_from for made in (prepared, other))
    assert before["data"] == after["data"]
    assert before["split"] != after["split"]


def test_a_training_that_makes_nobody_better_keeps_the_untouched_student(files: TrainingFiles) -> None:
    idle = tiny(epochs=1, optimiser={"name": "sgd", "learning_rate": 1e-30, "train_norms": False})
    network, progressed = fit(idle, files)
    assert (progressed.best_epoch, progressed.best_loss) == (0, progressed.untouched_loss)
    assert weights(network).equal(weights(build_network(idle.backbone, seed=idle.seed)))


def test_where_a_share_is_kept_it_is_one_of_the_end_of_training(files: TrainingFiles) -> None:
    spoiling = {"name": "sgd", "learning_rate": 1.0, "train_norms": False}
    config = tiny(epochs=1, optimiser=spoiling, backbone={"name": "sface", "initial": "sface"}, blend=[0.5])
    network, progressed = fit(config, files)
    assert progressed.best_epoch == 0
    untouched = build_network(config.backbone, seed=config.seed)
    assert not weights(network).equal(weights(untouched))
    end = torch.load(files.checkpoint, weights_only=True)["average"]
    untouched.load_state_dict(end)
    assert weights(network).equal(weights(untouched))


def test_where_a_share_is_kept_training_goes_to_its_end(files: TrainingFiles) -> None:
    told = {"epochs": 3, "patience": 1, "optimiser": {"name": "sgd", "learning_rate": 1.0, "train_norms": False}}
    sface = {"name": "sface", "initial": "sface"}
    apart = [replace(files, checkpoint=f"{files.checkpoint}.{name}") for name in ("stops", "ends")]
    assert fit(tiny(backbone=sface, **told), apart[0])[1].epoch == 1
    assert fit(tiny(backbone=sface, blend=[0.5], **told), apart[1])[1].epoch == 3


def test_the_matrix_that_ends_sface_moves_by_its_share_of_the_rate(files: TrainingFiles) -> None:
    def moved(share: float, name: str) -> tuple[float, float]:
        config = tiny(
            epochs=1, images_an_epoch=8, backbone={"frozen_layers": 24},
            optimiser={"learning_rate": 1e-3, "head_share": share, "train_norms": False, "weight_decay": 0.0},
        )  # fmt: skip
        fit(config, replace(files, checkpoint=str(Path(files.checkpoint).with_name(name))))
        after = torch.load(Path(files.checkpoint).with_name(name), weights_only=True)["average"]
        before = build_network(config.backbone, seed=0).state_dict()
        head, body = "embedding.weight", "features.26.0.weight"
        return tuple(float((after[key] - before[key]).abs().max()) for key in (head, body))  # type: ignore[return-value]

    (none, body), (tenth, same) = moved(0.0, "none.pt"), moved(0.1, "tenth.pt")
    assert none == 0.0
    assert body == pytest.approx(same, rel=0.01) == pytest.approx(10 * tenth, rel=0.1)


def test_the_mean_of_the_weights_soon_forgets_where_they_began() -> None:
    assert _decay(0.99, 0) == 0.1
    assert _decay(0.99, 10_000) == 0.99
    assert _decay(0.0, 5) == 0.0


def test_the_rate_rises_over_a_share_of_the_steps_that_the_clock_leaves() -> None:
    short = tiny(most_minutes=1.0, optimiser={"learning_rate": 1.0, "warm_up_share": 0.1})
    # A hundred steps in the minute of a million that the epochs would have.
    rates = [_rate(step, 1_000_000, 0.6 * step, short) for step in range(100)]
    assert max(rates) == pytest.approx(rates[10], abs=1e-3)
    assert rates[10] > 0.99
    whole = tiny(optimiser={"learning_rate": 1.0, "warm_up_share": 0.1})
    assert max(range(100), key=lambda step: _rate(step, 100, 9e9, whole)) in {9, 10}


def test_a_trial_is_scored_on_the_task_of_the_experiment_that_it_varies(files: TrainingFiles, tmp_path: Path) -> None:
    base, trial = tiny(epochs=1), tiny(epochs=1, augmentation={"flip": False, "noise": 0.0, "face_px": (90, 100)})

    def untouched(config: TrainingConfig, task: TrainingConfig | None, name: str) -> float | None:
        return fit(config, replace(files, checkpoint=str(tmp_path / name)), task=task)[1].untouched_loss

    assert untouched(trial, base, "a.pt") == untouched(base, None, "b.pt") != untouched(trial, None, "c.pt")


def test_the_threads_that_a_file_asks_for_are_those_that_train(files: TrainingFiles) -> None:
    before, during = torch.get_num_threads(), []
    fit(tiny(epochs=1, threads=before + 1), files, said=lambda _, __: during.append(torch.get_num_threads()))
    assert set(during) == {before + 1}
    assert torch.get_num_threads() == before


def test_several_workers_are_not_to_end_by_the_clock(files: TrainingFiles) -> None:
    with pytest.raises(InputError, match=r"--workers 2 with most_minutes 5"):
        fit_with_ray(tiny(most_minutes=5), files, workers=2)


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
    checkpoint.with_name(f".{checkpoint.name}.{os.getpid()}").symlink_to("/dev/full")
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


@pytest.mark.gpu
def test_a_gpu_goes_on_from_a_checkpoint(files: TrainingFiles) -> None:
    averaged = tiny(optimiser={"learning_rate": 3e-3, "average": 0.9})
    fit(averaged, files)
    _go_on(files)
    _, progressed = fit(averaged.model_copy(update={"epochs": 4}), files)
    assert progressed.epoch == 4


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


@pytest.mark.parametrize("where", ["step", "forward"])
def test_a_training_that_runs_out_of_memory_says_which_batch_fits(
    files: TrainingFiles, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("no memory is left")

    monkeypatch.setattr(torch.optim.AdamW if where == "step" else fitting._Loss, where, full)
    with pytest.raises(TrainingError, match=r"out of memory on cpu with batch_size: 8; batch_size: 4 fits"):
        fit(tiny(), files)


@pytest.mark.parametrize(
    ("broken", "raised", "said"),
    [
        ("DataLoader worker (pid(s) 12) exited unexpectedly", TrainingError, "a process that loads faces ended"),
        ("another shape", RuntimeError, "another shape"),
    ],
)
def test_a_loading_process_that_was_killed_is_told_in_a_line_and_nothing_else_is_taken_for_one(
    broken: str, raised: type[Exception], said: str
) -> None:
    def batches() -> Iterator[int]:
        yield 1
        raise RuntimeError(broken)

    with pytest.raises(raised, match=said):
        list(fitting._loaded(batches()))


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
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert len(pickle.dumps(prepared.crops)) < 1000


def test_a_plan_and_a_checkpoint_are_readable_by_their_owner_only(files: TrainingFiles) -> None:
    fit(tiny(epochs=1), files)
    assert {Path(file).stat().st_mode & 0o777 for file in (files.plan, files.checkpoint)} == {0o600}


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
