"""Schedules: how the learning rate changes from epoch to epoch, with torch's names and arguments.

Each changes ``optimizer.param_groups[0]["lr"]`` at every ``step()``, called once an epoch.
"""

import math

from lstm_lib.validation import one_of, positive_int


class _Schedule:
    """Base: remembers the first learning rate and counts steps."""

    def __init__(self, optimizer):
        self.optimizer = optimizer
        self.base_lr = optimizer.param_groups[0]["lr"]
        self.last_epoch = 0

    def step(self):
        """Count an epoch and set the learning rate that follows."""
        self.last_epoch += 1
        self.optimizer.param_groups[0]["lr"] = self._rate(self.last_epoch)

    def _rate(self, epoch):
        raise TypeError(f"{type(self).__name__} does not say what the learning rate is")

    def state_dict(self):
        """Return all numbers the schedule needs to go on."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state):
        """Take back what :meth:`state_dict` returned."""
        vars(self).update(state)


class StepLR(_Schedule):
    r"""Multiply the learning rate by `gamma` every `step_size` epochs: :math:`\eta_k = \eta_0 \gamma^{\lfloor k/s \rfloor}`.

    Parameters
    ----------
    optimizer : Optimizer
    step_size : int
    gamma : float

    Raises
    ------
    ValueError, TypeError
        If `step_size` is no positive integer.

    Examples
    --------
    >>> import numpy as np
    >>> from lstm_lib import numpy as L
    >>> sgd = L.SGD([L.Parameter(np.zeros(1))], lr=1.0)
    >>> schedule = StepLR(sgd, step_size=2, gamma=0.5)
    >>> rates = []
    >>> for _ in range(4):
    ...     schedule.step(); rates.append(sgd.param_groups[0]["lr"])
    >>> rates
    [1.0, 0.5, 0.5, 0.25]
    """

    def __init__(self, optimizer, step_size, gamma=0.1):
        super().__init__(optimizer)
        self.step_size, self.gamma = positive_int("step_size", step_size), gamma

    def _rate(self, epoch):
        return self.base_lr * self.gamma ** (epoch // self.step_size)


class CosineAnnealingLR(_Schedule):
    r"""Half a cosine from the first learning rate down to `eta_min` over `T_max` epochs.

    .. math::  \eta_k = \eta_{\min} + \tfrac12 (\eta_0 - \eta_{\min}) (1 + \cos(\pi k / T_{\max}))

    Parameters
    ----------
    optimizer : Optimizer
    T_max : int
    eta_min : float

    Raises
    ------
    ValueError, TypeError
        If `T_max` is no positive integer.

    References
    ----------
    I. Loshchilov, F. Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from lstm_lib import numpy as L
    >>> sgd = L.SGD([L.Parameter(np.zeros(1))], lr=1.0)
    >>> schedule, rates = CosineAnnealingLR(sgd, T_max=4), []
    >>> for _ in range(4):
    ...     schedule.step(); rates.append(round(sgd.param_groups[0]["lr"], 4))
    >>> rates
    [0.8536, 0.5, 0.1464, 0.0]
    """

    def __init__(self, optimizer, T_max, eta_min=0.0):
        super().__init__(optimizer)
        self.T_max, self.eta_min = positive_int("T_max", T_max), eta_min

    def _rate(self, epoch):
        wave = 1 + math.cos(math.pi * epoch / self.T_max)
        return self.eta_min + 0.5 * (self.base_lr - self.eta_min) * wave


class ReduceLROnPlateau(_Schedule):
    """Multiply the learning rate by `factor` when a watched value has not improved for `patience` epochs.

    Parameters
    ----------
    optimizer : Optimizer
    mode : {"min", "max"}
        Whether the value should fall, as a loss, or rise, as an accuracy.
    factor : float
        Above 0 and below 1.
    patience : int
        Epochs without progress that are tolerated; the next one acts.
    threshold : float
        Progress is a value below ``best * (1 - threshold)``, or above ``best * (1 + threshold)``.
    min_lr : float
        The learning rate does not fall below it.

    Raises
    ------
    ValueError
        For an unknown mode, or a factor outside (0, 1).

    Examples
    --------
    >>> import numpy as np
    >>> from lstm_lib import numpy as L
    >>> sgd = L.SGD([L.Parameter(np.zeros(1))], lr=1.0)
    >>> schedule = ReduceLROnPlateau(sgd, patience=1)
    >>> rates = []
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     schedule.step(loss); rates.append(sgd.param_groups[0]["lr"])
    >>> rates
    [1.0, 1.0, 1.0, 0.1]
    """

    _SMALLEST_CHANGE = 1e-8  # torch's eps: smaller changes of the rate are left out

    def __init__(
        self, optimizer, mode="min", factor=0.1, patience=10, threshold=1e-4, *, min_lr=0.0
    ):
        super().__init__(optimizer)
        self.mode = one_of("mode", mode, ("min", "max"))
        if not 0 < factor < 1:
            raise ValueError(f"factor must lie between 0 and 1, got {factor}")
        self.factor, self.patience, self.threshold = factor, patience, threshold
        self.min_lr, self.bad_epochs = min_lr, 0
        self.best = math.inf if mode == "min" else -math.inf

    def step(self, value):
        """Count an epoch that ended with `value`."""
        self.last_epoch += 1
        if self._improves(value):
            self.best, self.bad_epochs = value, 0
        else:
            self.bad_epochs += 1
        if self.bad_epochs > self.patience:
            settings = self.optimizer.param_groups[0]
            lower = max(settings["lr"] * self.factor, self.min_lr)
            if settings["lr"] - lower > self._SMALLEST_CHANGE:
                settings["lr"] = lower
            self.bad_epochs = 0

    def _improves(self, value):
        if self.mode == "min":
            return value < self.best * (1 - self.threshold)
        return value > self.best * (1 + self.threshold)
