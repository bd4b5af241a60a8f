"""The structure of an ONNX graph: which recurrent operators feed which, and what stands on top.

Values are followed backwards through operators that only move axes. What every axis means is known at every
point (T steps, B batch, D directions, H units, F features), so a graph that would mix them up is refused.
"""

import numpy as np

_MOVES = ("Identity", "Dropout", "Transpose", "Squeeze", "Reshape", "Gather")
_ZERO_PATH = ("Identity", "Slice", "Split", "Squeeze", "Unsqueeze", "Expand", "Cast")
_BESIDE = ("Constant", "Shape", "Concat", "Add", "MatMul", "Gemm", "ConstantOfShape")


class Graph:
    """A reader of one graph.

    Parameters
    ----------
    onnx : module
    graph : onnx.GraphProto
    kinds : sequence of str
        The recurrent operators.
    """

    def __init__(self, onnx, graph, kinds):
        self.onnx, self.graph, self.kinds = onnx, graph, kinds
        to_array = onnx.numpy_helper.to_array
        self.constants = {tensor.name: to_array(tensor) for tensor in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant":
                value = onnx.helper.get_attribute_value(node.attribute[0])
                is_tensor = isinstance(value, onnx.TensorProto)
                self.constants[node.output[0]] = to_array(value) if is_tensor else np.asarray(value)
        self.inputs = {value.name for value in graph.input} - self.constants.keys()
        self.producers = {name: node for node in graph.node for name in node.output if name}

    def attribute(self, node, name, default):
        """An attribute of a node, or `default`."""
        for attribute in node.attribute:
            if attribute.name == name:
                return self.onnx.helper.get_attribute_value(attribute)
        return default

    def constant_input(self, node, index):
        """The stored array that a node takes as its input number `index`, or None."""
        return self.constants.get(node.input[index]) if len(node.input) > index else None

    def index(self, gather):
        """The one position that a Gather takes, or None."""
        index = self.constant_input(gather, 1)
        return int(index) if index is not None and index.ndim == 0 else None

    def structure(self):
        """Return the recurrent nodes from the bottom up, ``batch_first``, head and readout.

        The head is ``(weight, bias or None)`` of a linear layer, or None; the readout is ``"last"``,
        ``"all"`` or None.
        """
        recurrent = [node for node in self.graph.node if node.op_type in self.kinds]
        if not recurrent:
            raise ValueError(f"the graph has none of the operators {', '.join(self.kinds)}")
        if len({node.op_type for node in recurrent}) > 1:
            raise ValueError("the graph mixes recurrent operators of several kinds")
        self.check_operators()
        head, value = self.split_head(self.graph.output[0].name)
        joined = self.joined_directions(value)
        moves, source = ([], joined) if joined else self.trace(value)
        node = self.recurrent_at(source, "the first output")
        stack, batch_first = self.stack_below(node)
        if len(stack) != len(recurrent):
            raise ValueError("the recurrent operators must form one stack, each on the one below")
        axes = ("B", "F") if joined else self.after(moves, self.axes_of(node, source), node)
        readout = self.readout(head, axes, batch_first)
        for layer in stack:
            self.check_states(layer, with_head=head is not None)
            self.check_lengths(layer, readout == "last" and source == node.output[0])
        return stack, batch_first, head, readout

    def check_operators(self):
        """Raise if the graph has an operator that is known neither as a layer nor as plumbing."""
        known = {*self.kinds, *_MOVES, *_ZERO_PATH, *_BESIDE}
        for node in self.graph.node:
            if node.domain not in ("", "ai.onnx") or node.op_type not in known:
                raise ValueError(
                    f"from_onnx reads stacks of recurrent operators with a linear layer on top; "
                    f"this graph also has {node.op_type}"
                )

    def split_head(self, value):
        """``((weight, bias), value below)`` of a linear layer that makes `value`, or ``(None, value)``."""
        node = self.producers.get(value)
        while node is not None and node.op_type == "Identity":
            value = node.input[0]
            node = self.producers.get(value)
        if node is None or node.op_type not in ("Gemm", "MatMul", "Add"):
            return None, value
        if node.op_type == "Gemm":
            return self.gemm(node)
        bias = None
        if node.op_type == "Add":
            bias, below = self.operands(node)
            node = self.producers.get(below)
        if node is None or node.op_type != "MatMul":
            raise ValueError("Add is understood only as the bias of a MatMul on top")
        weight = self.constant_input(node, 1)
        if weight is None or weight.ndim != 2:
            raise ValueError("MatMul must multiply with a stored matrix from the right")
        return (weight.T, self.head_bias(bias, weight.shape[1])), node.input[0]

    def operands(self, node):
        """The stored and the computed operand of an Add."""
        for stored, computed in (node.input, node.input[::-1]):
            if stored in self.constants:
                return self.constants[stored], computed
        raise ValueError("Add of two computed values is not understood")

    def gemm(self, node):
        """Weight, bias and input of a Gemm."""
        plain = all(self.attribute(node, name, 1.0) == 1.0 for name in ("alpha", "beta"))
        weight, bias = self.constant_input(node, 1), self.constant_input(node, 2)
        if not plain or self.attribute(node, "transA", 0) or weight is None:
            raise ValueError(
                "Gemm must be a linear layer: alpha = beta = 1, transA = 0, stored weight"
            )
        weight = weight if self.attribute(node, "transB", 0) else weight.T
        if bias is None and len(node.input) > 2:
            raise ValueError("the bias of Gemm is computed by the graph; it must be stored in it")
        return (weight, self.head_bias(bias, len(weight))), node.input[0]

    def head_bias(self, bias, width):
        """The bias of the head, one number an output."""
        if bias is not None and bias.shape != (width,):
            raise ValueError(f"the bias on top must have shape ({width},), got {bias.shape}")
        return bias

    def joined_directions(self, value):
        """The final state whose two directions `value` puts side by side, ``cat((h_n[-2], h_n[-1]), -1)``."""
        node = self.producers.get(value)
        if (
            node is None
            or node.op_type != "Concat"
            or self.attribute(node, "axis", 0) not in (1, -1)
        ):
            return None
        taken = [self.producers.get(name) for name in node.input]
        if [None if part is None else part.op_type for part in taken] != ["Gather", "Gather"]:
            return None
        states = {part.input[0] for part in taken}
        state, indices = states.pop(), [self.index(part) for part in taken]
        on_first_axis = not any(self.attribute(part, "axis", 0) for part in taken)
        below, last_two = self.producers.get(state), ([-2, -1], [0, 1])
        if below is not None and below.op_type == "Concat":
            last_two = ([-2, -1],)
            state, below = below.input[-1], self.producers.get(below.input[-1])
        final = below is not None and below.op_type in self.kinds and state in below.output[1:2]
        if states or indices not in last_two or not on_first_axis or not final:
            return None
        return state if self.two_directions(below) else None

    def trace(self, value):
        """Moves of axes that lead to `value`, first to last, and the value where they start."""
        moves = []
        node = self.producers.get(value)
        while node is not None and node.op_type in _MOVES:
            value = node.input[0]
            below = self.producers.get(value)
            if node.op_type == "Gather" and below is not None and below.op_type == "Concat":
                value = self.last_of(node, below)
            moves.append(node)
            node = self.producers.get(value)
        return moves[::-1], value

    def last_of(self, gather, concat):
        """The part that holds the last state, when a Gather takes it out of all layers' states."""
        if self.attribute(concat, "axis", 0) != 0 or self.index(gather) != -1:
            raise ValueError("Gather after Concat is understood only as the last of all states")
        return concat.input[-1]

    def recurrent_at(self, value, what):
        """The recurrent node whose output `value` is."""
        node = self.producers.get(value)
        if node is None or node.op_type not in self.kinds:
            maker = "an input" if node is None else node.op_type
            raise ValueError(f"{what} must come from a recurrent operator, it comes from {maker}")
        return node

    def stack_below(self, node):
        """All recurrent nodes from the bottom to `node`, and whether the input is batch first."""
        stack = [node]
        while True:
            moves, source = self.trace(stack[0].input[0])
            if source in self.inputs:
                return stack, self.input_layout(moves)
            below = self.recurrent_at(source, "the input of a layer")
            axes = self.after(moves, self.axes_of(below, source), below)
            if axes != ("T", "B", "F"):
                raise ValueError(f"a layer reads the one below with the axes {axes}, not (T, B, F)")
            stack.insert(0, below)

    def input_layout(self, moves):
        """Whether the graph's input is batch first."""
        for batch_first, axes in ((False, ("T", "B", "F")), (True, ("B", "T", "F"))):
            if self.after(moves, axes, None) == ("T", "B", "F"):
                return batch_first
        raise ValueError("the input must reach the first layer as it is, or with T and B swapped")

    def axes_of(self, node, value):
        """The axes of an output of a recurrent node."""
        if value == node.output[0]:
            return ("T", "D", "B", "H")
        if value in node.output[1:2]:
            return ("D", "B", "H")
        raise ValueError("the cell state is understood as an output alone")

    def after(self, moves, axes, node):
        """The axes after all moves; D and H become F when there is one direction or they are merged."""
        for move in moves:
            axes = getattr(self, f"_after_{move.op_type.lower()}")(move, axes, node)
        return axes

    def _after_identity(self, move, axes, node):
        return axes

    def _after_dropout(self, move, axes, node):
        if len(move.input) > 2 and move.input[2] and self.constant_input(move, 2) is None:
            raise ValueError("Dropout must be switched off by a stored training_mode")
        if self.constant_input(move, 2):
            raise ValueError("Dropout in training mode has no layer here: export in eval mode")
        return axes

    def _after_transpose(self, move, axes, node):
        perm = self.attribute(move, "perm", range(len(axes))[::-1])
        return tuple(axes[k] for k in perm)

    def _after_squeeze(self, move, axes, node):
        at = self.constant_input(move, 1)
        at = self.attribute(move, "axes", None) if at is None else at.tolist()
        if at is None or [axes[k] for k in at] != ["D"] or self.two_directions(node):
            raise ValueError(f"Squeeze of the axes {at} of {axes} is not understood")
        return self.without(axes, "D")

    def _after_reshape(self, move, axes, node):
        shape = self.constant_input(move, 1)
        kept = len(axes) - 2
        merges = axes[kept:] == ("D", "H") and shape is not None
        if not merges or len(shape) != kept + 1 or shape[:kept].any():
            raise ValueError(f"Reshape of {axes} is not understood, but to merge D and H")
        return (*axes[:kept], "F")

    def _after_gather(self, move, axes, node):
        axis, index = self.attribute(move, "axis", 0), self.index(move)
        if index is None or node is None or self.two_directions(node):
            raise ValueError(
                "Gather is understood only as the last step or state, in one direction"
            )
        taken = axes[axis]
        if not (taken == "T" and index == -1 or taken == "D" and index in (0, -1)):
            raise ValueError(f"Gather of number {index} of the axis {taken} is not understood")
        return self.without(axes, taken)

    def without(self, axes, gone):
        """The axes without one; H without D is F."""
        kept = tuple(axis for axis in axes if axis != gone)
        return tuple("F" if axis == "H" and "D" not in kept else axis for axis in kept)

    def two_directions(self, node):
        """Whether a recurrent node runs both ways."""
        return self.attribute(node, "direction", b"forward") == b"bidirectional"

    def readout(self, head, axes, batch_first):
        """What the axes below the head, or of the first output, say."""
        by_step = ("B", "T", "F") if batch_first else ("T", "B", "F")
        if head is None:
            if axes != by_step:
                raise ValueError(f"the first output must have the axes {by_step}, it has {axes}")
            return None
        if not batch_first:
            raise ValueError(
                "a graph with a linear layer must take (batch, steps, features), as SequenceModel does"
            )
        readouts = {("B", "F"): "last", ("B", "T", "F"): "all"}
        if axes not in readouts:
            raise ValueError(f"the linear layer reads the axes {axes}, not (B, F) or (B, T, F)")
        return readouts[axes]

    def check_lengths(self, node, reads_last_step):
        """Raise unless the lengths are an input of the graph, or left out."""
        lengths = node.input[4] if len(node.input) > 4 else ""
        if lengths and self.origin(lengths) not in self.inputs:
            raise ValueError("sequence_lens must be an input of the graph, or left out")
        if lengths and reads_last_step:
            raise ValueError(
                "the linear layer reads the last step of the batch, which is not the last of every "
                "sequence when there are sequence_lens"
            )

    def check_states(self, node, with_head):
        """Raise unless the initial states are an input of the graph, or zero."""
        for name, what in zip(node.input[5:7], ("initial_h", "initial_c"), strict=False):
            if not name or self.is_zero(name):
                continue
            if with_head:
                raise ValueError(f"{what} must be left out: a SequenceModel starts from zero")
            if self.origin(name) not in self.inputs:
                raise ValueError(f"{what} must be an input of the graph, or zero")

    def origin(self, value):
        """Where a value comes from, through operators that only cut and move."""
        while value in self.producers and self.producers[value].op_type in _ZERO_PATH:
            value = self.producers[value].input[0]
        return value

    def is_zero(self, value):
        """Whether a value is zero whatever the input is."""
        value = self.origin(value)
        if value in self.constants:
            return not np.any(self.constants[value])
        node = self.producers.get(value)
        if node is None or node.op_type != "ConstantOfShape":
            return False
        fill = self.attribute(node, "value", None)
        return fill is None or not np.any(self.onnx.numpy_helper.to_array(fill))
