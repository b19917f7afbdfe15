# SPDX-License-Identifier: Apache-2.0
"""Leaky integrate-and-fire neurons with every option stated."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat
from spikewright.sim.leaky import (
    MAX_MEMBRANE,
    LeakForm,
    check_leak,
    check_membrane,
    leak,
    leak_codes,
    leak_format,
    leak_name,
)
from spikewright.sim.ports import SPIKE, Kind, Port
from spikewright.sim.primitive import (
    Codes,
    Ports,
    Primitive,
    State,
    Tensors,
    TensorSpec,
    check_choice,
    check_range,
    tensor_table,
)

MAX_REFRACTORY = 255
"""Longest refractory period, in steps."""


@dataclass(frozen=True, kw_only=True)
class Lif(Primitive):
    """A layer of LIF neurons.

    In a step, in this order:

    0. with a synapse, what the others call ``i`` is its current ``s = saturate(s - round(λ_s s) +
       i)``; of second order, this one again through a like stage with λ_s2: then the last one;
    1. a reset left pending by the last step's spike;
    2. refractory neurons hold ``v`` (or ``v + i`` where the input is kept) and count down;
    3. the others: ``v - round(λ v) + i``, or the leak after the input;
    4. saturate to the membrane's format, then clamp at ``lower``;
    5. fire where ``v >= θ + a`` (``>`` if ``strict``) and not refractory, ``a`` of the last step;
    6. reset in the same step unless ``reset_next``, and load the refractory counter;
    7. adaptation ``a = saturate(a - round(λ_a a) + step · spike)``.

    A synapse is, to the bit, one or two :class:`~spikewright.sim.leaky.Leaky` before the neurons.

    Parameters
    ----------
    size : int
    input : QFormat
        Format of the current, with the membrane's fraction bits.
    membrane : QFormat
        Format of ``v``, at most 32 bits.
    leak : str or tuple of int
        Name of the tensor of leak codes λ, unsigned Q0.``leak_frac``, or ascending shifts ``s`` of
        the fixed λ = Σ 2^-s.
    threshold : str
        Name of the tensor of θ.
    leak_frac : int
        Fraction bits of every λ, 1 to 24; at least the largest shift.
    per_neuron : bool
        Whether the tensors have shape (size,) and not (1,).
    reset : "subtract", "value" or "none"
        A spike subtracts the reset tensor, sets ``v`` to it, or leaves ``v``.
    reset_tensor : str or None
        Name of the reset tensor; by default the threshold's for "subtract". Needed for "value".
    reset_next : bool
        Reset at the start of the next step and not at once.
    leak_after_input, strict : bool
    refractory : int
        Steps after a spike in which a neuron neither leaks nor fires, 0 to 255.
    refractory_input : "drop" or "keep"
    lower : int or None
        Lower clamp of ``v``, as a code.
    adaptation : QFormat or None
        Format of ``a``, with the membrane's fraction bits; ``None`` is no adaptation.
    adaptation_leak : str or tuple of int or None
        λ_a, in the forms of ``leak``.
    adaptation_step : str or None
        Name of the tensor of the step that a spike adds.
    synapse : QFormat or None
        Format of the synaptic current, signed, with the membrane's fraction bits; ``None`` is no
        synapse.
    synapse_leak, synapse_leak_2 : str or tuple of int or None
        λ_s and λ_s2, in the forms of ``leak``; by default λ_s2 is λ_s, which makes an alpha
        function.
    synapse_order : 1 or 2
    voltage : "none", "before" or "after"
        A second output ``v``, as it was before or after the reset of step 6.

    Raises
    ------
    FormatError
        If formats or options do not fit together.
    """

    size: int
    input: QFormat
    membrane: QFormat
    leak: LeakForm
    threshold: str
    leak_frac: int = 16
    per_neuron: bool = False
    reset: str = "subtract"
    reset_tensor: str | None = None
    reset_next: bool = False
    leak_after_input: bool = False
    strict: bool = False
    refractory: int = 0
    refractory_input: str = "drop"
    lower: int | None = None
    adaptation: QFormat | None = None
    adaptation_leak: LeakForm | None = None
    adaptation_step: str | None = None
    synapse: QFormat | None = None
    synapse_leak: LeakForm | None = None
    synapse_leak_2: LeakForm | None = None
    synapse_order: int = 1
    voltage: str = "none"

    per_step: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_membrane("Lif", self.membrane, self.input, self.leak_frac)
        check_choice("Lif reset", self.reset, ("subtract", "value", "none"))
        check_choice("Lif refractory input", self.refractory_input, ("drop", "keep"))
        check_choice("Lif voltage", self.voltage, ("none", "before", "after"))
        check_range("Lif refractory", self.refractory, 0, MAX_REFRACTORY)
        if self.reset == "value" and self.reset_tensor is None:
            raise FormatError("Lif that resets to a value must name its reset_tensor")
        if self.reset == "none" and self.reset_next:
            raise FormatError("Lif without reset cannot reset in the next step: drop reset_next")
        if self.lower is not None:
            check_range("Lif lower clamp", self.lower, self.membrane.lo, self.membrane.hi)
        self._check_adaptation()
        self._check_synapse()
        for name in ("leak", "adaptation_leak", "synapse_leak", "synapse_leak_2"):
            if getattr(self, name) is not None:
                check_leak(f"Lif {name}", getattr(self, name), self.leak_frac)
        _ = self.tensors()

    def _check_adaptation(self) -> None:
        named = [self.adaptation_leak, self.adaptation_step]
        if self.adaptation is None:
            if named != [None, None]:
                raise FormatError("Lif with adaptation tensors must state the format of adaptation")
            return
        if None in named:
            raise FormatError("Lif with adaptation must name adaptation_leak and adaptation_step")
        if self.adaptation.frac != self.membrane.frac or self.adaptation.width > MAX_MEMBRANE:
            raise FormatError(
                f"Lif adaptation must have the membrane's {self.membrane.frac} fraction bits and "
                f"at most {MAX_MEMBRANE} bits, not {self.adaptation}"
            )

    def _check_synapse(self) -> None:
        check_choice("Lif synapse order", self.synapse_order, (1, 2))
        if self.synapse is None:
            if (self.synapse_leak, self.synapse_leak_2, self.synapse_order) != (None, None, 1):
                raise FormatError("Lif with synapse options must state the format of synapse")
            return
        if self.synapse_leak is None:
            raise FormatError("Lif with a synapse must have a synapse_leak")
        if self.synapse_leak_2 is not None and self.synapse_order != 2:
            raise FormatError("Lif with synapse_leak_2 must have synapse_order 2, not 1")
        fmt = self.synapse
        if not fmt.signed or fmt.frac != self.membrane.frac or not 2 <= fmt.width <= MAX_MEMBRANE:
            raise FormatError(
                f"Lif synapse must be signed with the membrane's {self.membrane.frac} fraction "
                f"bits and 2 to {MAX_MEMBRANE} bits, not {fmt}"
            )

    @property
    def synapses(self) -> dict[str, tuple[LeakForm, QFormat]]:
        """Leak and format of each state that a synapse has, in order: ``s1``, ``s2``."""
        if self.synapse is None or self.synapse_leak is None:
            return {}
        found = {"s1": (self.synapse_leak, self.synapse)}
        if self.synapse_order == 2:
            found["s2"] = (
                self.synapse_leak if self.synapse_leak_2 is None else self.synapse_leak_2,
                self.synapse,
            )
        return found

    @property
    def reset_name(self) -> str | None:
        """Tensor that a reset subtracts or sets, if there is a reset."""
        if self.reset == "none":
            return None
        return self.reset_tensor or self.threshold

    def ports(self) -> Ports:
        outputs = {"spike": Port(size=self.size, format=SPIKE, kind=Kind.EVENT)}
        if self.voltage != "none":
            outputs["v"] = Port(size=self.size, format=self.membrane)
        return Ports({"i": Port(size=self.size, format=self.input)}, outputs)

    def tensors(self) -> dict[str, TensorSpec]:
        shape = (self.size,) if self.per_neuron else (1,)
        leak = TensorSpec(shape, leak_format(self.leak_frac))
        voltage = TensorSpec(shape, self.membrane)
        return tensor_table(
            "Lif",
            (leak_name(self.leak), leak),
            (self.threshold, voltage),
            (self.reset_name, voltage),
            (leak_name(self.adaptation_leak), leak),
            (self.adaptation_step, voltage),
            *((leak_name(form), leak) for form, _ in self.synapses.values()),
        )

    def init_state(self, batch: int) -> State:
        names = ["v"]
        names += ["pending"] if self.reset_next else []
        names += ["refractory"] if self.refractory else []
        names += ["a"] if self.adaptation is not None else []
        names += self.synapses
        return {name: np.zeros((batch, self.size), np.int64) for name in names}

    def step(
        self, tensors: Tensors, state: State, *inputs: Codes
    ) -> tuple[State, tuple[Codes, ...]]:
        (i,) = inputs
        new: State = {}
        for name, (form, fmt) in self.synapses.items():
            i = new[name] = self._pole(tensors, form, fmt, state[name], i)
        v = state["v"]
        if self.reset_next:
            v = np.where(state["pending"] == 1, self._reset(tensors, v), v)
        code = leak_codes(self.leak, tensors, self.leak_frac)
        updated = leak(v, i, code, self.leak_frac, after_input=self.leak_after_input)
        waiting = state["refractory"] > 0 if self.refractory else np.zeros(v.shape, bool)
        v = np.where(waiting, v + i if self.refractory_input == "keep" else v, updated)
        v = self.membrane.saturate(v)
        if self.lower is not None:
            v = np.maximum(v, self.lower)
        threshold = tensors[self.threshold] + (state["a"] if self.adaptation is not None else 0)
        spike = ((v > threshold) if self.strict else (v >= threshold)) & ~waiting
        spikes = spike.astype(np.int64)
        before = v
        if self.reset_next:
            new["pending"] = spikes
        else:
            v = np.where(spike, self._reset(tensors, v), v)
        if self.refractory:
            new["refractory"] = np.where(
                spike, self.refractory, np.maximum(state["refractory"] - 1, 0)
            )
        if self.adaptation is not None and self.adaptation_leak is not None:
            step = tensors[str(self.adaptation_step)] * spikes
            form, fmt = self.adaptation_leak, self.adaptation
            new["a"] = self._pole(tensors, form, fmt, state["a"], step)
        new["v"] = v
        voltage = {"none": (), "before": (before,), "after": (v,)}[self.voltage]
        return new, (spikes, *voltage)

    def _reset(self, tensors: Tensors, v: Codes) -> Codes:
        if self.reset_name is None:
            return v
        if self.reset == "value":
            return np.broadcast_to(tensors[self.reset_name], v.shape)
        return self.membrane.saturate(v - tensors[self.reset_name])

    def _pole(self, tensors: Tensors, form: LeakForm, fmt: QFormat, x: Codes, i: Codes) -> Codes:
        """One step of a synapse or of the adaptation."""
        code = leak_codes(form, tensors, self.leak_frac)
        return fmt.saturate(leak(x, i, code, self.leak_frac, after_input=False))
