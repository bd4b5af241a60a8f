"""Checks of arguments that both engines share.

Each check looks at plain integers and shapes, so it serves NumPy arrays and torch
tensors alike, and raises an error that names the argument, what it is and what it
should be. Nothing here computes anything.
"""

import operator


def positive_int(name, value):
    """Return `value` as an int of at least 1, or raise.

    >>> positive_int("hidden_size", 8)
    8
    >>> positive_int("hidden_size", -8)
    Traceback (most recent call last):
        ...
    ValueError: hidden_size must be a positive integer, got -8
    """
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(
            f"{name} must be a positive integer, got {value!r} of type {type(value).__name__}"
        ) from None
    if number < 1:
        raise ValueError(f"{name} must be a positive integer, got {number}")
    return number


def one_of(name, value, options):
    """Return `value` if it is among `options`, or raise a ValueError that lists them."""
    if value not in options:
        listed = ", ".join(repr(option) for option in options)
        raise ValueError(f"{name} must be one of {listed}; got {value!r}")
    return value


def has_shape(name, shape, expected, meaning):
    """Raise a ValueError unless `shape` equals `expected`.

    An entry of `expected` that is None matches any size. `meaning` names the axes.

    >>> has_shape("h_0", (1, 3, 4), (1, 3, 5), "(layers, batch, hidden_size)")
    Traceback (most recent call last):
        ...
    ValueError: h_0 must have shape (1, 3, 5) = (layers, batch, hidden_size), got (1, 3, 4)
    """
    shape = tuple(shape)
    fits = len(shape) == len(expected) and all(
        want is None or want == got for want, got in zip(expected, shape, strict=True)
    )
    if not fits:
        wanted = str(tuple(expected)).replace("None", "any")
        raise ValueError(f"{name} must have shape {wanted} = {meaning}, got {shape}")


def sequence_shape(shape, input_size, batch_first, single=False):
    """Check the shape of a batch of sequences and return its ``(steps, batch)``.

    Parameters
    ----------
    shape : tuple of int
        ``(T, B, I)``, or ``(B, T, I)`` with `batch_first`.
    input_size : int
        The number of features I that the layer was built for.
    batch_first : bool
        Which of the two layouts the layer reads.
    single : bool
        One sequence ``(T, I)`` is accepted too; its batch is returned as None.
    """
    shape = tuple(shape)
    layout = "(batch, steps, input_size)" if batch_first else "(steps, batch, input_size)"
    if single and len(shape) == 2:
        layout = "(steps, input_size)"
    elif len(shape) != 3:
        also = ", or 2 axes (steps, input_size)" if single else ""
        raise ValueError(
            f"input must have 3 axes {layout}{also}, got {len(shape)} with shape {shape}"
        )
    if shape[-1] != input_size:
        raise ValueError(
            f"input must have {input_size} features on its last axis {layout}, "
            f"got {shape[-1]} with shape {shape}"
        )
    if 0 in shape:
        raise ValueError(f"input {layout} must not be empty, got shape {shape}")
    if len(shape) == 2:
        return shape[0], None
    return (shape[1], shape[0]) if batch_first else (shape[0], shape[1])


def sequence_lengths(lengths, steps, batch):
    """Check the lengths of a padded batch and return them as a list of ints.

    Raises
    ------
    ValueError
        If there is not one length a sequence, or a length is below 1 or above `steps`.
    TypeError
        If a length is not an integer.
    """
    try:
        values = [
            operator.index(n) for n in (lengths.tolist() if hasattr(lengths, "tolist") else lengths)
        ]
    except TypeError:
        raise TypeError(
            f"lengths must be {batch} integers, one for each sequence of the batch, got {lengths!r}"
        ) from None
    if len(values) != batch:
        raise ValueError(
            f"lengths must hold one integer a sequence: batch is {batch}, got {len(values)}"
        )
    for index, value in enumerate(values):
        if not 1 <= value <= steps:
            raise ValueError(
                f"lengths[{index}] must lie between 1 and the number of steps {steps}, got {value}"
            )
    return values


def check_classes(logits_shape, target_shape, target_is_integer):
    """Check shapes and kind of logits and integer targets."""
    if not target_is_integer:
        raise TypeError("target must hold integer classes")
    if len(logits_shape) == 0 or 0 in logits_shape:
        raise ValueError(
            f"logits must have shape (..., classes) and not be empty, got {tuple(logits_shape)}"
        )
    has_shape("target", target_shape, tuple(logits_shape)[:-1], "logits without their last axis")


