"""A look inside: what every gate of an LSTM does at every step."""

import numpy as np

from lstm_lib.equations import lstm_step
from lstm_lib.parameters import suffixes, to_numpy
from lstm_lib.validation import sequence_shape

SYMBOLS = ("i", "f", "g", "o", "c", "h")


def trace(lstm, x, hx=None, edit=None):
    """Run an LSTM of either engine and keep every gate, candidate and state.

    The sequences are computed step by step with :func:`lstm_lib.equations.lstm_step`, in NumPy and in
    the layer's precision, whatever engine the layer belongs to.

    Parameters
    ----------
    lstm : LSTM
        Of :mod:`lstm_lib.numpy` or :mod:`lstm_lib.torch`.
    x : array, shape (T, B, I), or (B, T, I) with ``batch_first``
    hx : pair of arrays, shape (layers * directions, B, H), optional
        Initial states; zeros by default.
    edit : callable, optional
        An intervention: called at every step as ``edit(t, gates)`` with the step t, counted from 0 in
        the direction's own order, and the dict of ``i, f, g, o``, each (B, H). What it returns takes
        their place, and the states follow from it. It shows what a gate is *for*, where the trace only
        shows what it does.

    Returns
    -------
    dict of str to dict of str to ndarray
        For every layer and direction, under torch's suffix (``"l0"``, ``"l0_reverse"``, ...), the
        symbols ``i, f, g, o, c, h``, each with the axes of the output: (T, B, H) or (B, T, H). Step t
        is the t-th element of the sequence in both directions.

    Raises
    ------
    TypeError
        For a layer that is no LSTM.

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> lstm = L.LSTM(2, 3, dtype=np.float64, rng=0)
    >>> x = np.ones((5, 4, 2))
    >>> gates = trace(lstm, x)["l0"]
    >>> gates["f"].shape
    (5, 4, 3)
    >>> bool(np.allclose(gates["h"], lstm(x)[0]))
    True

    With the input gate shut nothing is ever written:

    >>> shut = trace(lstm, x, edit=lambda t, gates: gates | {"i": 0 * gates["i"]})["l0"]
    >>> float(np.abs(shut["c"]).max())
    0.0
    """
    if getattr(lstm, "gates", None) != 4:
        raise TypeError(f"trace looks into an LSTM, got {type(lstm).__name__}")
    weights = {name: to_numpy(value) for name, value in lstm.state_dict().items()}
    x = to_numpy(x).astype(weights["weight_ih_l0"].dtype)
    _, batch = sequence_shape(x.shape, lstm.input_size, lstm.batch_first)
    layer_input = x.swapaxes(0, 1) if lstm.batch_first else x
    names = suffixes(lstm.num_layers, lstm.bidirectional)
    zeros = np.zeros((len(names), batch, lstm.hidden_size), x.dtype)
    h_0, c_0 = (zeros, zeros) if hx is None else (to_numpy(state) for state in hx)
    directions = 2 if lstm.bidirectional else 1
    traces = {}
    for index, suffix in enumerate(names):
        backwards = suffix.endswith("_reverse")
        steps = layer_input[::-1] if backwards else layer_input
        found = _trace_layer(steps, h_0[index], c_0[index], weights, suffix, edit)
        traces[suffix] = {name: a[::-1] if backwards else a for name, a in found.items()}
        if (index + 1) % directions == 0:
            parts = [traces[name]["h"] for name in names[index + 1 - directions : index + 1]]
            layer_input = np.concatenate(parts, axis=-1)
    if lstm.batch_first:
        traces = {s: {n: a.swapaxes(0, 1) for n, a in t.items()} for s, t in traces.items()}
    return traces


def _trace_layer(x, h, c, weights, suffix, edit):
    weight_ih, weight_hh = weights[f"weight_ih_{suffix}"], weights[f"weight_hh_{suffix}"]
    bias = None
    if f"bias_ih_{suffix}" in weights:
        bias = weights[f"bias_ih_{suffix}"] + weights[f"bias_hh_{suffix}"]
    steps = []
    for t, x_t in enumerate(x):
        step = lstm_step(x_t, h, c, weight_ih, weight_hh, bias)
        gates = {name: getattr(step, name) for name in "ifgo"}
        if edit is None:
            h, c = step.h, step.c
        else:
            gates = edit(t, gates)
            c = gates["f"] * c + gates["i"] * gates["g"]
            h = gates["o"] * np.tanh(c)
        steps.append({**gates, "c": c, "h": h})
    return {name: np.stack([step[name] for step in steps]) for name in SYMBOLS}
