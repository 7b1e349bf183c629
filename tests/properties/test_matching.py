"""Search against brute force, and decisions that only ever grow."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lfr.matching import DecisionRule, Snapshot, decide
from lfr.types import Embeddings, FloatArray


def templates(rng: np.random.Generator, n: int, dim: int, *, distinct: int) -> FloatArray:
    """Unit rows, drawn from so few different ones that ties are common."""
    pool = rng.standard_normal((distinct, dim))
    pool /= np.linalg.norm(pool, axis=1, keepdims=True)
    rows: FloatArray = pool[rng.integers(distinct, size=n)].astype(np.float32)
    return rows


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32),
    references=st.integers(1, 300),
    probes=st.integers(1, 20),
    dim=st.integers(1, 24),
    distinct=st.integers(1, 400),
    k=st.integers(1, 30),
)
def test_search_is_brute_force(seed: int, references: int, probes: int, dim: int, distinct: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = templates(rng, references, dim, distinct=distinct)
    asked = templates(rng, probes, dim, distinct=distinct)
    snapshot = Snapshot(Embeddings(vectors, "m"), tuple(map(str, range(references))))
    found = snapshot.search(Embeddings(asked, "m"), k=k)
    pairs = asked.astype(np.float64)[:, None, :] * vectors.astype(np.float64)[None, :, :]
    exact = np.einsum("pnd->pn", pairs).astype(np.float32)
    expected = np.argsort(-exact, axis=1, kind="stable")[:, :k]
    best = np.take_along_axis(exact, expected, axis=1)
    np.testing.assert_allclose(found.score, best, atol=1e-7)
    # Another order of summation may swap neighbours whose exact scores differ by a rounding.
    np.testing.assert_allclose(np.take_along_axis(exact, found.index, axis=1), best, atol=1e-7)
    equal = found.score[:, 1:] == found.score[:, :-1]
    assert (np.diff(found.index, axis=1)[equal] > 0).all()
    assert all(len(set(row)) == len(row) for row in found.index.tolist())


@given(
    st.integers(1, 6).flatmap(
        lambda shots: st.lists(
            st.lists(st.floats(-1, 1, width=32), min_size=4, max_size=4), min_size=shots, max_size=shots
        )
    ),
    st.floats(-1, 1),
)
def test_early_decisions_with_max_name_the_same_subjects_as_the_last(rows: list[list[float]], threshold: float) -> None:
    rule = DecisionRule(threshold=threshold, shots=len(rows))
    scores, subjects = np.array(rows, np.float32), ("a", "b", "c", "d")
    early = {
        decision.subject_id
        for shots in range(1, len(rows) + 1)
        for decision in decide(scores[:shots], subjects, rule, final=False)
    }
    last = decide(scores, subjects, rule)
    assert early == {decision.subject_id for decision in last}
    assert all(decision.score >= threshold for decision in last)
    assert [decision.score for decision in last] == sorted((d.score for d in last), reverse=True)
