"""An encoder of one's own in both engines, and the one that reads pictures."""

import re

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from lstm_lib import numpy as N  # noqa: E402
from lstm_lib import torch as T  # noqa: E402
from lstm_lib.gradcheck import check_gradients  # noqa: E402
from lstm_lib.parameters import to_numpy  # noqa: E402
from lstm_lib.torch.pictures import PictureEncoder  # noqa: E402
from lstm_lib.training import fit  # noqa: E402

ENGINES = pytest.mark.parametrize("L", [N, T], ids=["numpy", "torch"])
SOURCE = np.random.default_rng(0).normal(size=(3, 5, 2))
TARGET = np.array([[0, 5, 4, 3], [0, 3, 3, 1], [0, 2, 4, 4]])
SIZES = dict(target_vocabulary=6, attention="general", dtype="float64")


def raises(text):
    return pytest.raises(ValueError, match=re.escape(text))


def own(L, hidden=4, read=4, **options):
    """An encoder-decoder whose encoder is a recurrent layer that somebody else made."""
    encoder = L.LSTM(2, read, batch_first=True, dtype="float64", rng=1)
    return L.EncoderDecoder(hidden, encoder=encoder, **SIZES | options, rng=2)


@ENGINES
def test_an_lstm_given_as_the_encoder_is_the_encoder(L):
    built = L.EncoderDecoder(4, source_features=2, **SIZES, rng=3)
    given = own(L)
    given.load_state_dict(built.state_dict())
    for lengths in (None, [5, 2, 4]):
        outputs = [to_numpy(m(SOURCE, TARGET, lengths)) for m in (built, given)]
        np.testing.assert_array_equal(*outputs)
    assert given.attention_weights(SOURCE, TARGET).shape == (3, 4, 5)
    assert len(given.greedy(SOURCE, 4, 0, 1)) == 3


def test_its_derivatives_go_back_through_it():
    check_gradients(own(N), SOURCE, TARGET).raise_if_wrong()


@ENGINES
def test_the_memory_may_have_another_size_than_the_state(L):
    class Wide(type(L.Linear(1, 1))):
        def forward(self, source, lengths=None):
            memory = super().forward(source)
            state = memory[None, :, 0, :4] * 1.0
            return memory, (state, state)

    encoder = Wide(2, 7, dtype="float64", rng=0)
    model = L.EncoderDecoder(4, encoder=encoder, memory_size=7, **SIZES, rng=1)
    source = SOURCE if L is N else torch.tensor(SOURCE)
    assert model(source, TARGET).shape == (3, 4, 6)


@ENGINES
@pytest.mark.parametrize(
    "side", [dict(source_vocabulary=3), dict(source_features=2), dict(bidirectional=True)], ids=str
)
def test_an_encoder_of_ones_own_leaves_no_room_for_another(L, side):
    with raises("an encoder of your own reads the source"):
        own(L, **side)


def captioner(state="mean", attention="general", seed=0, shape=(12, 28), **options):
    rng = np.random.default_rng(seed)
    encoder = PictureEncoder(shape, 8, (4, 6), state=state, **options, rng=rng)
    sizes = dict(memory_size=6, target_vocabulary=6, attention=attention)
    return T.EncoderDecoder(8, encoder=encoder, **sizes, rng=rng)


@pytest.mark.parametrize("pools, places", [(0, (12, 28)), (1, (6, 14)), (2, (3, 7))])
@pytest.mark.parametrize("state", ["mean", "whole"])
def test_a_map_of_features_and_a_state(pools, places, state):
    encoder = PictureEncoder((12, 28), 8, (4, 6), pools, state, rng=0)
    memory, (h, c) = encoder(np.ones((3, 12, 28)))
    assert encoder.map_shape == places
    assert memory.shape == (3, places[0] * places[1], 6) and (memory >= 0).all()
    assert h.shape == c.shape == (1, 3, 8)


def test_the_unit_of_brightness_does_not_matter():
    pictures = np.random.default_rng(0).integers(0, 17, size=(3, 12, 28))
    model = captioner()
    for same in (pictures / 16, pictures * 15 + 10):
        np.testing.assert_allclose(
            model(same, TARGET).detach(), model(pictures, TARGET).detach(), atol=1e-4
        )


def test_places_of_the_map_are_places_of_the_picture():
    """What changes in one corner of the picture changes the memory there and the state, nothing else."""
    encoder = PictureEncoder((16, 32), 8, (4, 6), rng=0)
    before = np.zeros((2, 16, 32))
    before[:, :4, 28:] = [[[1]], [[0]]]
    before[:, 4:8, 28:] = [[[0]], [[1]]]  # as bright on the whole
    memory, (h, _) = encoder(before)
    rows, columns = encoder.map_shape
    changed = (memory[0] - memory[1]).abs().amax(dim=1).reshape(rows, columns) > 1e-6
    assert changed[:3, 6:].any() and not changed[:, :6].any() and not changed[3:].any()
    assert (h[0, 0] - h[0, 1]).abs().max() > 1e-6


def test_the_same_seed_gives_the_same_weights():
    first, second, other = (captioner(seed=seed).state_dict() for seed in (3, 3, 4))
    assert all((first[name] == second[name]).all() for name in first)
    assert any((first[name] != other[name]).any() for name in first)


@pytest.mark.parametrize("state", ["mean", "whole"])
def test_it_learns_where_the_ink_is(state):
    rng = np.random.default_rng(0)
    pictures, words = np.zeros((64, 12, 28)), rng.integers(2, 4, size=64)
    for picture, word in zip(pictures, words, strict=True):
        left = 14 * (word - 2) + rng.integers(8)
        picture[3:9, left : left + 5] = 1
    before = np.stack((np.zeros(64, int), words), axis=1)
    after = np.stack((words, np.ones(64, int)), axis=1)
    model = captioner(state)
    data = ((pictures, before), after, (None, np.full(64, 2)))
    fit(model, data, loss="cross_entropy", lr=0.03, epochs=40, batch_size=16, progress=False)
    found = [h.tokens.tolist() for h in model.greedy(pictures, 3, 0, 1)]
    assert np.mean([said == [word, 1] for said, word in zip(found, words, strict=True)]) > 0.95


def test_pictures_that_do_not_fit():
    with raises("pools must be at most the number of convolutions, 2, and leave a place"):
        PictureEncoder((12, 28), 8, (4, 6), 3)
    with raises("pools must be at most"):
        PictureEncoder((3, 28), 8, (4, 6, 8), 2)
    with raises("state must be one of 'mean', 'whole'; got 'sum'"):
        PictureEncoder((12, 28), 8, state="sum")
    with raises("shape must be a positive integer"):
        PictureEncoder((0, 28), 8)
    with raises("pictures must have shape (any, 12, 28) = (batch, rows, columns), got (3, 28, 12)"):
        captioner()(np.ones((3, 28, 12)), TARGET)
    with raises("pictures have no lengths"):
        captioner()(np.ones((3, 12, 28)), TARGET, [1, 2, 3])
