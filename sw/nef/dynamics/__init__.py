# SPDX-License-Identifier: Apache-2.0
"""Differential equations as recurrent ensembles: integrators, oscillators, filters."""

from spikewright.nef.dynamics.feedback import feedback
from spikewright.nef.dynamics.nonlinear import (
    ControlledIntegrator,
    controlled_integrator,
    oscillator,
)
from spikewright.nef.dynamics.oculomotor import Oculomotor, oculomotor
from spikewright.nef.dynamics.systems import System, integrator, linear_system, low_pass

__all__ = [
    "ControlledIntegrator",
    "Oculomotor",
    "System",
    "controlled_integrator",
    "feedback",
    "integrator",
    "linear_system",
    "low_pass",
    "oculomotor",
    "oscillator",
]
