"""Layers and models as ONNX graphs, of ONNX's own LSTM, GRU and RNN operators."""

import numpy as np

import lstm_lib
from lstm_lib.convert.blueprint import describe, head_of, is_ours, require
from lstm_lib.convert.gate_orders import GATE_ORDERS, PEEPHOLES, our_gates, reorder
from lstm_lib.files import write_atomically

OPSET = 17
"""The version of ONNX's operators that is written: of 2022, and read by every runtime since."""

IR_VERSION = 8
"""The version of the file format that belongs to :data:`OPSET`."""

_NOT_IN_ONNX = ("proj_size", "layer_norm", "zoneout")
_IN_TRAINING = ("dropout", "recurrent_dropout")


def to_onnx(model, path=None, *, states=False, lengths=False):
    """Write a layer or model as an ONNX graph for inference.

    The graph takes ``x`` of any batch size and any number of steps. A layer gives ``output``, ``h_n`` and, for an
    LSTM, ``c_n``, shaped as the layer itself gives them; a ``SequenceModel`` gives ``y``. All weights are inside.

    Parameters
    ----------
    model : LSTM, GRU, RNN or SequenceModel
        Of either engine. The graph is in its precision; onnxruntime's operators run float32 alone.
    path : str or Path, optional
        Where to write it, atomically.
    states : bool
        Whether the graph takes the initial states too, as ``h_0`` and ``c_0``; otherwise they are zero.
    lengths : bool
        Whether the graph takes ``lengths`` too, int32 of shape (batch,).

    Returns
    -------
    onnx.ModelProto
        Checked, opset 17.

    Raises
    ------
    ValueError
        If the layer has an option that ONNX's operators lack, would draw dropout masks because it is in training
        mode, or `states` is asked for with a SequenceModel, which starts from zero.
    TypeError
        If it is no layer or model of this library.
    ModuleNotFoundError
        If onnx is not installed.

    References
    ----------
    The operators LSTM, GRU and RNN of the ONNX standard, version 14.

    Examples
    --------
    >>> from lstm_lib import numpy as L
    >>> graph = to_onnx(L.GRU(3, 5, num_layers=2), states=True).graph
    >>> [value.name for value in graph.input], [value.name for value in graph.output]
    (['x', 'h_0'], ['output', 'h_n'])
    """
    onnx = require("onnx", "to_onnx", "pip install onnx")
    is_model = is_ours(model, "SequenceModel")
    if is_model and states:
        raise ValueError("states=True needs a layer: a SequenceModel starts from zero states")
    blueprint = describe(model.rnn if is_model else model)
    blueprint.refuse("ONNX", _NOT_IN_ONNX)
    if model.training:
        blueprint.refuse("ONNX", _IN_TRAINING, "a graph draws no masks; call eval() first")
    graph = _Graph(onnx, blueprint)
    top, final = graph.layers(states, lengths)
    if is_model:
        graph.head(top, final[0][-1], head_of(model), model.readout)
    else:
        graph.results(top, final)
    result = graph.finish(type(model).__name__)
    onnx.checker.check_model(result, full_check=True)
    if path is not None:
        write_atomically(path, result.SerializeToString())
    return result


