# SPDX-License-Identifier: Apache-2.0
"""The leaky integrator against exact fractions, step by step."""

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from bench.codes import golden_run, random_inputs, random_tensors
from hypothesis import given
from hypothesis import strategies as st

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat
from spikewright.sim.leaky import Leaky, leak_format
from spikewright.sim.primitives import primitive_from


def half_up(value: Fraction) -> int:
    return math.floor(value + Fraction(1, 2))


@given(
    size=st.integers(1, 4),
    membrane=st.integers(2, 32),
    current=st.tuples(st.integers(1, 32), st.booleans()),
    leak_frac=st.integers(1, 24),
    per_neuron=st.booleans(),
    after_input=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_one_pole(
    size: int,
    membrane: int,
    current: tuple[int, bool],
    leak_frac: int,
    per_neuron: bool,
    after_input: bool,
    seed: int,
) -> None:
    primitive = Leaky(
        size=size,
        input=QFormat(width=current[0], frac=5, signed=current[1]),
        membrane=QFormat(width=membrane, frac=5),
        leak="l",
        leak_frac=leak_frac,
        per_neuron=per_neuron,
        leak_after_input=after_input,
    )
    rng = np.random.default_rng(seed)
    tensors = random_tensors(rng, primitive)
    (currents,) = random_inputs(rng, primitive, 2, 6)
    (got,) = golden_run(primitive, tensors, [currents])
    leaks = np.broadcast_to(tensors["l"], size).tolist()
    fmt = primitive.membrane
    for frame in range(2):
        for k, code in enumerate(leaks):
            v = 0
            for t in range(6):
                i = int(currents[frame, t, k])
                leaking = v + i if after_input else v
                v = v + i - half_up(Fraction(code, 2**leak_frac) * leaking)
                v = max(fmt.lo, min(fmt.hi, v))
                assert got[frame, t, k] == v


@pytest.mark.parametrize("frac", [1, 16, 24])
def test_a_leak_of_one_forgets_at_once(frac: int) -> None:
    fmt = QFormat(width=8)
    primitive = Leaky(size=1, input=fmt, membrane=fmt, leak="l", leak_frac=frac)
    tensors = {"l": leak_format(frac).encode([1.0])}
    (got,) = golden_run(primitive, tensors, [np.array([[[100], [-7], [0]]])])
    assert got.ravel().tolist() == [100, -7, 0]


@given(
    frac=st.integers(1, 24),
    chosen=st.sets(st.integers(1, 24), max_size=5),
    after_input=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_shifts_are_the_code_that_they_add_up_to(
    frac: int, chosen: set[int], after_input: bool, seed: int
) -> None:
    shifts = tuple(sorted(shift for shift in chosen if shift <= frac))
    fields = {"size": 3, "input": QFormat(width=12), "membrane": QFormat(width=14)}
    fields |= {"leak_frac": frac, "leak_after_input": after_input}
    by_shifts, by_code = Leaky(leak=shifts, **fields), Leaky(leak="l", **fields)
    assert by_shifts.tensors() == {}
    code = leak_format(frac).encode([sum(2.0**-shift for shift in shifts)])
    (currents,) = random_inputs(np.random.default_rng(seed), by_code, 2, 8)
    (got,) = golden_run(by_shifts, {}, [currents])
    (want,) = golden_run(by_code, {"l": code}, [currents])
    np.testing.assert_array_equal(got, want)


def test_no_shifts_are_no_leak() -> None:
    fmt = QFormat(width=8)
    (got,) = golden_run(
        Leaky(size=1, input=fmt, membrane=fmt, leak=()), {}, [np.array([[[100], [-7], [0]]])]
    )
    assert got.ravel().tolist() == [100, 93, 93]


def test_shifts_survive_a_description() -> None:
    primitive = Leaky(**{**GOOD, "leak": (3, 5)})
    assert primitive_from(json.loads(json.dumps(primitive.describe()))) == primitive


GOOD = {
    "size": 1,
    "input": QFormat(width=8, frac=4),
    "membrane": QFormat(width=12, frac=4),
    "leak": "l",
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"membrane": QFormat(width=33, frac=4)},
            "Leaky membrane width must be between 2 and 32, not 33",
        ),
        (
            {"membrane": QFormat(width=1, frac=4)},
            "Leaky membrane width must be between 2 and 32, not 1",
        ),
        ({"leak_frac": 0}, "Leaky leak fraction must be between 1 and 24, not 0"),
        ({"leak_frac": 25}, "Leaky leak fraction must be between 1 and 24, not 25"),
        (
            {"membrane": QFormat(width=12, frac=4, signed=False)},
            "Leaky membrane must be signed, not u12.4",
        ),
        (
            {"input": QFormat(width=8, frac=3)},
            (
                "Leaky input must have the membrane's 4 fraction bits and at most 32 bits, "
                "not s8.3: put a Requantize before it"
            ),
        ),
        (
            {"input": QFormat(width=33, frac=4)},
            (
                "Leaky input must have the membrane's 4 fraction bits and at most 32 bits, "
                "not s33.4: put a Requantize before it"
            ),
        ),
        *(
            (
                {"leak": leak, "leak_frac": 8},
                (
                    "Leaky leak must be a tensor's name or a tuple of ascending shifts from 1 to "
                    f"its 8 fraction bits, not {leak!r}"
                ),
            )
            for leak in [(9,), (0, 3), (4, 3), (4, 4), (2.0,), (True,), [3], 3, None]
        ),
    ],
)
def test_what_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(FormatError) as caught:
        Leaky(**{**GOOD, **change})
    assert str(caught.value) == message
