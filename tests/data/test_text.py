"""Text to numbers and back: nothing is lost, and what cannot be done is said."""

import json
import os
import re
import subprocess
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lstm_lib.data.text import BytePairs, Vocabulary, clean, words

SPECIALS = dict(pad="<pad>", unk="<unk>", bos="<bos>", eos="<eos>")
TRICKY = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(
            "e\u0301\u0308 \t\n\r\v\f\x00\x85\u2028\u200b\u200d\u00ad\ufeff‘’“”'\u00a0"
        ),
    ),
    max_size=30,
)


def raises(error, text):
    return pytest.raises(error, match=re.escape(text))


@given(TRICKY, st.booleans())
def test_cleaning_twice_is_cleaning_once(text, lines):
    once = clean(text, lines=lines)
    assert clean(once, lines=lines) == once


@given(TRICKY)
def test_what_clean_text_looks_like(text):
    text = clean(text)
    assert unicodedata.is_normalized("NFC", text)
    assert not set(text) & set("\t\r\v\f\x00\x85\u2028\u00a0\u200b\u00ad\ufeff‘’“”")
    assert "  " not in text and "\n\n\n" not in text
    assert all(line == line.strip() for line in text.split("\n"))
    assert text == text.strip()
    text.encode("utf-8")


@pytest.mark.parametrize(
    ("given", "cleaned"),
    [
        ("", ""),
        (" \n\t ", ""),
        ("a\r\nb\rc\u2028d\fe\x85f", "a\nb\nc\nd\ne\nf"),
        ("a\n\n\n\nb", "a\n\nb"),
        ("a\n \n\t\nb", "a\n\nb"),
        ("  a \t\u00a0 b  \n   c", "a b\nc"),
        ("“It’s”", '"It\'s"'),
        ("e\u0301 Å", "é Å"),
        ("e\u200b\u0301", "é"),
        ("a\x00b\x1bc\ufeffd\u00ade\ud800f", "abcdef"),
        ("«a» – b…", "«a» – b…"),
        ("👩\u200d🚀 می\u200cروم", "👩\u200d🚀 می\u200cروم"),
    ],
)
def test_cleaning(given, cleaned):
    assert clean(given) == cleaned


def test_cleaning_to_one_line():
    assert clean(" a\r\n\n b\u2028c ", lines=False) == "a b c"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        (" \n", []),
        ("Don't stop.", ["Don't", "stop", "."]),
        ("the dogs' o’clock 'tis", ["the", "dogs", "'", "o’clock", "'", "tis"]),
        ("well-known 3.14", ["well", "-", "known", "3", ".", "14"]),
        ("Café, naïve?!", ["Café", ",", "naïve", "?", "!"]),
        ("a''b", ["a", "'", "'", "b"]),
    ],
)
def test_words(text, found):
    assert words(text) == found


@given(st.text())
def test_words_lose_white_space_alone(text):
    assert "".join(words(text)) == "".join(text.split())


@pytest.mark.parametrize("function", [clean, words])
def test_text_that_is_no_text(function):
    with raises(TypeError, "text must be a str, got bytes"):
        function(b"bytes")


@given(st.text(min_size=1), st.booleans(), st.booleans())
def test_characters_come_back(text, bos, eos):
    vocabulary = Vocabulary.from_symbols(text, **SPECIALS)
    ids = vocabulary.encode(text, bos=bos, eos=eos)
    assert ids.dtype == np.int64 and ids.shape == (len(text) + bos + eos,)
    assert "".join(vocabulary.decode(ids, specials=False)) == text
    with_specials = vocabulary.decode(ids)
    assert with_specials == ["<bos>"] * bos + list(text) + ["<eos>"] * eos


def test_special_symbols_come_first_and_padding_is_0():
    vocabulary = Vocabulary("ba", **SPECIALS)
    assert vocabulary.symbols == ("<pad>", "<unk>", "<bos>", "<eos>", "b", "a")
    assert (vocabulary.pad_id, vocabulary.unk_id) == (0, 1)
    assert (vocabulary.bos_id, vocabulary.eos_id) == (2, 3)
    assert vocabulary["a"] == 5 and "a" in vocabulary and "z" not in vocabulary
    plain = Vocabulary("ba")
    assert plain.pad_id is plain.unk_id is plain.bos_id is plain.eos_id is None
    assert len(plain) == 2 and plain.specials == {}
    only_end = Vocabulary("ba", eos="<eos>")
    assert only_end.eos_id == 0 and only_end.pad_id is None


def test_the_order_is_by_count_and_then_by_code_point():
    assert Vocabulary.from_symbols("zzabbc").symbols == ("b", "z", "a", "c")
    assert Vocabulary.from_symbols("cbbazz") == Vocabulary.from_symbols("zzabbc")