def check_layers(rnn, head, readout, readouts, module):
    """Check that the layers of a SequenceModel fit together.

    `readouts` are the names of readouts; `module` is the class of those that are layers.
    """
    named = not isinstance(readout, module)
    if named:
        one_of("readout", readout, readouts)
    if not rnn.batch_first:
        raise ValueError(
            "SequenceModel reads (batch, steps, features): build its LSTM with batch_first=True"
        )
    width = (rnn.proj_size or rnn.hidden_size) * (2 if rnn.bidirectional else 1)
    if named and hasattr(head, "in_features") and head.in_features != width:
        raise ValueError(
            f"head must take {width} features, the hidden size of the LSTM; it takes {head.in_features}"
        )


def check_padding_idx(padding_idx, num_embeddings):
    """Return the row that `padding_idx` means, counted from the end if it is negative; None stays None."""
    if padding_idx is None:
        return None
    try:
        row = operator.index(padding_idx)
    except TypeError:
        raise TypeError(f"padding_idx must be an integer or None, got {padding_idx!r}") from None
    if not -num_embeddings <= row < num_embeddings:
        raise ValueError(
            f"padding_idx must lie between {-num_embeddings} and {num_embeddings - 1}, got {row}"
        )
    return row % num_embeddings


def check_indices(indices, is_integer, num_embeddings):
    """Check an array or tensor of indices into `num_embeddings` rows."""
    shape = tuple(indices.shape)
    if not is_integer:
        raise TypeError(f"indices must be integers, got an array of {indices.dtype}")
    if 0 in shape:
        raise ValueError(f"indices must not be empty, got shape {shape}")
    lowest, highest = int(indices.min()), int(indices.max())
    if lowest < 0 or highest >= num_embeddings:
        raise ValueError(
            f"indices must lie between 0 and {num_embeddings - 1}, got {lowest} to {highest}"
        )


def normalized_sizes(normalized_shape):
    """Return `normalized_shape`, an int or a sequence of ints, as a tuple of positive ints."""
    sizes = normalized_shape if isinstance(normalized_shape, (tuple, list)) else (normalized_shape,)
    if not sizes:
        raise ValueError("normalized_shape must name at least one axis, got ()")
    return tuple(positive_int("normalized_shape", size) for size in sizes)


def check_normalized(shape, sizes):
    """Raise unless the last axes of `shape` are `sizes` and nothing is empty."""
    if tuple(shape)[-len(sizes) :] != sizes:
        raise ValueError(f"input must end in the axes {sizes}, got shape {tuple(shape)}")
    if 0 in shape:
        raise ValueError(f"input must not be empty, got shape {tuple(shape)}")


def positive(name, value):
    """Return `value` if it is a positive finite number, or raise a ValueError."""
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} must be positive, got {value}")
    return value


def check_fraction(name, value):
    """Return `value` if it lies in [0, 1), or raise a ValueError."""
    if not 0 <= value < 1:
        raise ValueError(f"{name} must lie in [0, 1), got {value}")
    return value


def mask_shape(shape, full):
    """Raise unless a mask's `shape` is `full` or its leading axes."""
    if not shape or tuple(shape) != tuple(full)[: len(shape)]:
        raise ValueError(
            f"mask must have the shape {tuple(full)} or its leading axes, got {tuple(shape)}"
        )


def check_states(hx, names, shapes, meaning, convert=None):
    """Check a state, one array or a pair of them, and return its parts as a tuple.

    Parameters
    ----------
    hx : array or pair of arrays
    names : sequence of str
        What the parts are called; one name for a single array.
    shapes : sequence of tuple of int
        Shape of every part.
    meaning : str or callable
        Names of the axes, or what gives them for the name of a part.
    convert : callable, optional
        Applied to every part before its shape is looked at.
    """
    if len(names) == 1:
        parts = (hx,)
    else:
        try:
            parts = tuple(hx)
            if len(parts) != len(names):
                raise ValueError
        except (TypeError, ValueError):
            raise ValueError(
                f"the state must be a pair ({', '.join(names)}), got {type(hx).__name__}"
            ) from None
    if convert is not None:
        parts = tuple(convert(part) for part in parts)
    for name, part, shape in zip(names, parts, shapes, strict=True):
        has_shape(name, part.shape, shape, meaning(name) if callable(meaning) else meaning)
    return parts


