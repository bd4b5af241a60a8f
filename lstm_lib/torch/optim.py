"""Clipping; the optimisers themselves are torch's."""

import torch


def clip_grad_norm_(params, max_norm):
    r"""Scale all gradients together so that their joint Euclidean norm is at most `max_norm`.

    As :func:`lstm_lib.numpy.clip_grad_norm_`. Unlike torch's function of this name it returns a float and
    does not let a norm pass that is not finite.

    Parameters
    ----------
    params : iterable of torch.nn.Parameter
    max_norm : float

    Returns
    -------
    float
        The norm before clipping.

    Raises
    ------
    ValueError
        If `max_norm` is not positive.
    FloatingPointError
        If the norm is not finite.

    Examples
    --------
    >>> p = torch.nn.Parameter(torch.zeros(2)); p.grad = torch.tensor([3.0, 4.0])
    >>> clip_grad_norm_([p], max_norm=1.0)
    5.0
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm must be positive, got {max_norm}")
    gradients = [p.grad for p in params if p.grad is not None]
    norm = float(torch.nn.utils.get_total_norm(gradients)) if gradients else 0.0
    if norm != norm or norm == float("inf"):
        raise FloatingPointError(
            f"the gradient's norm is {norm}: lower the learning rate or check the data"
        )
    if norm > max_norm:
        for gradient in gradients:
            gradient.mul_(max_norm / norm)
    return norm