class _Graph:
    """A graph in the making: nodes, weights, inputs and outputs, and the names of values."""

    def __init__(self, onnx, blueprint):
        self.onnx, self.blueprint = onnx, blueprint
        self.layout, self.kind = blueprint.layout, blueprint.layout.kind
        self.directions, self.width = self.layout.directions, self.layout.hidden_size
        self.type = onnx.helper.np_dtype_to_tensor_dtype(blueprint.dtype)
        self.nodes, self.weights, self.inputs, self.outputs = [], [], [], []

    def add(self, operator, inputs, outputs, **attributes):
        """Append a node and return its first output."""
        name = f"{operator}_{outputs[0]}"
        self.nodes.append(
            self.onnx.helper.make_node(operator, inputs, outputs, name=name, **attributes)
        )
        return outputs[0]

    def constant(self, name, array):
        """Store an array and return its name."""
        self.weights.append(self.onnx.numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def take(self, name, shape, type_=None):
        """Declare an input and return its name."""
        info = self.onnx.helper.make_tensor_value_info
        self.inputs.append(info(name, self.type if type_ is None else type_, shape))
        return name

    def give(self, name, value, shape):
        """Declare `value` as an output."""
        self.add("Identity", [value], [name])
        self.outputs.append(self.onnx.helper.make_tensor_value_info(name, self.type, shape))

    def layers(self, states, lengths):
        """Add all layers; return the top one's output (T, B, D*H) and each state's list of parts."""
        layout, names = self.layout, self.layout.states
        shape = ["batch", "steps"] if layout.batch_first else ["steps", "batch"]
        value = self.take("x", [*shape, layout.input_size])
        if layout.batch_first:
            value = self.add("Transpose", [value], ["x_by_step"], perm=[1, 0, 2])
        initial = [self.initial(name) if states else [""] * layout.num_layers for name in names]
        length = self.take("lengths", ["batch"], self.onnx.TensorProto.INT32) if lengths else ""
        merge = self.constant("merge_directions", np.array([0, 0, self.directions * self.width]))
        final = []
        for layer in range(layout.num_layers):
            weights = self.layer_weights(layer)
            inputs = [value, *weights, length, *(part[layer] for part in initial)]
            if layout.peephole:
                inputs.append(self.peepholes(layer))
            outputs = [f"l{layer}_output", *(f"l{layer}_{name}_n" for name in names)]
            self.add(self.kind, inputs, outputs, hidden_size=self.width, **self.attributes())
            by_step = self.add("Transpose", outputs[:1], [f"l{layer}_by_step"], perm=[0, 2, 1, 3])
            value = self.add("Reshape", [by_step, merge], [f"l{layer}_merged"])
            final.append(outputs[1:])
        return value, [list(part) for part in zip(*final, strict=True)]

    def state_shape(self):
        """Shape of a state of all layers."""
        return [self.layout.num_layers * self.directions, "batch", self.width]

    def initial(self, name):
        """Take an initial state as an input and return the part of every layer."""
        whole, count = self.take(f"{name}_0", self.state_shape()), self.layout.num_layers
        if count == 1:
            return [whole]
        parts = [f"l{layer}_{name}_0" for layer in range(count)]
        sizes = self.constant(f"split_{name}_0", np.full(count, self.directions))
        self.add("Split", [whole, sizes], parts, axis=0)
        return parts

    def layer_weights(self, layer):
        """Store W, R and B of one layer and return their names."""
        order = our_gates(self.kind), GATE_ORDERS["onnx"][self.kind].gates
        per_direction = [
            [None if array is None else self.arranged(array, *order) for array in part]
            for part in map(self.blueprint.part, self.suffixes_of(layer))
        ]
        inputs, recurrent, bias_ih, bias_hh = zip(*per_direction, strict=True)
        names = [
            self.constant(f"l{layer}_W", np.stack(inputs)),
            self.constant(f"l{layer}_R", np.stack(recurrent)),
        ]
        if not self.layout.bias:
            return [*names, ""]
        biases = np.concatenate((np.stack(bias_ih), np.stack(bias_hh)), axis=1)
        return [*names, self.constant(f"l{layer}_B", biases)]

    def arranged(self, array, source, target):
        """Blocks in ONNX's order, with zeros for a coupled forget gate, which ONNX does not read."""
        if self.layout.coupled:
            i, *others = np.split(array, len(source) - 1)
            array = np.concatenate([i, np.zeros_like(i), *others])
        return reorder(array, source, target)

    def peepholes(self, layer):
        """Store P of one layer and return its name."""
        order = PEEPHOLES["lstm_lib"], PEEPHOLES["onnx"]
        parts = [
            self.arranged(*self.blueprint.part(suffix, ["weight_ch"]), *order)
            for suffix in self.suffixes_of(layer)
        ]
        return self.constant(f"l{layer}_P", np.stack(parts))

    def suffixes_of(self, layer):
        """Suffixes of one layer's directions."""
        return self.layout.suffixes[layer * self.directions : (layer + 1) * self.directions]

    def attributes(self):
        """Attributes of the operator."""
        attributes = {"direction": "bidirectional" if self.directions == 2 else "forward"}
        if self.layout.coupled:
            attributes["input_forget"] = 1
        if self.kind == "GRU":
            attributes["linear_before_reset"] = 1
        if self.kind == "RNN":
            activation = {"tanh": "Tanh", "relu": "Relu"}[self.layout.nonlinearity]
            attributes["activations"] = [activation] * self.directions
        return attributes

    def results(self, top, final):
        """Give a layer's output and final states."""
        features, shape = self.directions * self.width, ["steps", "batch"]
        if self.layout.batch_first:
            top = self.add("Transpose", [top], ["by_sequence"], perm=[1, 0, 2])
            shape = shape[::-1]
        self.give("output", top, [*shape, features])
        for name, parts in zip("hc", final, strict=False):
            whole = self.add("Concat", parts, [f"{name}_all"], axis=0)
            self.give(f"{name}_n", whole, self.state_shape())

    def head(self, top, h_n, head, readout):
        """Give ``y``: the linear head on every step, or on the top layer's final state."""
        weight, bias = head
        if readout == "all":
            value = self.add("Transpose", [top], ["by_sequence"], perm=[1, 0, 2])
            shape = ["batch", "steps", len(weight)]
        else:
            by_batch = self.add("Transpose", [h_n], ["last_by_sequence"], perm=[1, 0, 2])
            merge = self.constant("merge_last", np.array([0, weight.shape[1]]))
            value = self.add("Reshape", [by_batch, merge], ["last"])
            shape = ["batch", len(weight)]
        value = self.add("MatMul", [value, self.constant("head_weight", weight.T)], ["scores"])
        if bias is not None:
            value = self.add("Add", [value, self.constant("head_bias", bias)], ["scores_biased"])
        self.give("y", value, shape)

    def finish(self, name):
        """The whole model, with who made it."""
        helper = self.onnx.helper
        graph = helper.make_graph(self.nodes, name, self.inputs, self.outputs, self.weights)
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="lstm_lib",
            producer_version=lstm_lib.__version__,
            doc_string=f"{name} with {self.layout.num_layers} recurrent layer(s)",
        )
