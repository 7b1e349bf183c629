"""The structs check shapes and number formats once, when they are made."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lfr.types import Candidates, Embeddings, Faces, Frame, Tracks


def faces(n: int) -> Faces:
    corner = np.arange(n, dtype=np.float32)[:, None] * 10
    xyxy = np.concatenate([corner, corner, corner + 8, corner + 12], axis=1)
    return Faces(xyxy, np.zeros((n, 5, 2), np.float32), np.linspace(0.9, 0.5, n, dtype=np.float32))


def tracks(**changed: object) -> Tracks:
    arrays: dict[str, object] = {
        "track_id": np.array([3, 4], np.int64),
        "xyxy": np.zeros((2, 4), np.float32),
        "face_index": np.array([0, -1], np.int64),
        "confirmed": np.array([True, False]),
        "ended": np.array([1, 2, 9], np.int64),
    }
    return Tracks(**{**arrays, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("xyxy", np.zeros((2, 5), np.float32)),
        ("xyxy", np.zeros((2, 4), np.float64)),
        ("landmarks", np.zeros((2, 10), np.float32)),
        ("landmarks", np.zeros((3, 5, 2), np.float32)),
        ("score", np.zeros((2, 1), np.float32)),
        ("score", np.zeros(2, np.int64)),
    ],
)
def test_faces_of_another_shape_or_format_are_refused_by_the_name_of_the_array(
    name: str, array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]
) -> None:
    good = {"xyxy": faces(2).xyxy, "landmarks": faces(2).landmarks, "score": faces(2).score}
    with pytest.raises(ValueError, match=rf"^Faces\.{name}: expected float32 of shape .*, got {array.dtype} of "):
        Faces(**{**good, name: array})  # type: ignore[arg-type]


def test_faces_are_chosen_by_mask_index_and_slice() -> None:
    three = faces(3)
    for chosen in (three[np.array([True, False, True])], three[np.array([0, 2])], three[::2]):
        assert len(chosen) == 2
        assert np.array_equal(chosen.xyxy, three.xyxy[[0, 2]])
        assert np.array_equal(chosen.score, three.score[[0, 2]])


def test_no_faces_have_every_property_of_faces() -> None:
    nobody = Faces.empty()
    assert len(nobody) == 0
    assert nobody.size_px.shape == (0,)
    assert len(nobody[np.zeros(0, np.bool_)]) == 0


def test_the_size_of_a_face_is_its_shorter_side() -> None:
    assert faces(2).size_px.tolist() == [8.0, 8.0]


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 4), (1, 4, 6, 3)])
def test_a_frame_is_colour_pixels_and_nothing_else(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^Frame\.pixels"):
        Frame(0, 0.0, np.zeros(shape, np.uint8))


def test_a_frame_gives_its_resolution_as_width_and_height() -> None:
    assert Frame(0, 0.0, np.zeros((4, 6, 3), np.uint8)).resolution_wh == (6, 4)


def test_a_struct_cannot_be_given_another_array_later() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        faces(1).score = np.zeros(1, np.float32)  # type: ignore[misc]


def test_templates_keep_their_model_when_some_are_chosen() -> None:
    three = Embeddings(np.eye(3, dtype=np.float32), "digest")
    assert three[1:].model_digest == "digest"
    assert len(three[np.array([True, False, False])]) == 1
    with pytest.raises(ValueError, match=r"^Embeddings\.vectors"):
        Embeddings(np.zeros(3, np.float32), "digest")


def test_candidates_have_a_score_for_each_index() -> None:
    index = np.zeros((2, 3), np.int64)
    assert len(Candidates(index, np.zeros((2, 3), np.float32))) == 2
    with pytest.raises(ValueError, match=r"^Candidates\.score: expected float32 of shape \(2, 3\)"):
        Candidates(index, np.zeros((2, 2), np.float32))


@pytest.mark.parametrize("name", ["track_id", "xyxy", "face_index", "confirmed", "ended"])
def test_each_array_of_tracks_is_checked(name: str) -> None:
    assert len(tracks()) == 2
    with pytest.raises(ValueError, match=rf"^Tracks\.{name}: expected"):
        tracks(**{name: np.zeros((3, 7), np.float16)})