def test_rare_words_are_unknown():
    text = words("the cat and the dog and the bird")
    vocabulary = Vocabulary.from_symbols(text, min_count=2, unk="<unk>")
    assert vocabulary.symbols == ("<unk>", "the", "and")
    assert vocabulary.encode(["the", "bird", "and"]).tolist() == [1, 0, 2]
    assert vocabulary.decode([1, 0], specials=False) == ["the", "<unk>"]
    smaller = Vocabulary.from_symbols(text, max_size=2, unk="<unk>")
    assert smaller.symbols == ("<unk>", "the")


def test_a_special_symbol_in_the_text_is_not_counted_twice():
    text = ["<eos>", "a", "<eos>", "b"]
    vocabulary = Vocabulary.from_symbols(text, eos="<eos>")
    assert vocabulary.symbols == ("<eos>", "a", "b")
    assert vocabulary.encode(text).tolist() == [0, 1, 0, 2]


def test_decoding_ends_at_the_end():
    vocabulary = Vocabulary("ab", **SPECIALS)
    assert vocabulary.decode([2, 4, 3, 5, 3, 0], specials=False) == ["a"]
    assert vocabulary.decode([0, 4, 0], specials=False) == ["a"]
    assert vocabulary.decode([]) == []


def test_a_vocabulary_is_equal_to_itself_alone():
    assert Vocabulary("ab") == Vocabulary("ab") != Vocabulary("ba")
    assert Vocabulary("ab") != "ab"
    assert repr(Vocabulary("abcdefgh")) == "Vocabulary of 8: 'a', 'b', 'c', 'd', 'e', 'f', ..."


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Vocabulary([]), ValueError, "at least one symbol"),
        (lambda: Vocabulary("aa"), ValueError, "symbol 'a' stands more than once"),
        (lambda: Vocabulary("ab", pad="a"), ValueError, "symbol 'a' stands more than once"),
        (lambda: Vocabulary([1]), TypeError, "every symbol must be a str, got 1 of type int"),
        (lambda: Vocabulary([["a"]]), TypeError, "every symbol must be a str"),
        (lambda: Vocabulary([""]), ValueError, "the empty string is no symbol"),
        (lambda: Vocabulary.from_symbols(""), ValueError, "would be empty"),
        (lambda: Vocabulary.from_symbols("ab", min_count=2), ValueError, "no symbol occurs 2 time"),
        (lambda: Vocabulary.from_symbols("ab", min_count=0), ValueError, "min_count must be"),
        (lambda: Vocabulary.from_symbols("ab", max_size=1, pad="_"), ValueError, "max_size must"),
        (lambda: Vocabulary.from_symbols("ab", max_size=-1), ValueError, "max_size must"),
        (lambda: Vocabulary("ab").encode("abc"), ValueError, "symbol 'c' at position 2"),
        (lambda: Vocabulary("ab").encode("a", bos=True), ValueError, "no bos: build it with bos="),
        (lambda: Vocabulary("ab").encode("a", eos=True), ValueError, "no eos: build it with eos="),
        (lambda: Vocabulary("ab").decode([2]), ValueError, "ids must lie between 0 and 1, got 2"),
        (lambda: Vocabulary("ab").decode([-1]), ValueError, "ids must lie between 0 and 1, got -1"),
        (lambda: Vocabulary("ab").decode([0.0]), TypeError, "ids must be integers"),
        (lambda: Vocabulary("ab").decode([[0]]), ValueError, "shape (T,), got (1, 1)"),
        (lambda: Vocabulary("ab")["c"], KeyError, "c"),
    ],
)
def test_what_a_vocabulary_refuses(call, error, message):
    with raises(error, message):
        call()


