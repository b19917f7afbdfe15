# SPDX-License-Identifier: Apache-2.0
"""Vectors as beats of gateware streams, and components run on them.

Arrays are (frames, steps, size) as in :mod:`bench.codes`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from bench.codes import expected_outputs, golden_run, random_inputs, random_tensors
from bench.streams import Backend, first_divergence, simulate
from spikewright.hw.component import PrimitiveComponent
from spikewright.sim.ports import Kind, Port
from spikewright.sim.primitive import Codes


def dense_beats(vectors: Codes, lanes: int, noise: np.random.Generator | None = None) -> list[Any]:
    """Beats of (frames, steps, size) vectors.

    With `noise` every lane and flag that a stream leaves open is random: for stimuli. Without, it
    is left out: for expectations.
    """
    beats = []
    steps, size = vectors.shape[1:]
    for frame in vectors.tolist():
        for t, vector in enumerate(frame):
            for start in range(0, size, lanes):
                last = start + lanes >= size
                beat = {"data": vector[start : start + lanes], "first": t == 0, "last": last}
                if last:
                    beat["end"] = t == steps - 1
                elif noise is not None:
                    beat["end"] = noise.integers(2)
                if noise is not None:
                    other = vectors.ravel()
                    padding = noise.choice(other, lanes - len(beat["data"]))
                    beat["data"] = [*beat["data"], *padding.tolist()]
                beats.append(beat)
    return beats


def event_beats(spikes: Codes) -> list[Any]:
    """Events of (frames, steps, size) spikes."""
    beats = []
    for frame in spikes:
        for t, step in enumerate(frame):
            beats += [{"index": k, "end_step": 0, "end_frame": 0} for k in np.flatnonzero(step)]
            beats.append({"index": 0, "end_step": 1, "end_frame": t == len(frame) - 1})
    return beats


def beats_for(
    port: Port, vectors: Codes, lanes: int, noise: np.random.Generator | None = None
) -> list[Any]:
    """Beats of a port's kind."""
    return event_beats(vectors) if port.kind is Kind.EVENT else dense_beats(vectors, lanes, noise)


def compare_with_golden(
    component: PrimitiveComponent,
    *,
    seed: int,
    frames: int = 3,
    steps: int = 3,
    tensors: Mapping[str, Codes] | None = None,
    stalls: bool = True,
    backend: Backend = "amaranth",
    plain_inputs: Mapping[str, int] | None = None,
) -> None:
    """Run a component on random vectors with random stalls; every beat must be the golden one."""
    rng = np.random.default_rng(seed)
    primitive = component.primitive
    tensors = random_tensors(rng, primitive) if tensors is None else tensors
    inputs = random_inputs(rng, primitive, frames, steps)
    outputs = expected_outputs(primitive, golden_run(primitive, tensors, inputs), steps)
    ports = primitive.ports()
    stimuli = {
        f"i_{name}": beats_for(port, vectors, component.lanes_in, rng)
        for (name, port), vectors in zip(ports.inputs.items(), inputs, strict=True)
    }
    expected = {
        f"o_{name}": beats_for(port, vectors, component.lanes_out)
        for (name, port), vectors in zip(ports.outputs.items(), outputs, strict=True)
    }
    got = simulate(
        component,
        stimuli,
        {name: len(beats) for name, beats in expected.items()},
        tensors={
            f"host_{k}": tensors[name].ravel().tolist()
            for k, name in enumerate(primitive.tensors())
        },
        inputs=plain_inputs,
        stall_seed=seed if stalls else None,
        backend=backend,
        max_cycles=40_000,
    )
    for name, beats in expected.items():
        difference = first_divergence(beats, got[name])
        assert difference is None, f"{primitive}: {name}: {difference}"
