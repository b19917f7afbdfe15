# SPDX-License-Identifier: Apache-2.0
"""Lanes of every node."""

import numpy as np
import programs
import pytest

from spikewright.hw.folding import DEFAULT_LANES, fold
from spikewright.sim.errors import FormatError


def test_products_choose_and_others_follow() -> None:
    program = programs.lif_count((13, 9, 3))
    # Nine rows on four lanes are three passes, which three lanes make too; then the beats of nine
    # rows held for each step would take longer than the product, one a cycle.
    assert program.steps is not None
    assert fold(program, 4) == {
        **dict.fromkeys(("fc1", "fc1.y", "cur1", "hold", "lif1"), 3),
        **dict.fromkeys(("fc2", "fc2.y", "cur2", "lif2"), 3),
        **dict.fromkeys(("count", "argmax"), 1),
    }
    one = fold(program, {"fc1": 9, "fc1.y": 9})
    assert (one["fc1"], one["lif1"], one["fc2"]) == (9, 9, 3)
    assert set(fold(program, 1).values()) == {1}


@pytest.mark.parametrize(
    ("rows", "lanes", "units"),
    [(32, 28, 16), (100, 64, 50), (100, 28, 25), (10, 64, 10), (7, 1, 1)],
)
def test_no_more_units_than_the_passes_need(rows: int, lanes: int, units: int) -> None:
    assert fold(programs.mlp((20, rows, 4)), lanes)["fc1"] == units


def test_the_default() -> None:
    assert DEFAULT_LANES == 16
    program = programs.mlp((20, 30, 4))
    wide = {"fc1": 15, "relu": 1, "fc2": 4, "argmax": 1}
    assert fold(program) == {**wide, "fc1.y": 1, "fc2.y": 1}


@pytest.mark.parametrize(
    ("lanes", "message"),
    [
        (0, "Lanes must be a positive integer, not 0"),
        (-4, "Lanes must be a positive integer, not -4"),
        (True, "Lanes must be a positive integer, not True"),
        (2.0, "Lanes must be a positive integer, not 2.0"),
        ("4", "Lanes must be a positive integer, not '4'"),
        ({"fc1": 2.0}, "Lanes of fc1 must be a positive integer, not 2.0"),
        ({"fc1": True}, "Lanes of fc1 must be a positive integer, not True"),
        ({"fc1.y": "1"}, "Lanes of fc1.y must be a positive integer, not '1'"),
        ({"relu.y": 1}, "Rows in a beat can be chosen for fc1, fc2, not for 'relu.y'"),
        ({"fc1": 10}, "Lanes of fc1 must be between 1 and its 9 rows, not 10"),
        ({"fc2": 0}, "Lanes of fc2 must be between 1 and its 4 rows, not 0"),
        ({"fc3": 2}, "Lanes can be chosen for fc1, fc2, not for 'fc3'"),
        ({"fc1.y": 2}, "Rows in a beat of fc1 must divide its 9 lanes, not 2"),
    ],
)
def test_what_is_refused(lanes: object, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        fold(programs.mlp((20, 9, 4)), lanes)
    assert str(caught.value) == message


def test_integers_of_numpy_are_lanes() -> None:
    program = programs.mlp((20, 9, 4))
    assert fold(program, {"fc1": np.int64(3)}) == fold(program, {"fc1": 3})


def test_what_follows_cannot_be_chosen_otherwise() -> None:
    program = programs.mlp((20, 9, 4))
    whole = fold(program, 3)
    assert fold(program, whole) == whole
    with pytest.raises(FormatError, match=r"^Lanes of relu follow from its input: 1, not 2$"):
        fold(program, {"relu": 2})