@given(st.text(min_size=1))
def test_saved_and_loaded(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("vocabulary") / "characters.json"
    vocabulary = Vocabulary.from_symbols(text, unk="<unk>", eos="<eos>")
    vocabulary.save(path)
    assert Vocabulary.load(path) == vocabulary
    assert Vocabulary.load(path).specials == vocabulary.specials


def test_a_failed_write_keeps_the_old_vocabulary(tmp_path, monkeypatch):
    path = tmp_path / "v.json"
    Vocabulary("ab").save(path)

    def full_disk(_):
        raise OSError("no space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    with raises(OSError, "no space left"):
        Vocabulary("abc").save(path)
    assert Vocabulary.load(path) == Vocabulary("ab")
    assert [p.name for p in tmp_path.iterdir()] == ["v.json"]


def damaged(text):
    yield b""
    yield text[:-9]
    yield b"[1, 2]"
    yield b"\xff\xfe"
    yield text.replace(b"vocabulary 1", b"vocabulary 9")
    yield text.replace(b'"symbols"', b'"other"')
    yield text.replace(b'"eos"', b'"end"')
    yield text.replace(b'"b"', b'"a"')
    yield text.replace(b'"b"', b"7")


def test_a_file_that_is_no_vocabulary(tmp_path):
    path = tmp_path / "v.json"
    with raises(FileNotFoundError, "no vocabulary at"):
        Vocabulary.load(path)
    Vocabulary("ab", eos="<eos>").save(path)
    for content in damaged(path.read_bytes()):
        path.write_bytes(content)
        with raises(ValueError, "is not a whole vocabulary"):
            Vocabulary.load(path)


CORPUS = "the newest and the widest of the lowest, naïve café 长江 " * 5
BYTE_PAIRS = BytePairs.train(CORPUS, 290, specials=["<pad>", "<eos>"])


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_byte_pairs_give_back_every_text(text):
    pieces = BYTE_PAIRS
    ids = pieces.encode(text)
    assert ids.dtype == np.int64 and ids.ndim == 1
    assert pieces.decode(ids) == text


def test_byte_pairs_join_what_is_frequent():
    pieces = BYTE_PAIRS
    assert len(pieces) == 290
    assert len(pieces.encode(CORPUS)) < 0.5 * len(CORPUS.encode())
    assert " the" in pieces.pieces("of the")
    assert "".join(pieces.pieces("the newest")) == "the newest"


def test_special_symbols_are_never_made_from_text():
    assert (BYTE_PAIRS["<pad>"], BYTE_PAIRS["<eos>"]) == (0, 1)
    ids = BYTE_PAIRS.encode("a<eos>b")
    assert not {0, 1} & set(ids.tolist()) and BYTE_PAIRS.decode(ids) == "a<eos>b"
    assert BYTE_PAIRS.decode([0, *BYTE_PAIRS.encode("hi"), 1]) == "hi"
    with raises(KeyError, "<bos>"):
        BYTE_PAIRS["<bos>"]


def test_training_on_the_same_texts_gives_the_same_pieces(tmp_path):
    BYTE_PAIRS.save(tmp_path / "here.json")
    code = (
        "from lstm_lib.data.text import BytePairs\n"
        f"BytePairs.train({CORPUS!r}, 290, specials=['<pad>', '<eos>'])"
        f".save({str(tmp_path / 'there.json')!r})"
    )
    for threads in ("1", "2"):
        environment = {**os.environ, "RAYON_NUM_THREADS": threads}
        run = subprocess.run([sys.executable, "-c", code], env=environment)
        assert run.returncode == 0
        assert (tmp_path / "here.json").read_bytes() == (tmp_path / "there.json").read_bytes()


def test_byte_pairs_saved_and_loaded(tmp_path):
    path = tmp_path / "pieces.json"
    BYTE_PAIRS.save(path)
    loaded = BytePairs.load(path)
    text = "the newest <eos> 長 "
    assert loaded.encode(text).tolist() == BYTE_PAIRS.encode(text).tolist()
    assert loaded.decode(loaded.encode(text)) == text
    other = json.loads(path.read_bytes())
    other["model"] = {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}
    for content in (b"", b"{}", path.read_bytes()[:-20], json.dumps(other).encode()):
        path.write_bytes(content)
        with raises(ValueError, "is not a whole file of byte pairs"):
            BytePairs.load(path)
    with raises(FileNotFoundError, "no byte pairs at"):
        BytePairs.load(tmp_path / "absent.json")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: BytePairs.train("a", 255), ValueError, "size must be at least 256"),
        (
            lambda: BytePairs.train("a", 256, specials=["x"]),
            ValueError,
            "size must be at least 257",
        ),
        (lambda: BytePairs.train("a", 0), ValueError, "size must be a positive integer"),
        (lambda: BytePairs.train("a", 300, specials=["x", "x"]), ValueError, "must be different"),
        (lambda: BytePairs.train("a", 300, specials=""), ValueError, "not empty"),
        (lambda: BytePairs.train([b"a"], 300), TypeError, "must be str, got bytes"),
        (lambda: BYTE_PAIRS.encode(b"a"), TypeError, "text must be a str, got bytes"),
        (lambda: BYTE_PAIRS.encode("\ud800"), ValueError, "lone surrogate"),
        (lambda: BYTE_PAIRS.decode([300]), ValueError, "ids must lie between 0 and 289, got 300"),
        (lambda: BYTE_PAIRS.decode([-1]), ValueError, "got -1 to -1"),
        (lambda: BYTE_PAIRS.decode([0.5]), TypeError, "ids must be integers"),
        (lambda: BYTE_PAIRS.decode(3), ValueError, "shape (T,), got ()"),
    ],
)
def test_what_byte_pairs_refuse(call, error, message):
    with raises(error, message):
        call()


def test_without_the_tokenizers_package_the_rest_works():
    code = (
        "import sys; sys.modules['tokenizers'] = None\n"
        "from lstm_lib.data.text import BytePairs, Vocabulary\n"
        "Vocabulary('ab').encode('ab')\n"
        "BytePairs.train('a', 300)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "ModuleNotFoundError: byte pairs need the tokenizers package" in run.stderr
    assert "pip install 'lstm_lib[text]'" in run.stderr
