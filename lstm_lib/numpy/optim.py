"""Optimisers: how a gradient becomes a step, with torch's names, defaults and state."""

import numpy as np

from lstm_lib.validation import check_fraction


class Optimizer:
    """Base class: holds parameters, their settings and the state of each.

    ``state_dict`` has torch's structure, ``{"state": {index: {...}}, "param_groups": [...]}``, so a
    checkpoint treats both engines alike.
    """

    def __init__(self, params, **settings):
        self.params = list(params)
        if not self.params:
            raise ValueError("the optimizer got an empty list of parameters")
        for entry in self.params:
            if not hasattr(entry, "grad"):
                raise TypeError(
                    f"params must be Parameters, got a {type(entry).__name__}; groups are not supported"
                )
        if not settings["lr"] > 0:
            raise ValueError(f"lr must be positive, got {settings['lr']}")
        self.param_groups = [{**settings, "params": self.params}]
        self.state = [{} for _ in self.params]

    def zero_grad(self):
        """Forget the gradients of all parameters."""
        for parameter in self.params:
            parameter.grad = None

    def step(self):
        """Change every parameter that has a gradient, in place."""
        settings = self.param_groups[0]
        for parameter, state in zip(self.params, self.state, strict=True):
            if parameter.grad is not None:
                self._update(parameter, parameter.grad, state, settings)

    def _update(self, parameter, grad, state, settings):
        raise TypeError(f"{type(self).__name__} does not say how to make a step")

    def state_dict(self):
        """Return copies of the state of every parameter and the settings."""
        settings = {k: v for k, v in self.param_groups[0].items() if k != "params"}
        return {
            "state": {
                index: {name: np.copy(value) for name, value in state.items()}
                for index, state in enumerate(self.state)
                if state
            },
            "param_groups": [{**settings, "params": list(range(len(self.params)))}],
        }

    def load_state_dict(self, saved):
        """Take back what :meth:`state_dict` returned."""
        for index, state in saved["state"].items():
            for name, value in state.items():
                if np.ndim(value) and np.shape(value) != self.params[index].shape:
                    raise ValueError(
                        f"optimizer state {name} of parameter {index} must have shape "
                        f"{self.params[index].shape}, got {np.shape(value)}"
                    )
        self.state = [
            {name: np.copy(value) for name, value in saved["state"].get(index, {}).items()}
            for index in range(len(self.params))
        ]
        settings = {k: v for k, v in saved["param_groups"][0].items() if k != "params"}
        self.param_groups[0].update(settings)


class SGD(Optimizer):
    r"""Gradient descent with momentum.

    .. math::

        v \leftarrow \mu v + (1 - \tau) (\nabla + \lambda \theta), \qquad
        \theta \leftarrow \theta - \eta v

    Parameters
    ----------
    params : iterable of Parameter
    lr : float
        Learning rate :math:`\eta`.
    momentum : float
        :math:`\mu`, at least 0 and below 1.
    dampening : float
        :math:`\tau`, which the first step leaves out.
    weight_decay : float
        :math:`\lambda`, at least 0.
    nesterov : bool
        Steps along :math:`\nabla + \lambda \theta + \mu v` instead of :math:`v`: the gradient ahead.
        Needs momentum and no dampening.

    Raises
    ------
    ValueError
        If a setting lies outside its range, or there is nothing to optimise.
    TypeError
        If something is no :class:`Parameter`.

    References
    ----------
    I. Sutskever, J. Martens, G. Dahl, G. Hinton, On the importance of initialization and momentum in
    deep learning, ICML 2013.

    Examples
    --------
    >>> from lstm_lib.numpy import Parameter
    >>> p = Parameter(np.array([1.0])); p.grad = np.array([2.0])
    >>> SGD([p], lr=0.1).step(); p.data
    array([0.8])
    """

    def __init__(
        self, params, lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False
    ):
        check_fraction("momentum", momentum)
        _check_decay(weight_decay)
        if nesterov and (momentum == 0 or dampening != 0):
            raise ValueError("nesterov needs a momentum above 0 and a dampening of 0")
        super().__init__(
            params,
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
        )

    def _update(self, parameter, grad, state, settings):
        momentum, grad = settings["momentum"], _decayed(parameter, grad, settings)
        if momentum:
            previous = state.get("momentum_buffer")
            if previous is None:
                velocity = grad.copy()
            else:
                velocity = momentum * previous + (1 - settings["dampening"]) * grad
            state["momentum_buffer"] = velocity
            grad = grad + momentum * velocity if settings["nesterov"] else velocity
        parameter.data -= settings["lr"] * grad


