"""What passes between the grading process and a student's: it comes back equal, or not at all."""

import fcntl
import json
import os
import pickle
import struct
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from grading.remote import LIMITS, Broken, Failure, Peer, Stalled, Unfit, raised

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**300), 2**300)
    | st.floats()
    | st.complex_numbers()
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(st.text() | st.integers() | st.tuples(st.integers()), inner)
    ),
    max_leaves=20,
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["t", "v", "dtype", "shape", "name"]), inner)
        | st.builds(
            lambda kind, inner: {"t": kind, "v": inner, "dtype": "<f8", "shape": [2], "name": "f"},
            st.sampled_from(
                "array scalar int float complex bytes generator dict tuple set".split()
            ),
            inner,
        )
    ),
    max_leaves=20,
)
DTYPES = st.one_of(
    arrays.boolean_dtypes(),
    arrays.integer_dtypes(endianness="<"),
    arrays.unsigned_integer_dtypes(endianness="<"),
    arrays.floating_dtypes(endianness="<"),
    arrays.complex_number_dtypes(endianness="<"),
    arrays.unicode_string_dtypes(endianness="<"),
)


def there_and_back(value):
    """Return `value` as the other side gets it."""
    return Peer(0, 0).decode(json.loads(json.dumps(Peer(0, 0).encode(value), allow_nan=False)))


def same(one, other):
    """Whether two values are of one type and equal, not-a-numbers included."""
    return type(one) is type(other) and repr(one) == repr(other)


@given(PLAIN)
def test_plain_values_come_back(value):
    assert same(there_and_back(value), value)


@given(arrays.arrays(DTYPES, arrays.array_shapes(min_dims=0, min_side=0)))
def test_arrays_come_back(array):
    back = there_and_back(array)
    assert back.dtype == array.dtype and back.shape == array.shape
    assert back.tobytes() == array.tobytes()
    assert back.flags.writeable


def test_scalars_keep_their_type():
    for value in (np.float32(1.5), np.int8(-3), np.bool_(True), np.str_("ab"), np.float64("nan")):
        assert same(there_and_back(value), value)


def test_generators_draw_what_the_first_would_have_drawn():
    generator = np.random.default_rng(5)
    generator.integers(3, dtype=np.int32)
    copy = there_and_back(generator)
    assert (copy.random(4) == generator.random(4)).all()


@settings(max_examples=300)
@given(JSON)
def test_whatever_comes_is_a_value_or_refused(data):
    try:
        Peer(0, 0).decode(data)
    except Failure:
        pass


@pytest.mark.parametrize(
    "data",
    [
        {"t": "array", "v": "", "dtype": "|O8", "shape": [0]},
        {"t": "array", "v": "", "dtype": "<f8", "shape": [0, 10**12]},
        {"t": "array", "v": "AA==", "dtype": "<f8", "shape": [1]},
        {"t": "array", "v": "", "dtype": "<U9999999", "shape": [1]},
        {"t": "function", "v": "0", "name": "f"},
        {"t": "yours", "v": 0},
        {"t": "int", "v": "0x" + "f" * 10_000},
        {"t": "generator", "v": ["0x0", "0x0", "0x5", "0x0"]},
        {"t": "reduce", "v": ["os.system", ["true"]]},
        {"t": "dict", "v": [[[], 1]]},
        [[]] * 3 + [{}],
    ],
)
def test_forged_values_are_refused(data):
    with pytest.raises(Broken):
        Peer(0, 0).decode(data)


def test_what_cannot_pass_is_said():
    deep = []
    for _ in range(LIMITS["depth"] + 2):
        deep = [deep]
    for value in (object(), np.array([object()]), deep, 1 << 5000, np.random.RandomState(0)):
        with pytest.raises(Unfit):
            Peer(0, 0).encode(value)


class Float(float):
    def __eq__(self, other):
        return True

    __hash__ = float.__hash__


def test_a_number_that_equals_everything_arrives_as_a_number():
    assert there_and_back(Float(3.0)) != 4.0
    assert not isinstance(there_and_back(Float(3.0)), Float)


