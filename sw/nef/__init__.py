# SPDX-License-Identifier: Apache-2.0
"""The Neural Engineering Framework: populations of neurons that represent and compute vectors."""

from spikewright.nef.connection import PES, Connection, Probe
from spikewright.nef.decoders.solvers import Lstsq, LstsqL1, LstsqL2, Nnls, NnlsL2
from spikewright.nef.network import Network
from spikewright.nef.neurons import LIF, SpikingRectifiedLinear
from spikewright.nef.objects import Ensemble, Node
from spikewright.nef.precision import Precision
from spikewright.nef.sampling import Uniform
from spikewright.nef.simulator import Simulator
from spikewright.nef.synapses import Alpha, Lowpass

__all__ = [
    "LIF",
    "PES",
    "Alpha",
    "Connection",
    "Ensemble",
    "Lowpass",
    "Lstsq",
    "LstsqL1",
    "LstsqL2",
    "Network",
    "Nnls",
    "NnlsL2",
    "Node",
    "Precision",
    "Probe",
    "Simulator",
    "SpikingRectifiedLinear",
    "Uniform",
]