def attention_options(score, hidden_size, query_size, key_size, scaled):
    """Check how attention scores and return the sizes of query, key and hidden layer (or None)."""
    one_of("score", score, ("dot", "general", "additive"))
    query_size = positive_int("query_size", query_size)
    key_size = positive_int("key_size", key_size)
    if score == "dot" and query_size != key_size:
        raise ValueError(
            "score='dot' needs queries and keys of one size, got "
            f"query_size={query_size} and key_size={key_size}; score='general' joins any two"
        )
    if scaled and score != "dot":
        raise ValueError(f"scaled belongs to score='dot', got score={score!r}")
    if score == "additive":
        hidden_size = query_size if hidden_size is None else hidden_size
        return query_size, key_size, positive_int("hidden_size", hidden_size)
    if hidden_size is not None:
        raise ValueError(f"hidden_size belongs to score='additive', got score={score!r}")
    return query_size, key_size, None


def attention_shapes(query, keys, values, query_size, key_size):
    """Check the shapes of what attention reads."""
    has_shape("query", query, (None, None, query_size), "(batch, queries, query_size)")
    has_shape("keys", keys, (query[0], None, key_size), "(batch, keys, key_size)")
    has_shape("values", values, (query[0], keys[1], None), "(batch, keys, value_size)")
    for name, shape in (("query", query), ("keys", keys), ("values", values)):
        if 0 in shape:
            raise ValueError(f"{name} must not be empty, got shape {tuple(shape)}")


def attention_mask_shape(shape, batch, queries, keys):
    """Raise unless `shape` is that of a mask of keys, one for all queries or one a query."""
    if tuple(shape) not in ((batch, keys), (batch, queries, keys)):
        raise ValueError(
            f"mask must have shape {(batch, keys)} = (batch, keys) or {(batch, queries, keys)} = "
            f"(batch, queries, keys), got {tuple(shape)}"
        )


def state_meaning(name, proj_size=0, batched=True):
    """Name the axes of a recurrent layer's state, for error messages.

    >>> state_meaning("h_0")
    '(layers * directions, batch, hidden_size)'
    """
    size = "proj_size" if proj_size and name.lstrip("d").startswith("h") else "hidden_size"
    return f"(layers * directions, {'batch, ' * batched}{size})"


def check_language_model(vocabulary_size, embedding_size, cell, dropout, tie_weights, options):
    """Check the arguments of a language model that its layers do not check themselves."""
    positive_int("vocabulary_size", vocabulary_size)
    check_fraction("dropout", dropout)
    one_of("cell", cell, ("LSTM", "GRU", "RNN"))
    if embedding_size is not None:
        positive_int("embedding_size", embedding_size)
    elif tie_weights:
        raise ValueError("tie_weights needs an embedding: give an embedding_size instead of None")
    if options.get("bidirectional"):
        raise ValueError("a language model reads forwards only: bidirectional must be False")


def token_number(name, value):
    """Return the number of a token as an int of at least 0, or raise."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be the number of a token, got {value!r}") from None
    if number < 0:
        raise ValueError(f"{name} must be the number of a token, at least 0, got {number}")
    return number


def tokens_or_features(name, vocabulary, features):
    """Check that a side of an encoder-decoder reads either tokens or real features."""
    if (vocabulary is None) == (features is None):
        raise ValueError(
            f"give {name}_vocabulary for tokens or {name}_features for real numbers, one of them; "
            f"got {name}_vocabulary={vocabulary} and {name}_features={features}"
        )
    if vocabulary is None:
        positive_int(f"{name}_features", features)
    else:
        positive_int(f"{name}_vocabulary", vocabulary)


def steps_of_side(name, shape, features, batch=None):
    """Check the shape of an encoder-decoder's source or target and return its ``(steps, batch)``."""
    if features is None:
        has_shape(name, shape, (batch, None), "(batch, steps)")
    else:
        has_shape(name, shape, (batch, None, features), "(batch, steps, features)")
    if 0 in shape:
        raise ValueError(f"{name} must not be empty, got shape {tuple(shape)}")
    return shape[1], shape[0]


def check_point_model(model, is_mixture):
    """Check that a model can continue a sequence of points, step by step."""
    if not is_mixture:
        raise ValueError("the model's head must be a MixtureDensity")
    if model.readout != "all" or model.front is not None or model.rnn.bidirectional:
        raise ValueError(
            "points are continued by a SequenceModel with readout='all', without a front and with a "
            "recurrent layer that reads forwards only"
        )
