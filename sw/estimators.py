# SPDX-License-Identifier: Apache-2.0
"""Networks as estimators of scikit-learn, for its pipelines and searches."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from spikewright.learn.fit import fit
from spikewright.learn.layers import Dense, Leaky
from spikewright.network import CHUNK, Network
from spikewright.quantize import quantize
from spikewright.sim.errors import DataError, ProgramError
from spikewright.sim.program import Program


class Estimator(BaseEstimator):
    """What the classifier and the regressor share.

    Parameters
    ----------
    hidden, neuron, steps, tau, threshold, epochs, batch, optimiser, learning_rate, decay, l2
        As of :class:`SpikewrightClassifier`.
    validation, patience, random_state
        As of :class:`SpikewrightClassifier`.
    """

    def __init__(
        self,
        hidden: tuple[int, ...] = (64,),
        *,
        neuron: str = "relu",
        steps: int = 20,
        tau: float = 0.02,
        threshold: float = 1.0,
        epochs: int | None = None,
        batch: int = 32,
        optimiser: str = "adam",
        learning_rate: float | None = None,
        decay: str = "cosine",
        l2: float = 0.0,
        validation: float = 0.0,
        patience: int | None = None,
        random_state: Any = None,
    ):
        self.hidden = hidden
        self.neuron = neuron
        self.steps = steps
        self.tau = tau
        self.threshold = threshold
        self.epochs = epochs
        self.batch = batch
        self.optimiser = optimiser
        self.learning_rate = learning_rate
        self.decay = decay
        self.l2 = l2
        self.validation = validation
        self.patience = patience
        self.random_state = random_state

    def program(self, calibrate: Any, **options: Any) -> Program:
        """Quantize the trained network.

        Parameters
        ----------
        calibrate : (frames, features) array_like
            Samples as for :meth:`fit`.
        **options
            Of :func:`spikewright.quantize.quantize`, such as ``weight_bits``.

        Returns
        -------
        Program
            Its outputs are logits (classifier) or targets (regressor).
        """
        samples = self._samples(calibrate)
        return quantize(self.network_, calibrate=samples, **options)

    def _train(self, x: NDArray[np.float32], y: NDArray[Any], n_out: int, loss: str) -> None:
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        if not isinstance(self.hidden, tuple | list):
            raise ProgramError(f"Hidden layers must be a tuple of sizes, not {self.hidden!r}")
        spec = "-".join(map(str, (x.shape[1], *self.hidden, n_out)))
        self.network_ = Network.from_spec(
            spec,
            neuron=self.neuron,
            steps=self.steps,
            tau=self.tau,
            threshold=self.threshold,
            seed=seed,
        )
        self.history_ = fit(
            self.network_,
            x,
            y,
            epochs=self.epochs,
            batch=self.batch,
            optimiser=self.optimiser,
            learning_rate=self.learning_rate,
            decay=self.decay,
            loss=loss,
            l2=self.l2,
            validation=self.validation,
            patience=self.patience,
            seed=seed,
        )
        self.n_iter_ = len(self.history_)

    def _samples(self, x: Any) -> NDArray[np.float32]:
        check_is_fitted(self)
        checked: NDArray[np.float32] = validate_data(self, x, reset=False, dtype=np.float32)
        return checked

    def _outputs(self, x: Any) -> NDArray[np.float64]:
        """Outputs of the network, of each sample the same whatever samples are beside it."""
        checked = self._samples(x)
        # Products of other shapes add in another order.
        padded = np.pad(checked, ((0, -len(checked) % CHUNK), (0, 0)))
        return self.network_.forward(padded)[: len(checked)].astype(np.float64)


class SpikewrightClassifier(ClassifierMixin, Estimator):
    """A network of rectifiers or of spiking neurons as scikit-learn's classifier.

    Inputs are taken as they are: put a scaler before it in a pipeline.

    Parameters
    ----------
    hidden : tuple of int
        Sizes of the hidden layers; none for a linear model.
    neuron : {"relu", "lif"}
    steps : int
        Time steps of a sample; unused for "relu".
    tau : float
        Membrane time constant, in seconds, of steps of 1 ms; unused for "relu".
    threshold : float
        Voltage at which a neuron fires; unused for "relu".
    epochs, batch, optimiser, learning_rate, decay, l2, validation, patience
        See :func:`spikewright.learn.fit.fit`; here all samples are trained on by default.
    random_state : int, RandomState or None
        Seed of the weights and of the training; an int gives the same bits each time.

    Attributes
    ----------
    classes_ : (classes,) ndarray
        Labels, of any kind, in the order of the network's outputs.
    network_ : Network
        Trained, from samples to logits.
    history_ : list of dict
        See :func:`spikewright.learn.fit.fit`.
    n_iter_ : int
        Epochs of training.
    n_features_in_ : int

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> xor = SpikewrightClassifier((8,), epochs=300, random_state=0)
    >>> xor.fit(x, ["same", "other", "other", "same"]).predict(x).tolist()
    ['same', 'other', 'other', 'same']
    """

    classes_: NDArray[Any]

    def fit(self, x: Any, y: Any) -> Self:
        """Train a new network.

        Parameters
        ----------
        x : (samples, features) array_like
        y : (samples,) array_like
            Labels.

        Raises
        ------
        DataError
            If there is only one class, or training diverges.
        ProgramError
            If a parameter is wrong.
        """
        x, y = validate_data(self, x, y, dtype=np.float32)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise DataError(f"y must hold at least 2 classes, and has one class, {y[0]}")
        self._train(x, labels, len(self.classes_), "cross-entropy")
        return self

    def predict_proba(self, x: Any) -> NDArray[np.float64]:
        """Probability of each class, the softmax of the logits: (samples, classes)."""
        logits = self._outputs(x)
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def predict(self, x: Any) -> NDArray[Any]:
        """Most probable label of each sample: (samples,)."""
        best = self._outputs(x).argmax(axis=1)
        return np.asarray(self.classes_[best])


class SpikewrightRegressor(RegressorMixin, Estimator):
    """A network of rectifiers or of spiking neurons as scikit-learn's regressor.

    Trained on the mean squared error of targets scaled to mean 0 and variance 1; the scaling then
    moves into the last layer's weights, so that the network's outputs are the targets. Inputs are
    taken as they are: put a scaler before it in a pipeline.

    Parameters
    ----------
    hidden, neuron, steps, tau, threshold
        As of :class:`SpikewrightClassifier`.
    epochs, batch, optimiser, learning_rate, decay, l2, validation, patience, random_state
        As of :class:`SpikewrightClassifier`.

    Attributes
    ----------
    network_ : Network
        Trained, from samples to targets.
    history_ : list of dict
        See :func:`spikewright.learn.fit.fit`; losses are those of scaled targets.
    n_iter_ : int
        Epochs of training.
    n_features_in_ : int

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 50)[:, None]
    >>> line = SpikewrightRegressor((), random_state=0).fit(x, 3 * x[:, 0] + 20)
    >>> line.predict([[0.5]]).round(1).tolist()
    [21.5]
    """

    def fit(self, x: Any, y: Any) -> Self:
        """Train a new network.

        Parameters
        ----------
        x : (samples, features) array_like
        y : (samples,) or (samples, targets) array_like

        Raises
        ------
        DataError
            If training diverges.
        ProgramError
            If a parameter is wrong.
        """
        x, y = validate_data(self, x, y, dtype=np.float32, multi_output=True, y_numeric=True)
        targets = np.asarray(y, np.float64).reshape(len(x), -1)
        mean, spread = targets.mean(axis=0), targets.std(axis=0)
        spread[spread == 0] = 1
        self._flat = np.ndim(y) == 1
        self._train(x, (targets - mean) / spread, targets.shape[1], "mse")
        self._scale(mean, spread)
        return self

    def predict(self, x: Any) -> NDArray[np.float64]:
        """Targets of each sample, of the shape that ``y`` had."""
        outputs = self._outputs(x)
        return outputs[:, 0] if self._flat else outputs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _scale(self, mean: NDArray[np.float64], spread: NDArray[np.float64]) -> None:
        """Let the last layer's weights turn scaled targets into targets."""
        network, gain = self.network_, 1.0
        last = network.layers[-1]
        if isinstance(last, Leaky):
            # A constant current of 1 leaves this voltage after the last step.
            leak = last.leak(network.dt)
            gain = (1 - (1 - leak) ** network.steps) / leak
        dense = next(layer for layer in reversed(network.layers) if isinstance(layer, Dense))
        dense.weight *= spread[:, None]
        dense.bias[:] = dense.bias * spread + mean / gain
