"""Baskets of groceries: whole, in order of time, and the habits a network has to beat."""

import numpy as np
import pytest

from lstm_lib.data import corpora


@pytest.fixture(scope="module")
def data():
    return corpora.grocery_baskets()


def test_numbers(data):
    assert len(data.categories) == 299 and len(data.households) == 2467
    assert list(data.categories) == sorted(set(data.categories)) and "FUEL" not in data.categories
    counts = [len(household.baskets) for household in data.households]
    assert sum(counts) == 141_079 and (np.median(counts), round(np.mean(counts))) == (40, 57)
    assert sum(count >= 10 for count in counts) == 2157


def test_baskets_are_sets_in_order_of_time(data):
    for household in data.households:
        assert (np.diff(household.times).astype(int) >= 0).all()
        assert len(household.times) == len(household.baskets) == len(household.parts)
    baskets = [basket for household in data.households for basket in household.baskets]
    assert all((np.diff(basket) > 0).all() and len(basket) for basket in baskets)
    everything = np.concatenate(baskets)
    assert everything.min() == 0 and everything.max() == 298
    with pytest.raises(ValueError, match="read-only"):
        baskets[0][0] = 1


def test_parts_follow_the_calendar(data):
    times = np.concatenate([household.times for household in data.households])
    parts = np.concatenate([household.parts for household in data.households])
    november, december = np.array(["2017-11-01", "2017-12-01"], dtype="datetime64[s]")
    assert (parts == (times >= november).astype(int) + (times >= december)).all()
    assert np.bincount(parts).tolist() == [117555, 11543, 11981]


def test_habits_are_hard_to_beat(data):
    """The baselines of the docstring, on the last basket of everyone with ten or more."""
    often = [household.baskets for household in data.households if len(household.baskets) >= 10]
    own = np.stack([np.bincount(np.concatenate(b[:-1]), minlength=299) for b in often])
    everyone = own.sum(axis=0)
    hits = {"own": [], "all": []}
    for counts, baskets in zip(own, often, strict=True):
        best = {"own": np.argsort(-counts - everyone / 1e9)[:10], "all": np.argsort(-everyone)[:10]}
        for name, ten in best.items():
            found = len(set(ten.tolist()) & set(baskets[-1].tolist()))
            hits[name].append(found / min(10, len(baskets[-1])))
    assert np.mean(hits["own"]) == pytest.approx(0.38, abs=0.005)
    assert np.mean(hits["all"]) == pytest.approx(0.285, abs=0.005)
