# SPDX-License-Identifier: Apache-2.0
"""How the loss depends on the samples."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikewright.learn.options import check_name
from spikewright.learn.training.losses import LOSSES
from spikewright.learn.training.targets import prepare
from spikewright.network import Network
from spikewright.sim.errors import ProgramError


def input_gradients(
    network: Network, x: Any, y: Any, *, loss: str = "cross-entropy"
) -> NDArray[np.float32]:
    """Gradient of each sample's own loss with respect to the sample.

    What saliency maps and adversarial examples start from: ``x + eps sign(gradient)`` is the fast
    gradient sign method (Goodfellow, Shlens and Szegedy, 2015).

    Parameters
    ----------
    network : Network
        Evaluated as after training: dropout is off.
    x : (frames, ...) array_like
    y : array_like
        Labels or targets, as :func:`~spikewright.learn.fit.fit` takes them.
    loss : str
        A name in :data:`~spikewright.learn.training.losses.LOSSES`.

    Returns
    -------
    (frames, n_in) ndarray

    Raises
    ------
    DataError
        If samples or labels do not fit the network or the loss.
    ProgramError
        If the loss is unknown, or the samples enter as spikes, which have no gradient.
    """
    check_name("Loss", loss, LOSSES)
    if network.spike_input:
        raise ProgramError('Samples that enter as spikes have no gradient: use encoding="current"')
    samples = network.check_samples(x)
    targets = prepare(network, y, len(samples), loss)
    frames = len(samples)
    run = network.record(frames, gradients=True, inputs=True)
    value = LOSSES[loss](run.logits, run.tape.constant(targets))
    network.encode(samples, np.arange(frames), run.x.data, seed=network.seed)
    run.tape.replay()
    run.tape.backward(value)
    # The loss is a mean over the frames.
    return run.x.gradient() * frames
