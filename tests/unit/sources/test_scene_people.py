import numpy as np
import pytest

from lfr.sources.demo import demo_portraits
from lfr.sources.scene_camera import Camera
from lfr.sources.scene_head import Head, Turn, face_box
from lfr.sources.scene_street import StreetPlan
from lfr.sources.scene_walk import Gait, Place, Route, draw_route

CAMERA = Camera((1280, 720))
STRAIGHT = Turn(0.0, 0.0, 0.0)


def _head(headwear: str = "none", scarf: float | None = None) -> Head:
    return Head(demo_portraits()[0].read(), np.random.default_rng(0), headwear=headwear, scarf=scarf)


@pytest.mark.parametrize(("headwear", "scarf"), [("cap", None), ("beanie", None), ("none", 1.0)])
def test_what_is_worn_covers_part_of_the_face(headwear: str, scarf: float | None) -> None:
    assert 0.3 < _head(headwear, scarf).uncovered < 0.97


def test_a_bare_head_shows_the_whole_face() -> None:
    assert _head().uncovered == pytest.approx(1.0)


def test_a_head_out_of_the_frame_is_not_drawn() -> None:
    outside = _head().draw((-500.0, 100.0), px_per_m=800.0, turn=STRAIGHT, frame_wh=(1280, 720), side_light=0.0)
    assert outside is None


def test_a_straight_head_wears_the_portrait_as_it_is() -> None:
    portrait = demo_portraits()[0].read()
    layer = _head().draw((300.0, 300.0), px_per_m=960.0, turn=STRAIGHT, frame_wh=(640, 640), side_light=0.0)
    assert layer is not None
    # At 960 px a metre one pixel of the portrait is one of the frame, and the face's middle is at (113, 112).
    left, top = 300 - 113 - layer.left, 300 - 112 - layer.top
    face = layer.bgra[top + 80 : top + 160, left + 75 : left + 150, :3].astype(float)
    assert np.abs(face - portrait[80:160, 75:150]).mean() < 3.0


@pytest.mark.parametrize("yaw", [-0.5, 0.5])
def test_a_turned_face_moves_to_the_side_it_looks_at(yaw: float) -> None:
    straight = face_box((0.0, 0.0), px_per_m=900.0, turn=STRAIGHT)
    turned = face_box((0.0, 0.0), px_per_m=900.0, turn=Turn(yaw, 0.0, 0.0))
    assert np.sign((turned - straight)[[0, 2]].sum()) == np.sign(yaw)
    assert turned[2] - turned[0] < straight[2] - straight[0]


@pytest.mark.parametrize(("difficulty", "low", "high"), [(0.0, 0.0, 3.1), (0.5, 5.0, 21.0), (1.0, 15.0, 38.5)])
def test_heads_turn_further_the_harder_the_scene_is(difficulty: float, low: float, high: float) -> None:
    widest = []
    for seed in range(8):
        gait = Gait(np.random.default_rng(seed), difficulty=difficulty, shoulder_m=0.16, carries=False)
        yaws = [gait.turn(Place(0.0, 8.0, 0.0, t * 1.3), t).yaw for t in np.arange(0.0, 15.0, 0.25)]
        widest.append(np.degrees(np.abs(yaws)).max())
    assert low <= np.median(widest)
    assert max(widest) <= high


def test_walkers_bob_and_keep_a_foot_on_the_ground() -> None:
    gait = Gait(np.random.default_rng(1), difficulty=0.5, shoulder_m=0.16, carries=False)
    joints = [gait.joints(Place(0.0, 10.0, 0.0, walked)) for walked in np.arange(0.0, 3.0, 0.05)]
    heights = np.array([pose.face[1] for pose in joints])
    assert 0.01 < np.ptp(heights) < 0.12
    for pose in joints:
        assert min(ankle[1] for ankle in pose.ankles) == pytest.approx(0.075 * gait.stature_m / 1.75 - 0.026, abs=0.06)


def test_a_route_is_walked_at_its_speed() -> None:
    route = Route.through(np.array([[0.0, 20.0], [0.0, 10.0], [0.0, 0.0]]), 1.25)
    assert route.duration_s == pytest.approx(16.0)
    assert route.at(8.0).z_m == pytest.approx(10.0, abs=0.05)
    assert route.at(8.0).heading == pytest.approx(0.0)


@pytest.mark.parametrize("seed", range(6))
def test_a_route_begins_hidden_and_ends_beside_the_frame(seed: int) -> None:
    rng = np.random.default_rng(seed)
    plan = StreetPlan.draw(rng)
    route = draw_route(rng, plan, camera=CAMERA, speed_mps=1.3)
    start, end = route.at(0.0), route.at(route.duration_s)
    beyond_corner = start.x_m < plan.left.x_m and start.z_m > plan.corner_m[0]
    behind_van = start.x_m > plan.van_x_m and start.z_m > plan.van_z_m[1]
    assert beyond_corner or behind_van
    assert abs(end.x_m) > CAMERA.half_view_m(end.z_m)