@pytest.fixture
def ends():
    """Two ends that talk, the second of which serves in a thread; stopped by closing the first."""
    a, b = os.pipe(), os.pipe()
    first, second = Peer(a[0], b[1]), Peer(b[0], a[1])
    second.handlers["fetch"] = lambda name: FUNCTIONS[name]

    def serve():
        try:
            while True:
                second.answer(second.receive())
        except Broken:
            second.close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield first
    if not first.closed:
        first.close()
    thread.join()


def fails():
    raise ZeroDivisionError("as asked")


FUNCTIONS = {
    "twice": lambda f, x: f(f(x)),
    "maker": lambda: lambda x: x + 1,
    "fails": fails,
    "odd": lambda: object(),
    "same": lambda f: f,
    "keyword": lambda *, a, b=2: (a, b),
}


def test_functions_are_called_and_call_back(ends):
    twice = ends.request("fetch", name="twice")
    assert twice(lambda x: x * 3, 5) == 45
    assert (twice(lambda x: x + 1, np.arange(2)) == [2, 3]).all()
    assert ends.request("fetch", name="maker")()(4) == 5
    assert ends.request("fetch", name="keyword")(a=1) == (1, 2)
    function = lambda: None  # noqa: E731
    assert ends.request("fetch", name="same")(function) is function
    assert twice(ends.request("fetch", name="maker")(), 1) == 3


def test_errors_keep_their_kind(ends):
    with pytest.raises(ZeroDivisionError, match="as asked"):
        ends.request("fetch", name="fails")()
    with pytest.raises(TypeError):
        ends.request("fetch", name="fails")(1)
    with pytest.raises(Unfit, match="type object cannot be checked"):
        ends.request("fetch", name="odd")()

    def wrong(x):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        ends.request("fetch", name="twice")(wrong, 1)


def test_no_test_takes_a_dead_program_for_an_error_that_it_expects(ends):
    function = ends.request("fetch", name="fails")
    ends.close()
    with pytest.raises(Broken):
        try:
            function()
        except Exception:
            pass


@pytest.mark.parametrize(
    "sent",
    [
        b"\xff\xff\xff\xff",
        struct.pack(">I", 3) + b"abc",
        struct.pack(">I", 2) + b"[]",
        struct.pack(">I", 8) + b'{"n": 9}',
        struct.pack(">I", 60_000) + b"[" * 60_000,
        struct.pack(">I", 5) + b"ab",
        pickle.dumps(print),
    ],
)
def test_broken_messages_are_told_from_answers(sent):
    (read, write), (other, mine) = os.pipe(), os.pipe()
    peer = Peer(read, mine)
    os.write(write, sent)
    os.close(write)
    with pytest.raises(Broken):
        peer.request("fetch", name="x")
    peer.close()
    os.close(other)


def test_a_message_of_many_small_values_is_neither_sent_nor_read(monkeypatch):
    monkeypatch.setitem(LIMITS, "values", 20)
    (read, write), (other, mine) = os.pipe(), os.pipe()
    peer = Peer(read, mine)
    with pytest.raises(Unfit, match="more than 20 values cannot pass"):
        peer.request("fetch", name=[0] * 30)
    data = json.dumps({"n": 2, "value": [[]] * 30}).encode()
    os.write(write, struct.pack(">I", len(data)) + data)
    with pytest.raises(Broken, match="more values than any may have"):
        peer.request("fetch", name="x")
    peer.close()
    os.close(other)
    os.close(write)


def test_silence_ends():
    (read, write), (other, mine) = os.pipe(), os.pipe()
    peer = Peer(read, mine)
    peer.deadline = 0.0
    with pytest.raises(Stalled):
        peer.request("fetch", name="x")
    peer.close()
    os.close(other)
    os.close(write)


def test_who_reads_a_little_and_then_nothing_stops_nobody():
    (read, write), (other, mine) = os.pipe(), os.pipe()
    os.write(mine, bytes(fcntl.fcntl(mine, fcntl.F_GETPIPE_SZ)))
    os.read(other, 8192)
    peer = Peer(read, mine)
    peer.deadline = time.monotonic() + 0.2
    with pytest.raises(Stalled):
        peer.request("run", source="x" * 200_000)
    peer.close()
    os.close(other)
    os.close(write)


def test_the_text_of_an_error_can_be_written_to_a_file():
    told = json.loads('{"name": "E", "base": "ValueError", "failure": null, "text": "a\\ud83d"}')
    assert str(raised(told)) == str(raised({**told, "failure": "Unfit"})) == "a?"
