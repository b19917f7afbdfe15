# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from spikewright import augment as module
from spikewright.augment import augment, transformed
from spikewright.sim.errors import DataError


def pictures(n=5, side=8, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((n, side * side), np.float32), rng.integers(0, 10, n)


def test_originals_come_first_and_labels_follow_their_copies():
    x, y = pictures()
    more, labels = augment(x, y, side=8, copies=3, seed=1)
    assert more.shape == (20, 64)
    assert more.dtype == np.float32
    np.testing.assert_array_equal(more[:5], x)
    np.testing.assert_array_equal(labels, np.tile(y, 4))
    assert more.min() >= 0
    assert more.max() <= 1
    assert not np.array_equal(more[5:10], more[10:15])


def test_the_seed_decides():
    x, y = pictures()
    first, again, other = (augment(x, y, side=8, copies=2, seed=s)[0] for s in (4, 4, 5))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_nothing_changed_gives_the_picture_itself(monkeypatch):
    for name in ("TURN", "SCALE", "SHIFT", "NOISE"):
        monkeypatch.setattr(module, name, 0.0)
    x, y = pictures()
    more, _ = augment(x, y, side=8, copies=1, seed=0)
    np.testing.assert_allclose(more[5:], x, atol=1e-6)


def test_a_shift_moves_light_and_lets_black_in(monkeypatch):
    for name in ("TURN", "SCALE", "NOISE"):
        monkeypatch.setattr(module, name, 0.0)
    monkeypatch.setattr(module, "SHIFT", 0.5)
    x = np.zeros((50, 64), np.float32)
    x.reshape(-1, 8, 8)[:, 0, 0] = 1
    more, _ = augment(x, np.zeros(50, np.int64), side=8, copies=1, seed=0)
    changed = more[50:].reshape(-1, 8, 8)
    assert changed[:, 0, 0].min() >= 0.25 - 1e-6
    # What leaves over the corner is gone: light never grows.
    assert changed.sum(axis=(1, 2)).max() <= 1 + 1e-6
    assert changed.sum(axis=(1, 2)).min() < 0.9
    assert not changed[:, 2:, :].any()


def test_other_sizes_are_refused():
    x, y = pictures()
    with pytest.raises(DataError, match=r"^x must have 49 pixels a picture, not 64$"):
        augment(x, y, side=7, copies=1, seed=0)


def test_the_demo_s_copies_stay_what_they_were():
    """The demo's figures stand on them."""
    x, y = pictures(n=20)
    more, _ = augment(x, y, side=8, copies=2, seed=7)
    given, _ = augment(x, y, side=8, copies=2, seed=7, turn=0.15, scale=0.1, shift=0.3, noise=0.1)
    np.testing.assert_array_equal(more, given)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarter_turns_are_exact(quarters):
    x, _ = pictures(side=7)
    square = x.reshape(-1, 7, 7)
    turned = transformed(square, angle=quarters * np.pi / 2)
    # Clockwise: rot90 turns the other way.
    np.testing.assert_allclose(turned, np.rot90(square, -quarters, axes=(1, 2)), atol=1e-6)


def test_whole_shifts_are_exact_and_each_picture_has_its_own():
    x, _ = pictures(n=2)
    square = x.reshape(-1, 8, 8)
    moved = transformed(square, shift=[[2.0, 0.0], [0.0, -1.0]])
    np.testing.assert_allclose(moved[0, :6], square[0, 2:], atol=1e-6)
    assert not moved[0, 6:].any()
    np.testing.assert_allclose(moved[1, :, 1:], square[1, :, :-1], atol=1e-6)
    assert not moved[1, :, 0].any()


def test_half_shifts_are_the_mean_of_neighbours():
    ramp = np.tile(np.arange(8.0, dtype=np.float32), (1, 8, 1))
    moved = transformed(ramp, shift=(0.0, 0.5))
    np.testing.assert_allclose(moved[0, :, :7], ramp[0, :, :7] + 0.5)


def test_a_picture_twice_as_small_keeps_its_middle():
    x = np.zeros((1, 5, 5), np.float32)
    x[0, 2, 2] = x[0, 0, 0] = 1
    smaller = transformed(x, grow=2.0)
    assert smaller[0, 2, 2] == 1
    assert smaller[0, 1, 1] == 1
    assert smaller.sum() == 2


@pytest.mark.parametrize(("name", "value"), [("turn", -0.1), ("shift", np.inf), ("noise", -1)])
def test_limits_are_checked(name, value):
    x, y = pictures()
    with pytest.raises(
        DataError, match=rf"^Largest {name} must be at least 0 and finite, not {value}$"
    ):
        augment(x, y, side=8, copies=1, seed=0, **{name: value})
