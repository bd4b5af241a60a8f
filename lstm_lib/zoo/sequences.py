"""Bugs around whole sequences: padding, directions, layouts and streams. The cell is right."""

from typing import NamedTuple

import numpy as np

from lstm_lib import numpy as L
from lstm_lib.zoo.entry import Bug


def padded(lstm, x, lengths):
    """The layer is told where each sequence ends."""
    output, (h_n, _) = lstm(x, lengths=lengths)
    return output, h_n


def last_of_padding(lstm, x, lengths):
    """The outputs past the end are hidden, but the final state has walked on through the padding."""
    output, (h_n, _) = lstm(x)
    valid = np.arange(len(x))[:, None] < np.asarray(lengths)
    return np.where(valid[..., None], output, 0.0), h_n


def reverse_from_padding(lstm, x, lengths):
    """Forward states are taken at each end, but the backward direction has begun in the padding."""
    output, (h_n, _) = lstm(x)
    lengths, size = np.asarray(lengths), lstm.hidden_size
    h_n[0] = output[lengths - 1, np.arange(len(lengths)), :size]
    valid = np.arange(len(x))[:, None] < lengths
    return np.where(valid[..., None], output, 0.0), h_n


def answers(lstm, x):
    """Sequences (B, T, I) are turned to the layout (T, B, I) that the layer reads."""
    output, _ = lstm(x.swapaxes(0, 1))
    return output[-1]


def batch_taken_for_time(lstm, x):
    """Sequences (B, T, I) go into a layer that reads (T, B, I)."""
    output, _ = lstm(x)
    return output[:, -1]


class ChunkGradient(NamedTuple):
    """What a stream yields for each chunk."""

    steps: int
    """How many steps the backward pass walked."""
    weight_hh: np.ndarray
    """Gradient of the recurrent weights."""


def _walk(cell, chunk, state):
    """Forward and backward over one stretch, the loss being the sum of the last h."""
    cell.zero_grad()
    for x in chunk:
        state = cell(x, state)
    dh, dc = np.ones_like(state[0]), np.zeros_like(state[1])
    for _ in chunk:
        _, (dh, dc) = cell.backward(dh, dc)
    return ChunkGradient(len(chunk), cell.weight_hh.grad), state


def stream(cell, chunks):
    """The state goes on from chunk to chunk as a number, without its history."""
    state = None
    for chunk in chunks:
        gradient, state = _walk(cell, chunk, state)
        yield gradient


def never_detached(cell, chunks):
    """The state goes on with its history, so each backward pass walks to the very beginning."""
    history = []
    for chunk in chunks:
        history.extend(chunk)
        gradient, _ = _walk(cell, history, None)
        yield gradient


def _layer(rng, directions=1):
    return L.LSTM(3, 4, bidirectional=directions == 2, dtype=np.float64, rng=rng)


def _padding_changes_the_state(implementation, rng):
    lstm, x, lengths = _layer(rng), rng.normal(size=(6, 3, 3)), [6, 2, 4]
    other = np.where(
        np.arange(6)[:, None, None] < np.array(lengths)[:, None], x, rng.normal(size=x.shape)
    )
    change = np.abs(implementation(lstm, x, lengths)[1] - implementation(lstm, other, lengths)[1])
    change = change.max()
    return f"Other numbers in the padding changed h_n by {change:.2g}." if change > 1e-12 else ""


def _differs_from_alone(implementation, rng):
    lstm, x, lengths = _layer(rng, 2), rng.normal(size=(6, 3, 3)), [6, 2, 4]
    output, h_n = implementation(lstm, x, lengths)
    for b, length in enumerate(lengths):
        alone, (h_alone, _) = lstm(x[:length, b : b + 1])
        error = max(
            np.abs(output[:length, b] - alone[:, 0]).max(), np.abs(h_n[:, b] - h_alone[:, 0]).max()
        )
        if error > 1e-12:
            return f"A sequence of {length} steps differs by {error:.2g} between alone and in a batch of 6 steps."
    return ""


