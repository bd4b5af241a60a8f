"""Random masks can be repeated, differ from call to call, and are the same in both engines."""

import numpy as np
import torch

from lstm_lib.masks import MaskSource, as_seed
from lstm_lib.torch import masks as torch_masks


def test_masks_repeat_after_a_seed_and_differ_between_calls():
    source = MaskSource()
    source.reseed((1, 2))
    first, second = source.dropout_mask((50, 4), 0.3), source.dropout_mask((50, 4), 0.3)
    assert not np.array_equal(first, second)
    source.reseed((1, 2))
    assert np.array_equal(first, source.dropout_mask((50, 4), 0.3))
    source.reseed((1, 3))
    assert not np.array_equal(first, source.dropout_mask((50, 4), 0.3))


def test_both_engines_draw_the_same_masks():
    ours, theirs = MaskSource(), torch_masks.MaskSource()
    like = torch.zeros((), dtype=torch.float64)
    for source in (ours, theirs):
        source.reseed(7)
    for _ in range(2):
        a = ours.dropout_mask((5, 3), 0.4, np.float64)
        assert np.array_equal(a, theirs.dropout_mask((5, 3), 0.4, like).numpy())
        assert np.array_equal(ours.coins((5,), 0.4), theirs.coins((5,), 0.4, like).numpy())


def test_dropout_keeps_the_mean_and_drops_the_right_share():
    mask = MaskSource().dropout_mask((200, 200), 0.25, np.float64)
    assert set(np.unique(mask)) == {0.0, 4 / 3}
    assert abs((mask == 0).mean() - 0.25) < 0.01 and abs(mask.mean() - 1) < 0.015


def test_a_seed_is_taken_from_torch_where_it_draws_the_weights():
    torch.manual_seed(0)
    first = torch_masks.mask_seed(None)
    torch.manual_seed(0)
    assert first == torch_masks.mask_seed(None) != torch_masks.mask_seed(None)
    assert torch_masks.mask_seed(5) == as_seed(5) == (5,)