class Adam(Optimizer):
    r"""Adam: steps scaled by running means of the gradient and its square.

    .. math::

        m \leftarrow \beta_1 m + (1 - \beta_1) \nabla, \quad
        v \leftarrow \beta_2 v + (1 - \beta_2) \nabla^2, \quad
        \theta \leftarrow \theta - \eta\,
        \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    Parameters
    ----------
    params : iterable of Parameter
    lr : float
    betas : pair of float
        :math:`\beta_1, \beta_2`.
    eps : float
        :math:`\epsilon`, which keeps the division finite.
    weight_decay : float
        :math:`\lambda`: the gradient is taken of the loss plus
        :math:`\tfrac12 \lambda \lVert\theta\rVert^2`. :class:`AdamW` decays otherwise.
    amsgrad : bool
        Divide by the largest :math:`v` so far, so that no step grows for want of gradients.

    Raises
    ------
    ValueError, TypeError
        As :class:`SGD`.

    References
    ----------
    D. Kingma, J. Ba, Adam: a method for stochastic optimization, ICLR 2015; S. Reddi, S. Kale,
    S. Kumar, On the convergence of Adam and beyond, ICLR 2018 (AMSGrad).

    Examples
    --------
    The first step has the size of the learning rate, whatever the gradient:

    >>> from lstm_lib.numpy import Parameter
    >>> p = Parameter(np.array([1.0])); p.grad = np.array([1e-3])
    >>> Adam([p], lr=0.1).step(); print(f"{p.data[0]:.4f}")
    0.9000
    """

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, amsgrad=False
    ):
        for beta in betas:
            if not 0 <= beta < 1:
                raise ValueError(f"betas must lie in [0, 1), got {betas}")
        _check_decay(weight_decay)
        super().__init__(
            params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, amsgrad=amsgrad
        )

    def _update(self, parameter, grad, state, settings):
        self._step_along(parameter, _decayed(parameter, grad, settings), state, settings)

    def _step_along(self, parameter, grad, state, settings):
        beta_1, beta_2 = settings["betas"]
        if not state:
            state["step"] = np.zeros(())
            for name in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")[: 2 + settings["amsgrad"]]:
                state[name] = np.zeros_like(parameter.data)
        state["step"] += 1
        step, m, v = float(state["step"]), state["exp_avg"], state["exp_avg_sq"]
        m *= beta_1
        m += (1 - beta_1) * grad
        v *= beta_2
        v += (1 - beta_2) * (grad * grad)
        if settings["amsgrad"]:
            v = np.maximum(state["max_exp_avg_sq"], v, out=state["max_exp_avg_sq"])
        denominator = np.sqrt(v) / np.sqrt(1 - beta_2**step) + settings["eps"]
        parameter.data -= (settings["lr"] / (1 - beta_1**step)) * m / denominator


class AdamW(Adam):
    r"""Adam with weight decay that does not pass through the running means.

    Every step first shrinks the weights, :math:`\theta \leftarrow (1 - \eta \lambda)\, \theta`, and then does
    what :class:`Adam` does without decay.

    Parameters
    ----------
    params, lr, betas, eps, amsgrad
        As in :class:`Adam`.
    weight_decay : float
        :math:`\lambda`, at least 0.

    Raises
    ------
    ValueError, TypeError
        As :class:`SGD`.

    References
    ----------
    I. Loshchilov, F. Hutter, Decoupled weight decay regularization, ICLR 2019.

    Examples
    --------
    >>> from lstm_lib.numpy import Parameter
    >>> p = Parameter(np.array([1.0])); p.grad = np.array([0.0])
    >>> AdamW([p], lr=0.1, weight_decay=0.5).step(); p.data
    array([0.95])
    """

    def __init__(
        self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False
    ):
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad)

    def _update(self, parameter, grad, state, settings):
        parameter.data *= 1 - settings["lr"] * settings["weight_decay"]
        self._step_along(parameter, grad, state, settings)


