"""One direction of one layer of an LSTM with options, seen from inside, as in evaluation mode."""

import numpy as np

from lstm_lib.normalisation import layer_norm, layer_norm_backward
from lstm_lib.probe.cells import SYMBOLS
from lstm_lib.variants import VariantMasks, VariantWeights, variant_step, variant_step_backward


class VariantInside:
    """The step of :mod:`lstm_lib.variants`; an intervention has no place in it.

    Parameters
    ----------
    weights : dict of str to ndarray
        Of one layer and direction, without suffix.
    layout : lstm_lib.layout.Layout
    """

    symbols = SYMBOLS["LSTM"]
    states = ("h", "c")

    def __init__(self, weights, layout):
        self.weight_ih, self.weight_hh = weights["weight_ih"], weights["weight_hh"]
        self.norm_ih, self.coupled = weights.get("norm_ih"), layout.coupled
        self.bias = weights["bias_ih"] + weights["bias_hh"] if layout.bias else 0
        fields = {name: weights.get(name) for name in VariantWeights._fields}
        self.step_weights = VariantWeights(**fields)
        self.sizes = (layout.units, layout.hidden_size)
        self.masks = VariantMasks(None, *(p or None for p in layout.zoneout))

    def step(self, x, state, edit):
        if edit is not None:
            raise ValueError("edit knows the standard LSTM, GRU and RNN; this LSTM has options")
        step = self._of(x, *state)
        return {name: getattr(step, name) for name in self.symbols} | {"step": step, "x": x}

    def _of(self, x, h, c):
        product = x @ self.weight_ih.T
        if self.norm_ih is not None:
            product = layer_norm(product, self.norm_ih)
        return variant_step(product + self.bias, h, c, self.step_weights, self.masks, self.coupled)

    def backward(self, d_state, found, x, before):
        dh, dc = d_state
        by = variant_step_backward(
            dh, dc, found["step"], *before, self.step_weights, self.masks, self.coupled
        )
        of_symbols = dict(zip("ifgo", by.gates, strict=True))
        of_symbols |= {"c": by.c_new if self.masks.zoneout_c is None else dc, "h": dh}
        d_product = by.from_x
        if self.norm_ih is not None:
            d_product, *_ = layer_norm_backward(d_product, x @ self.weight_ih.T, self.norm_ih)
        return of_symbols, d_product @ self.weight_ih, (by.h, by.c)

    def jacobian(self, found, before):
        """Exact by the complex step: one evaluation for every unit of the state before."""
        x, (h, c) = found["x"], (part.astype(complex) for part in before)
        columns = []
        for part in (h, c):
            for unit in range(part.shape[-1]):
                part[..., unit] += 1e-30j
                step = self._of(x, h, c)
                part[..., unit] = part[..., unit].real
                columns.append(np.concatenate((step.h, step.c), axis=-1).imag / 1e-30)
        return np.stack(columns, axis=-1).astype(found["h"].dtype)
