# SPDX-License-Identifier: Apache-2.0
"""Which fields of a neuron fit together, and what it keeps and reads for them."""

import json
from typing import Any

import pytest

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat
from spikewright.sim.lif import Lif
from spikewright.sim.primitives import primitive_from

GOOD: dict[str, Any] = {
    "size": 1,
    "input": QFormat(width=8, frac=4),
    "membrane": QFormat(width=12, frac=4),
    "leak": "l",
    "threshold": "t",
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"membrane": QFormat(width=40, frac=4)},
            "Lif membrane width must be between 2 and 32, not 40",
        ),
        ({"leak_frac": 30}, "Lif leak fraction must be between 1 and 24, not 30"),
        (
            {"membrane": QFormat(width=12, frac=4, signed=False)},
            "Lif membrane must be signed, not u12.4",
        ),
        (
            {"input": QFormat(width=8, frac=5)},
            (
                "Lif input must have the membrane's 4 fraction bits and at most 32 bits, "
                "not s8.5: put a Requantize before it"
            ),
        ),
        (
            {"reset": "zero"},
            "Lif reset must be 'subtract' or 'value' or 'none', not 'zero'",
        ),
        (
            {"refractory_input": "hold"},
            "Lif refractory input must be 'drop' or 'keep', not 'hold'",
        ),
        ({"voltage": "v"}, "Lif voltage must be 'none' or 'before' or 'after', not 'v'"),
        ({"refractory": 256}, "Lif refractory must be between 0 and 255, not 256"),
        ({"refractory": -1}, "Lif refractory must be between 0 and 255, not -1"),
        ({"reset": "value"}, "Lif that resets to a value must name its reset_tensor"),
        (
            {"reset": "none", "reset_next": True},
            "Lif without reset cannot reset in the next step: drop reset_next",
        ),
        ({"lower": -2049}, "Lif lower clamp must be between -2048 and 2047, not -2049"),
        (
            {"adaptation_leak": "a"},
            "Lif with adaptation tensors must state the format of adaptation",
        ),
        (
            {"adaptation": QFormat(width=8, frac=4), "adaptation_leak": "a"},
            "Lif with adaptation must name adaptation_leak and adaptation_step",
        ),
        (
            {
                "adaptation": QFormat(width=8, frac=3),
                "adaptation_leak": "a",
                "adaptation_step": "s",
            },
            "Lif adaptation must have the membrane's 4 fraction bits and at most 32 bits, not s8.3",
        ),
        (
            {"leak": (5, 3)},
            (
                "Lif leak must be a tensor's name or a tuple of ascending shifts from 1 to its 16 "
                "fraction bits, not (5, 3)"
            ),
        ),
        (
            {"leak": (17,)},
            (
                "Lif leak must be a tensor's name or a tuple of ascending shifts from 1 to its 16 "
                "fraction bits, not (17,)"
            ),
        ),
        (
            {"synapse": QFormat(width=8, frac=4), "synapse_leak": (3, 3)},
            (
                "Lif synapse_leak must be a tensor's name or a tuple of ascending shifts from 1 to "
                "its 16 fraction bits, not (3, 3)"
            ),
        ),
        (
            {
                "adaptation": QFormat(width=8, frac=4),
                "adaptation_leak": (0,),
                "adaptation_step": "t",
            },
            (
                "Lif adaptation_leak must be a tensor's name or a tuple of ascending shifts from 1 "
                "to its 16 fraction bits, not (0,)"
            ),
        ),
        ({"synapse_leak": "s"}, "Lif with synapse options must state the format of synapse"),
        ({"synapse_order": 2}, "Lif with synapse options must state the format of synapse"),
        ({"synapse_order": 3}, "Lif synapse order must be 1 or 2, not 3"),
        (
            {"synapse": QFormat(width=8, frac=4)},
            "Lif with a synapse must have a synapse_leak",
        ),
        (
            {
                "synapse": QFormat(width=8, frac=4),
                "synapse_leak": (3,),
                "synapse_leak_2": (4,),
            },
            "Lif with synapse_leak_2 must have synapse_order 2, not 1",
        ),
        (
            {"synapse": QFormat(width=8, frac=4, signed=False), "synapse_leak": (3,)},
            (
                "Lif synapse must be signed with the membrane's 4 fraction bits and 2 to 32 bits, "
                "not u8.4"
            ),
        ),
        (
            {"synapse": QFormat(width=33, frac=4), "synapse_leak": (3,)},
            (
                "Lif synapse must be signed with the membrane's 4 fraction bits and 2 to 32 bits, "
                "not s33.4"
            ),
        ),
        (
            {"synapse": QFormat(width=9, frac=3), "synapse_leak": (3,)},
            (
                "Lif synapse must be signed with the membrane's 4 fraction bits and 2 to 32 bits, "
                "not s9.3"
            ),
        ),
        (
            {"threshold": "l"},
            "Lif tensor l must have one shape and format, not (1,) of u17.16 and (1,) of s12.4",
        ),
    ],
)
def test_what_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(FormatError) as caught:
        Lif(**{**GOOD, **change})
    assert str(caught.value) == message


def test_state_is_what_the_options_need() -> None:
    plain = Lif(**GOOD)
    assert set(plain.init_state(2)) == {"v"}
    full = Lif(
        **GOOD,
        reset_next=True,
        refractory=3,
        adaptation=QFormat(width=8, frac=4),
        adaptation_leak="l",
        adaptation_step="t",
    )
    assert set(full.init_state(2)) == {"v", "pending", "refractory", "a"}
    synapse = {"synapse": QFormat(width=8, frac=4), "synapse_leak": (2,)}
    assert set(Lif(**GOOD, **synapse).init_state(2)) == {"v", "s1"}
    assert set(Lif(**GOOD, **synapse, synapse_order=2).init_state(2)) == {"v", "s1", "s2"}
    assert all(array.shape == (2, 1) for array in full.init_state(2).values())


def test_shifts_need_no_tensor_and_survive_a_description() -> None:
    primitive = Lif(
        **{**GOOD, "leak": (3, 5)},
        synapse=QFormat(width=9, frac=4),
        synapse_leak=(),
        adaptation=QFormat(width=8, frac=4),
        adaptation_leak=(4,),
        adaptation_step="a",
    )
    assert set(primitive.tensors()) == {"t", "a"}
    assert primitive_from(json.loads(json.dumps(primitive.describe()))) == primitive