class RMSprop(Optimizer):
    r"""Steps scaled by a running mean of the squared gradient.

    .. math::

        v \leftarrow \alpha v + (1 - \alpha) \nabla^2, \qquad
        u \leftarrow \mu u + \frac{\nabla}{\sqrt v + \epsilon}, \qquad
        \theta \leftarrow \theta - \eta\, u

    Parameters
    ----------
    params : iterable of Parameter
    lr : float
    alpha : float
        How much of the running mean is kept.
    eps : float
    weight_decay : float
        As in :class:`Adam`.
    momentum : float
        :math:`\mu`, at least 0 and below 1.
    centered : bool
        Divide by the running standard deviation: the square of a running mean of the gradient is
        taken off :math:`v`.

    Raises
    ------
    ValueError, TypeError
        As :class:`SGD`.

    References
    ----------
    T. Tieleman, G. Hinton, Lecture 6.5 of Neural networks for machine learning, Coursera, 2012;
    A. Graves, Generating sequences with recurrent neural networks, arXiv:1308.0850, 2013
    (centered, with momentum).

    Examples
    --------
    >>> from lstm_lib.numpy import Parameter
    >>> p = Parameter(np.array([1.0])); p.grad = np.array([2.0])
    >>> RMSprop([p], lr=0.1, alpha=0.75).step(); print(f"{p.data[0]:.4f}")
    0.8000
    """

    def __init__(
        self,
        params,
        lr=1e-2,
        alpha=0.99,
        eps=1e-8,
        weight_decay=0.0,
        momentum=0.0,
        centered=False,
    ):
        check_fraction("alpha", alpha)
        check_fraction("momentum", momentum)
        _check_decay(weight_decay)
        super().__init__(
            params,
            lr=lr,
            alpha=alpha,
            eps=eps,
            weight_decay=weight_decay,
            momentum=momentum,
            centered=centered,
        )

    def _update(self, parameter, grad, state, settings):
        alpha, grad = settings["alpha"], _decayed(parameter, grad, settings)
        if not state:
            state["step"] = np.zeros(())
            names = ["square_avg"] + ["momentum_buffer"] * bool(settings["momentum"])
            for name in names + ["grad_avg"] * bool(settings["centered"]):
                state[name] = np.zeros_like(parameter.data)
        state["step"] += 1
        v = state["square_avg"]
        v *= alpha
        v += (1 - alpha) * (grad * grad)
        if settings["centered"]:
            mean = state["grad_avg"]
            mean *= alpha
            mean += (1 - alpha) * grad
            v = v - mean * mean
        change = grad / (np.sqrt(v) + settings["eps"])
        if settings["momentum"]:
            state["momentum_buffer"] *= settings["momentum"]
            state["momentum_buffer"] += change
            change = state["momentum_buffer"]
        parameter.data -= settings["lr"] * change


def _check_decay(weight_decay):
    if not weight_decay >= 0:
        raise ValueError(f"weight_decay must be at least 0, got {weight_decay}")


def _decayed(parameter, grad, settings):
    """The gradient of the loss with the weights' squared norm, where there is weight decay."""
    decay = settings["weight_decay"]
    return grad + decay * parameter.data if decay else grad


def clip_grad_value_(params, clip_value):
    r"""Limit every entry of every gradient to :math:`[-\texttt{clip\_value}, \texttt{clip\_value}]`.

    Unlike :func:`clip_grad_norm_` this changes the gradient's direction.

    Parameters
    ----------
    params : iterable of Parameter
        Those without a gradient are left out.
    clip_value : float

    Raises
    ------
    ValueError
        If `clip_value` is not positive.

    References
    ----------
    T. Mikolov, Statistical language models based on neural networks, PhD thesis, Brno University of
    Technology, 2012.

    Examples
    --------
    >>> from lstm_lib.numpy import Parameter
    >>> p = Parameter(np.zeros(2)); p.grad = np.array([3.0, -0.5])
    >>> clip_grad_value_([p], clip_value=1.0); p.grad
    array([ 1. , -0.5])
    """
    if not clip_value > 0:
        raise ValueError(f"clip_value must be positive, got {clip_value}")
    for p in params:
        if p.grad is not None:
            p.grad = np.clip(p.grad, -clip_value, clip_value)


def clip_grad_norm_(params, max_norm):
    r"""Scale all gradients together so that their joint Euclidean norm is at most `max_norm`.

    .. math::  \nabla \leftarrow \nabla \cdot \min(1, \texttt{max\_norm} / \lVert\nabla\rVert)

    Parameters
    ----------
    params : iterable of Parameter
        Those without a gradient are left out.
    max_norm : float
        Infinity clips nothing and still measures.

    Returns
    -------
    float
        The norm before clipping.

    Raises
    ------
    ValueError
        If `max_norm` is not positive.
    FloatingPointError
        If the norm is not finite, because scaling by it would silently destroy the weights.

    References
    ----------
    R. Pascanu, T. Mikolov, Y. Bengio, On the difficulty of training recurrent neural networks,
    ICML 2013.

    Examples
    --------
    >>> from lstm_lib.numpy import Parameter
    >>> p = Parameter(np.zeros(2)); p.grad = np.array([3.0, 4.0])
    >>> clip_grad_norm_([p], max_norm=1.0), p.grad
    (5.0, array([0.6, 0.8]))
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm must be positive, got {max_norm}")
    params = [p for p in params if p.grad is not None]
    norm = float(np.sqrt(sum(float((p.grad.astype(np.float64) ** 2).sum()) for p in params)))
    if not np.isfinite(norm):
        raise FloatingPointError(
            f"the gradient's norm is {norm}: lower the learning rate or check the data"
        )
    if norm > max_norm:
        for p in params:
            p.grad = p.grad * p.grad.dtype.type(max_norm / norm)
    return norm