def _effect_of_padding(directions):
    """The change of the final states when 20 steps of zeros are appended."""

    def measure(implementation, rng):
        lstm, x = _layer(rng, directions), rng.normal(size=(6, 3, 3))
        longer = np.concatenate((x, np.zeros((20, 3, 3))))
        short, long = (implementation(lstm, part, [6, 6, 6])[1] for part in (x, longer))
        return np.abs(short - long).max()

    return measure


def _neighbour_influence(implementation, rng):
    """Change of the other sequences' answers when the first sequence of a batch is another one."""
    lstm, x = _layer(rng), rng.normal(size=(5, 7, 3))
    other = x.copy()
    other[0] = rng.normal(size=x[0].shape)
    return np.abs(implementation(lstm, x)[1:] - implementation(lstm, other)[1:]).max()


def _neighbours_matter(implementation, rng):
    change = _neighbour_influence(implementation, rng)
    return (
        f"Another first sequence changed the others' answers by {change:.2g}." if change > 0 else ""
    )


def _stream_of(implementation, rng, chunks=8, steps=10):
    cell = L.LSTMCell(2, 4, dtype=np.float64, rng=rng)
    return list(implementation(cell, rng.normal(size=(chunks, steps, 3, 2))))


def _walk_grows(implementation, rng):
    steps = [gradient.steps for gradient in _stream_of(implementation, rng)]
    return f"Its steps for 8 chunks of 10: {steps}." if max(steps) > 10 else ""


BUGS = (
    Bug(
        name="last_of_padding",
        kind="padded batch",
        title="The last step of the padding",
        wrong="The final state is taken at the end of the padded array.",
        looks="Short sequences are judged by their padding; the same sentence gets another answer in "
        "another batch.",
        promise="What stands in the padding has no influence on the final state.",
        seen="Common. Related: Haste does not mask the outputs past the end.",
        fix="Pass lengths; take the state after each sequence's own last step.",
        broken=last_of_padding,
        correct=padded,
        quantity="change of h_n when 20 steps of padding are appended",
        judge=_padding_changes_the_state,
        measure=_effect_of_padding(1),
    ),
    Bug(
        name="reverse_from_padding",
        kind="padded batch",
        title="The backward direction begins in the padding",
        wrong="The whole padded array is reversed, not each sequence within its length.",
        looks="A bidirectional layer gives a sequence other outputs alone than beside a longer one.",
        promise="Every sequence gives the same outputs alone and in a padded batch, in both directions.",
        seen="Common.",
        fix="Reverse each sequence within its own length; pass lengths.",
        broken=reverse_from_padding,
        correct=padded,
        quantity="change of h_n when 20 steps of padding are appended to a bidirectional layer's input",
        judge=_differs_from_alone,
        measure=_effect_of_padding(2),
    ),
    Bug(
        name="batch_taken_for_time",
        kind="answers",
        title="Batch taken for time",
        wrong="A batch (B, T, I) goes into a layer that reads (T, B, I).",
        looks="All shapes fit and the loss falls a little, but the answer depends on who else is in the batch.",
        promise="The sequences of a batch do not know of each other.",
        seen="Common.",
        fix="Say batch_first=True or exchange the axes; test that a neighbour changes nothing.",
        broken=batch_taken_for_time,
        correct=answers,
        quantity="change of the other answers when the first sequence is another one",
        judge=_neighbours_matter,
        measure=_neighbour_influence,
    ),
    Bug(
        name="never_detached",
        kind="stream",
        title="The state carried on with its history",
        wrong="The state of one batch enters the next without being detached.",
        looks="Every batch takes longer and more memory than the one before; without retain_graph torch "
        "stops at the second.",
        promise="The backward pass of a chunk walks no further than the chunk.",
        seen="Tutorials.",
        fix="Detach: let only the numbers of h and c pass from batch to batch.",
        broken=never_detached,
        correct=stream,
        quantity="steps of the backward pass for the eighth chunk of 10",
        judge=_walk_grows,
        measure=lambda implementation, rng: _stream_of(implementation, rng)[-1].steps,
    ),
)
