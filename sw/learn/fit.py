# SPDX-License-Identifier: Apache-2.0
"""Training: ``fit``, and the rules it knows by name."""

import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from spikewright.learn.lowering.hardware import unsupported
from spikewright.learn.optimise.optimisers import RATES
from spikewright.learn.optimise.regularisers import Regularisers
from spikewright.learn.options import check_name
from spikewright.learn.rules.backprop import Backprop
from spikewright.learn.rules.kickback import Kickback, broadcast, feedback, frozen
from spikewright.learn.training.checkpoint import Checkpoints, facts
from spikewright.learn.training.loop import UPDATES, History, Progress, Rule, Training
from spikewright.learn.training.settings import Options
from spikewright.learn.training.targets import prepare
from spikewright.network import Network
from spikewright.sim.errors import ProgramError, SpikewrightWarning

RULES: dict[str, Callable[..., Rule]] = {
    "backprop": Backprop,
    "kickback": Kickback,
    "broadcast": partial(Kickback, paths=broadcast),
    "frozen": partial(Kickback, paths=frozen),
    "feedback": lambda network, loss: Kickback(network, loss, paths=feedback(network.seed)),
}
"""Learning rules by the name :func:`fit` takes: from a network, a loss and the loss's options."""


def fit(
    network: Network,
    x: Any,
    y: Any,
    *,
    rule: str = "backprop",
    epochs: int | None = None,
    batch: int = 64,
    optimiser: str = "adam",
    learning_rate: float | None = None,
    momentum: float = 0.9,
    decay: str = "cosine",
    loss: str = "cross-entropy",
    seed: int = 0,
    validation: float = 0.1,
    patience: int | None = None,
    progress: Progress | None = None,
    optimiser_options: Mapping[str, Any] | None = None,
    decay_options: Mapping[str, Any] | None = None,
    loss_options: Mapping[str, Any] | None = None,
    l1: float = 0.0,
    l2: float = 0.0,
    max_norm: float | None = None,
    weight_noise: float = 0.0,
    clip_norm: float | None = None,
    clip_value: float | None = None,
    rate_strength: float = 0.0,
    rate_target: float = 0.1,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 1,
    resume: str | Path | None = None,
) -> History:
    """Train a network in place; the same arguments give the same bits on the same machine.

    Parameters
    ----------
    network : Network
    x : (frames, ...) array_like
        Samples.
    y : array_like
        Class labels (frames,), or targets (frames, n_out): what a loss takes is in
        :func:`spikewright.learn.training.targets.prepare`.
    rule : {"backprop", "kickback", "broadcast", "frozen", "feedback"}
        See :class:`~spikewright.learn.rules.kickback.Kickback`; the last three are its baselines.
    epochs : int, optional
        Passes over the training samples; enough for 4000 updates if not given.
    batch : int
        Frames per update.
    optimiser : {"adam", "sgd", "nesterov", "adagrad", "rmsprop", "rprop"}
        See :data:`~spikewright.learn.optimise.optimisers.OPTIMISERS`.
    learning_rate : float, optional
        At the start; that of :data:`~spikewright.learn.optimise.optimisers.RATES` if not given.
    momentum : float
        Of "sgd" and "nesterov", from 0 to below 1; unused by the others.
    decay : {"cosine", "none", "step", "exponential", "linear"}
        How the rate falls, see :data:`~spikewright.learn.optimise.schedules.SCHEDULES`.
    loss : {"cross-entropy", "mse", "bernoulli", "hinge", "l1"}
        See :data:`~spikewright.learn.training.losses.LOSSES`.
    seed : int
        Seed of the validation split, the batches, the rate coding, dropout and noise.
    validation : float
        Share of the samples, drawn at random, that is not trained on; 0 for none.
    patience : int, optional
        Stop after so many epochs without a lower validation loss, and go back to the parameters
        that had the lowest.
    progress : callable, optional
        See :data:`~spikewright.learn.training.loop.Progress`.
    optimiser_options, decay_options, loss_options : mapping, optional
        Keyword arguments of the optimiser, the schedule and the loss, such as
        ``{"smoothing": 0.1}`` for cross-entropy.
    l1, l2, max_norm, weight_noise, clip_norm, clip_value
        See :class:`~spikewright.learn.optimise.regularisers.Regularisers`.
    rate_strength, rate_target : float
        Draw the firing rates of hidden neurons to a target, in spikes a step: see
        :func:`~spikewright.learn.rules.backprop.rate_penalty`; rule "backprop" only.
    checkpoint : path, optional
        File that is written, complete or not at all, after whole epochs: all that is needed to go
        on to the very bits that the run would have ended in.
    checkpoint_every : int
        Epochs from one checkpoint to the next; there is always one of the last epoch.
    resume : path, optional
        Checkpoint to go on from, with the same network (any weights), data and options; it may be
        the file that ``checkpoint`` names.

    Returns
    -------
    list of dict
        train_loss, train_accuracy, validation_loss, validation_accuracy and seconds of every
        epoch; accuracies are shares, None for targets that are no classes, and validation is None
        without one. Kickback adds the coherence; backprop the firing_rate of hidden neurons that
        fire, in spikes a step. Also appended to ``network.history``.

    Raises
    ------
    DataError
        If samples or labels do not fit the network or the loss, are others than the checkpoint's,
        or training diverges: the network then keeps its parameters of the last whole epoch, and
        the checkpoint is that of a whole epoch too.
    ProgramError
        If an option is wrong, or the checkpoint is of another network or other options.
    FileError
        If the checkpoint to go on from is missing, incomplete, altered or of another kind.

    Warns
    -----
    SpikewrightWarning
        For each kind of layer that has no hardware form.

    Notes
    -----
    Set the environment variable ``OPENBLAS_NUM_THREADS=1`` before NumPy is imported: products of
    this size run up to ten times slower where BLAS threads wait for each other on a busy machine.
    """
    check_name("Rule", rule, RULES)
    samples = network.check_samples(x)
    options = Options(
        epochs=1 if epochs is None else epochs,
        batch=batch,
        optimiser=optimiser,
        learning_rate=1.0 if learning_rate is None else learning_rate,
        momentum=momentum,
        decay=decay,
        loss=loss,
        seed=seed,
        validation=validation,
        patience=patience,
        optimiser_options=optimiser_options or {},
        decay_options=decay_options or {},
        loss_options=loss_options or {},
        regularisers=Regularisers(
            l1=l1,
            l2=l2,
            max_norm=max_norm,
            weight_noise=weight_noise,
            clip_norm=clip_norm,
            clip_value=clip_value,
            rate_strength=rate_strength,
            rate_target=rate_target,
        ),
    )
    if learning_rate is None:
        options = replace(options, learning_rate=RATES[optimiser])
    if epochs is None:
        options = replace(options, epochs=_epochs(len(samples), options))
    targets = prepare(network, y, len(samples), loss)
    for sentence in unsupported(network.layers):
        warnings.warn(sentence, SpikewrightWarning, stacklevel=2)
    made = _rule(network, rule, options)
    checkpoints = None
    if checkpoint is not None or resume is not None:
        checkpoints = Checkpoints(
            path=checkpoint,
            every=checkpoint_every,
            resume=resume,
            facts=facts(network, rule, samples, targets, options),
        )
    return Training(network, made, samples, targets, options, progress, checkpoints).run()


def _rule(network: Network, name: str, options: Options) -> Rule:
    rates = options.regularisers
    if not rates.rate_strength:
        return RULES[name](network, options.loss, **options.loss_options)
    if name != "backprop":
        raise ProgramError(f"Option rate_strength must be 0 with rule {name!r}, or use 'backprop'")
    return Backprop(
        network,
        options.loss,
        rate_strength=rates.rate_strength,
        rate_target=rates.rate_target,
        **options.loss_options,
    )


def _epochs(frames: int, options: Options) -> int:
    """Epochs that make :data:`UPDATES` updates."""
    trained = math.floor(frames * (1 - options.validation))
    return math.ceil(UPDATES / max(1, math.ceil(trained / options.batch)))
