"""When two versions' decisions are one, and what is counted of those that are not."""

from __future__ import annotations

import pytest

from lfr.alerts.shadow_counts import ShadowCounts
from lfr.pipeline.shadow import Agreement

COOLDOWN_S = 30.0


@pytest.mark.parametrize(
    ("decisions", "both", "only_field", "only_shadow"),
    [
        ([(0.0, "a", "field"), (0.0, "a", "shadow")], 1, 0, 0),
        ([(0.0, "a", "shadow"), (29.0, "a", "field")], 1, 0, 0),
        ([(0.0, "a", "field"), (30.0, "a", "shadow")], 1, 0, 0),
        ([(0.0, "a", "field"), (30.1, "a", "shadow")], 0, 1, 1),
        ([(0.0, "a", "field"), (1.0, "b", "shadow")], 0, 1, 1),
        ([(0.0, "a", "field"), (1.0, "a", "shadow"), (2.0, "a", "shadow")], 1, 0, 1),
        ([(0.0, "a", "field"), (1.0, "a", "field"), (2.0, "a", "shadow"), (3.0, "a", "shadow")], 2, 0, 0),
        ([(0.0, "a", "shadow"), (40.0, "a", "field"), (41.0, "a", "shadow")], 1, 0, 1),
    ],
)
def test_decisions_for_one_entry_within_the_cooldown_are_one(
    decisions: list[tuple[float, str, str]], both: int, only_field: int, only_shadow: int
) -> None:
    agreement = Agreement(within_s=COOLDOWN_S)
    for time_s, entry, version in decisions:
        agreement.decided(time_s, **{version: (entry,)})
    agreement.end_stream()
    assert agreement.counts == ShadowCounts(both=both, only_field=only_field, only_shadow=only_shadow)


def test_what_may_still_find_a_partner_is_not_counted_yet() -> None:
    agreement = Agreement(within_s=COOLDOWN_S)
    agreement.decided(0.0, field=("a",))
    assert agreement.counts == ShadowCounts()
    agreement.decided(31.0)
    assert agreement.counts == ShadowCounts(only_field=1)


def test_another_stream_pairs_nothing_with_the_one_before() -> None:
    agreement = Agreement(within_s=COOLDOWN_S)
    agreement.decided(5.0, field=("a",))
    agreement.end_stream()
    agreement.decided(1.0, shadow=("a",))
    agreement.end_stream()
    assert agreement.counts == ShadowCounts(only_field=1, only_shadow=1)


def test_no_decision_is_no_share_of_agreement() -> None:
    assert ShadowCounts(frames=9).agreement.value is None
    rate = ShadowCounts(both=8, only_field=1, only_shadow=1).agreement
    assert (rate.count, rate.of) == (8, 10)
    assert rate.low is not None
    assert rate.low < 0.5
