"""Of a training that much is kept with which held-out people are found best, and no fewer of them as they are."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lfr.errors import SettingsError
from lfr.models.network import ImageNetwork
from lfr.training.blending import Blend, _fnmr, blended, kept_share
from lfr.training.networks import build_network
from lfr.training.provenance import config_digest, training_digest
from lfr.training.training import TrainingFiles
from tests.unit.training.conftest import tiny

SFACE = {"name": "sface", "initial": "sface"}


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        ([(0.0, 0.02, 0.30), (0.5, 0.02, 0.25), (1.0, 0.03, 0.20)], 0.5),
        ([(0.0, 0.02, 0.30), (0.5, 0.01, 0.25), (1.0, 0.02, 0.20)], 1.0),
        ([(0.0, 0.02, 0.30), (0.5, 0.03, 0.10), (1.0, 0.03, 0.05)], 0.0),
        ([(0.0, 0.02, 0.30), (0.5, 0.02, 0.30), (1.0, 0.02, 0.30)], 0.0),
        ([(0.0, 0.02, 0.30), (0.5, 0.02, 0.20), (1.0, 0.02, 0.20)], 0.5),
        ([(0.0, 0.02, 0.30), (0.5, 0.02 + 1e-15, 0.20)], 0.5),
    ],
)
def test_fewest_degraded_are_missed_and_no_more_as_they_are(
    found: list[tuple[float, float, float]], kept: float
) -> None:
    assert kept_share([Blend(*one) for one in found]) == kept


def test_a_share_may_miss_as_many_more_clean_faces_as_the_experiment_says() -> None:
    found = [Blend(0.0, 0.020, 0.30), Blend(0.5, 0.022, 0.25), Blend(1.0, 0.023, 0.20)]
    assert [kept_share(found, lost=lost) for lost in (0.0, 0.001, 0.002, 0.003)] == [0.0, 0.0, 0.5, 1.0]


def test_a_miss_at_one_of_three_fmrs_is_a_third_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lfr.training.blending._FMRS", (0.3, 0.2, 0.0))
    references = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [0.6, 0.8]], np.float32)
    # Mated: 0.8 and 0.8 of each person. Non-mated: 0, 0.6, 0.6 and 0.96, each twice: 0.96 takes a quarter of FMR.
    assert _fnmr(references, references, np.array([0, 0, 1, 1])) == pytest.approx(2 / 3)


def test_a_training_that_ruined_the_network_is_not_kept(files: TrainingFiles) -> None:
    config = tiny(backbone=SFACE, blend=[0.9, 1.0])
    initial = build_network(config.backbone, seed=config.seed)
    network, found = blended(config, files, _ruined(config.backbone))
    assert [blend.share for blend in found] == [0.0, 0.9, 1.0]
    assert found[-1].degraded_fnmr > found[0].degraded_fnmr
    assert kept_share(found) == 0.0
    for name, value in initial.state_dict().items():
        assert network.state_dict()[name].equal(value), name


def test_what_is_kept_lies_between_the_two(files: TrainingFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lfr.training.blending.kept_share", lambda _, lost: 0.25)
    config = tiny(backbone=SFACE, blend=[0.25])
    initial, trained = build_network(config.backbone, seed=0).state_dict(), _ruined(config.backbone)
    end = {name: value.clone() for name, value in trained.state_dict().items()}
    network, _ = blended(config, files, trained)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, 0.75 * initial[name] + 0.25 * end[name], rtol=1e-4, atol=1e-5)


def test_without_shares_all_of_the_training_is_kept(files: TrainingFiles) -> None:
    config = tiny()
    network = build_network(config.backbone, seed=0)
    assert blended(config, files, network) == (network, ())


def test_shares_are_no_part_of_what_training_depends_on_and_earlier_digests_stay() -> None:
    plain, with_shares = tiny(backbone=SFACE), tiny(backbone=SFACE, blend=[0.5])
    assert training_digest(plain) == training_digest(with_shares)
    assert config_digest(plain) != config_digest(with_shares)


def test_random_weights_are_not_blended_with() -> None:
    with pytest.raises(SettingsError, match="know nothing to keep"):
        tiny(blend=[0.5])


def _ruined(backbone: object) -> ImageNetwork:
    network = build_network(backbone, seed=0)  # type: ignore[arg-type]
    with torch.no_grad():
        generator = torch.Generator().manual_seed(1)
        for value in network.parameters():
            value.add_(torch.randn(value.shape, generator=generator) * value.std() * 3 if value.ndim > 1 else 0.0)
    return network.eval()
