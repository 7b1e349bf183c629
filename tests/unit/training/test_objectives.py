"""The losses are those of their papers."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from lfr.training.config import Margin
from lfr.training.objectives import DistillationLoss, MarginLoss


def margin(kind: str, **settings: float) -> MarginLoss:
    objective = Margin.model_validate({"kind": kind, **settings})
    return MarginLoss(objective, size=8, subjects=5, seed=0)


def test_ranking_is_nothing_to_a_student_who_says_what_the_teacher_says_and_more_to_one_who_mixes_people_up() -> None:
    clean = torch.eye(4)
    loss = DistillationLoss(0.0, ranking=1.0, clean=clean)
    faithful, mixed = loss(clean[:2], clean[:2]), loss(clean[[1, 0]], clean[:2])
    assert faithful.item() == pytest.approx(0.0, abs=1e-6)
    assert mixed.item() == pytest.approx(1.0 + 20.0, rel=1e-3)  # the cosine's 1, and a softmax that is 20 off
    assert "clean" not in loss.state_dict()


def test_arcface_adds_the_margin_to_the_angle() -> None:
    angle = torch.tensor([0.3, 1.0, 2.0])
    made = margin("arcface", margin=0.5).with_margin(torch.cos(angle), torch.ones(3))
    assert made.tolist() == pytest.approx([math.cos(0.8), math.cos(1.5), math.cos(2.5)], abs=1e-5)


def test_arcface_stays_under_the_plain_cosine_where_the_angle_would_pass_half_a_turn() -> None:
    own = torch.cos(torch.tensor([3.0, 3.1]))
    made = margin("arcface", margin=0.5).with_margin(own, torch.ones(2))
    assert (made < own).all()


def test_cosface_takes_the_margin_off_the_cosine() -> None:
    assert margin("cosface", margin=0.35).with_margin(torch.tensor([0.5]), torch.ones(1)).tolist() == pytest.approx(
        [0.15]
    )


def test_adaface_is_arcface_turned_round_for_poor_images_and_a_plain_margin_for_ordinary_ones() -> None:
    loss = margin("adaface", margin=0.4, concentration=1.0).eval()
    loss.mean_length.fill_(20.0)
    loss.length_spread.fill_(10.0)
    own = torch.cos(torch.tensor([1.0, 1.0, 1.0]))
    poor, ordinary, good = loss.with_margin(own, torch.tensor([10.0, 20.0, 30.0])).tolist()
    assert poor == pytest.approx(math.cos(1.4), abs=1e-3)  # q = -1: the angle widens, and nothing is taken off
    assert ordinary == pytest.approx(math.cos(1.0) - 0.4, abs=1e-3)  # q = 0
    assert good == pytest.approx(math.cos(0.6) - 0.8, abs=1e-3)  # q = 1


@pytest.mark.parametrize("kind", ["arcface", "cosface", "adaface"])
def test_a_margin_makes_the_loss_of_the_same_templates_greater(kind: str) -> None:
    templates = torch.randn(6, 8, generator=torch.Generator().manual_seed(1))
    subject = torch.tensor([0, 1, 2, 3, 4, 0])
    with_it, without = margin(kind, margin=0.4).eval(), margin(kind, margin=0.0).eval()
    assert with_it(templates, subject) > without(templates, subject)


def test_distillation_costs_nothing_where_the_student_is_the_teacher_whatever_the_length() -> None:
    teacher = functional.normalize(torch.randn(6, 8, generator=torch.Generator().manual_seed(1)), dim=1)
    loss = DistillationLoss(1.0)
    assert float(loss(7.0 * teacher, teacher)) == pytest.approx(0.0, abs=1e-6)
    assert float(loss(teacher.roll(1, 0), teacher)) > 0.1
