# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from spikewright import augment as module
from spikewright.augment import augment
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
