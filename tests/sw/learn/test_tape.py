# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from spikewright.learn import ops
from spikewright.learn.tape import Tape
from spikewright.sim.errors import ProgramError


def test_shares_of_several_consumers_add_up_and_sweeps_do_not_accumulate() -> None:
    tape = Tape()
    w = tape.parameter(np.array([2.0, -3.0]))
    loss = ops.total(ops.add(ops.mul(w, w), ops.add(ops.scale(w, 5.0), w)))
    for _ in range(2):
        tape.backward(loss)
        np.testing.assert_array_equal(w.gradient(), [2 * 2 + 6, -2 * 3 + 6])


def test_replay_reads_new_data_and_new_parameters() -> None:
    tape, weight = Tape(), np.array([2.0])
    x, w = tape.constant(np.array([3.0])), tape.parameter(weight)
    loss = ops.total(ops.mul(x, w))
    x.data[0], weight[0] = 7.0, 10.0
    tape.replay()
    tape.backward(loss)
    assert float(loss.data) == 70.0
    assert w.gradient()[0] == 7.0


def test_plain_data_gets_no_gradient() -> None:
    tape = Tape()
    x = tape.constant(np.ones((2, 3)))
    y = ops.linear(x, tape.parameter(np.ones((4, 3))), tape.parameter(np.zeros(4)))
    tape.backward(ops.total(y))
    assert x.grad is None
    assert y.grad is not None
    x.receive(lambda _: pytest.fail("computed a gradient for plain data"))
    with pytest.raises(
        ProgramError, match=r"^Plain data has no gradient: record it as a parameter$"
    ):
        x.gradient()


def test_forward_only_tape_keeps_no_gradients() -> None:
    tape = Tape(gradients=False)
    loss = ops.total(tape.parameter(np.ones(3)))
    assert loss.grad is None
    with pytest.raises(
        ProgramError, match=r"^Loss must depend on a trained parameter, and this one does not$"
    ):
        tape.backward(loss)


def test_gradient_of_an_unused_parameter_is_zero() -> None:
    tape = Tape()
    used, unused = tape.parameter(np.ones(2)), tape.parameter(np.ones(2))
    branch = ops.scale(unused, 2.0)
    branch.gradient().fill(9)
    unused.gradient().fill(9)
    tape.backward(ops.total(used))
    np.testing.assert_array_equal(unused.gradient(), [0, 0])


def test_a_variable_has_a_gradient_where_there_are_any() -> None:
    for gradients in (True, False):
        tape = Tape(gradients=gradients)
        x = tape.variable(np.array([3.0]))
        loss = ops.total(ops.mul(x, x))
        if gradients:
            tape.backward(loss)
            assert x.gradient()[0] == 6
        assert (x.grad is not None) == gradients


def test_one_array_is_one_parameter() -> None:
    tape, array = Tape(), np.ones(2)
    assert tape.parameter(array) is tape.parameter(array)
    assert tape.parameter(array).data is array


def test_loss_must_be_scalar() -> None:
    tape = Tape()
    with pytest.raises(
        ProgramError, match=r"^Loss must be a scalar, not an array of shape \(2,\)$"
    ):
        tape.backward(tape.parameter(np.ones(2)))


def test_operands_share_a_tape() -> None:
    a, b = Tape().parameter(np.ones(2)), Tape().parameter(np.ones(2))
    with pytest.raises(ProgramError, match=r"^Operands must be recorded on one tape, not on two$"):
        ops.add(a, b)
