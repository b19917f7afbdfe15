# SPDX-License-Identifier: Apache-2.0
"""Leaky integrate-and-fire neurons with every option stated."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spikewright.sim.errors import FormatError
from spikewright.sim.fixed import QFormat
from spikewright.sim.leaky import MAX_MEMBRANE, check_membrane, leak, leak_format
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

    1. a reset left pending by the last step's spike;
    2. refractory neurons hold ``v`` (or ``v + i`` where the input is kept) and count down;
    3. the others: ``v - round(λ v) + i``, or the leak after the input;
    4. saturate to the membrane's format, then clamp at ``lower``;
    5. fire where ``v >= θ + a`` (``>`` if ``strict``) and not refractory, ``a`` of the last step;
    6. reset in the same step unless ``reset_next``, and load the refractory counter;
    7. adaptation ``a = saturate(a - round(λ_a a) + step · spike)``.

    Parameters
    ----------
    size : int
    input : QFormat
        Format of the current, with the membrane's fraction bits.
    membrane : QFormat
        Format of ``v``, at most 32 bits.
    leak, threshold : str
        Names of the tensors of leak codes λ, unsigned Q0.``leak_frac``, and of θ.
    leak_frac : int
        Fraction bits of λ and λ_a, 1 to 24.
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
    adaptation_leak, adaptation_step : str or None
        Names of the tensors of λ_a and of the step a spike adds.
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
    leak: str
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
    adaptation_leak: str | None = None
    adaptation_step: str | None = None
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
            (self.leak, leak),
            (self.threshold, voltage),
            (self.reset_name, voltage),
            (self.adaptation_leak, leak),
            (self.adaptation_step, voltage),
        )

    def init_state(self, batch: int) -> State:
        names = ["v"]
        names += ["pending"] if self.reset_next else []
        names += ["refractory"] if self.refractory else []
        names += ["a"] if self.adaptation is not None else []
        return {name: np.zeros((batch, self.size), np.int64) for name in names}

    def step(
        self, tensors: Tensors, state: State, *inputs: Codes
    ) -> tuple[State, tuple[Codes, ...]]:
        (i,) = inputs
        new: State = {}
        v = state["v"]
        if self.reset_next:
            v = np.where(state["pending"] == 1, self._reset(tensors, v), v)
        updated = leak(v, i, tensors[self.leak], self.leak_frac, after_input=self.leak_after_input)
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
        if self.adaptation is not None:
            new["a"] = self._adapt(tensors, state["a"], spikes, self.adaptation)
        new["v"] = v
        voltage = {"none": (), "before": (before,), "after": (v,)}[self.voltage]
        return new, (spikes, *voltage)

    def _reset(self, tensors: Tensors, v: Codes) -> Codes:
        if self.reset_name is None:
            return v
        if self.reset == "value":
            return np.broadcast_to(tensors[self.reset_name], v.shape)
        return self.membrane.saturate(v - tensors[self.reset_name])

    def _adapt(self, tensors: Tensors, a: Codes, spike: Codes, fmt: QFormat) -> Codes:
        code = tensors[str(self.adaptation_leak)]
        step = tensors[str(self.adaptation_step)]
        return fmt.saturate(leak(a, step * spike, code, self.leak_frac, after_input=False))
