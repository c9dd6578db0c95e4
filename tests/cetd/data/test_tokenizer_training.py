"""Both kinds of tokenizer that are learned from code, small ones from this project's own."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

import cetd
from cetd.config import MicroAppsConfig
from cetd.config.train import TrainJobConfig
from cetd.data.example import Example
from cetd.data.tokenizer import (
    BOS_ID,
    BYTES,
    CONTROL_TOKENS,
    EOS_ID,
    PAD_ID,
    SMALLEST_VOCABULARY,
    STRUCTURE_TOKENS,
    Tokenizer,
)
from cetd.data.tokenizer_training import train_bpe, train_unigram
from cetd.training.preparation import check, open_data, prepared

TEXTS = [path.read_text("utf-8") for path in sorted((Path(cetd.__file__).parent / "data").glob("*.py"))]
TRAIN = {"bpe": train_bpe, "unigram": train_unigram}
TOKENIZERS = {kind: train(TEXTS, 1500) for kind, train in TRAIN.items()}
CONTROL_IDS = set(range(len(CONTROL_TOKENS)))

# What vocabularies write for themselves, and what text libraries like to mend.
MARKS = [
    *CONTROL_TOKENS,
    *STRUCTURE_TOKENS,
    *("<unk>", "<s>", "</s>", "<0x41>", "<0xFF>", "\u2581", "\u2581self", "Ġself", "Ċ", BYTES),
    *("\0", "\r", "\r\n", "\n\n\n", "\t", "\x85", "\u2028", "\ufeff", "\ufffd", "\ue000", "\U0010ffff", "e\u0301", "ﬁ"),
    *("    ", " \n ", "12", "½", "٣", "self.x_1", "):\n        ", "𝔘", "👩‍👩‍👧"),
]
TEXT = st.lists(st.one_of(st.text(max_size=12), st.sampled_from(MARKS))).map("".join)
DATA = st.lists(
    st.one_of(st.binary(max_size=12), TEXT.map(str.encode), st.sampled_from([b"\xed\xa0\x80", b"\xc0\x80"]))
)

both = pytest.mark.parametrize("kind", TRAIN)


@both
@settings(max_examples=150, deadline=None)
@given(text=TEXT)
@example(text="".join(MARKS))
@example(text="\n" * 40 + " " * 300 + "x" * 300 + "=" * 300)
def test_every_text_survives_a_round_trip_and_never_becomes_a_control_token(kind: str, text: str) -> None:
    tokenizer = TOKENIZERS[kind]
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode_bytes(ids) == text.encode()
    assert not CONTROL_IDS & set(ids)


@both
@settings(max_examples=150, deadline=None)
@given(parts=DATA)
@example(parts=[bytes(range(256))])
def test_every_byte_sequence_survives_a_round_trip(kind: str, parts: list[bytes]) -> None:
    data, tokenizer = b"".join(parts), TOKENIZERS[kind]
    ids = tokenizer.encode_bytes(data)
    assert tokenizer.decode_bytes(ids) == data
    assert not CONTROL_IDS & set(ids)


@both
@given(text=TEXT)
def test_bytes_that_are_text_have_the_ids_of_the_text(kind: str, text: str) -> None:
    assert TOKENIZERS[kind].encode_bytes(text.encode()) == TOKENIZERS[kind].encode(text)


@both
def test_a_byte_that_is_no_utf8_is_one_token_between_usual_ones(kind: str) -> None:
    tokenizer = TOKENIZERS[kind]
    ids = tokenizer.encode_bytes(b"return\xffreturn")
    assert ids == [*tokenizer.encode("return"), tokenizer.id_of(BYTES[255]), *tokenizer.encode("return")]


def test_the_tokenizer_of_the_micro_apps_is_exact_on_bytes_too() -> None:
    tokenizer = Tokenizer.train(TEXTS, 600)
    data = bytes(range(256)) + "".join(MARKS).encode()
    assert tokenizer.decode_bytes(tokenizer.encode_bytes(data)) == data


@both
def test_control_and_structure_tokens_have_the_first_ids(kind: str) -> None:
    tokenizer = TOKENIZERS[kind]
    assert [tokenizer.id_of(token) for token in (*CONTROL_TOKENS, *STRUCTURE_TOKENS)] == list(range(12))
    structure = [tokenizer.id_of(token) for token in STRUCTURE_TOKENS]
    assert tokenizer.encode("".join(STRUCTURE_TOKENS)) == structure
    assert tokenizer.decode([BOS_ID, *structure, EOS_ID, PAD_ID]) == "".join(STRUCTURE_TOKENS)
    assert tokenizer.decode_bytes([BOS_ID, *structure, EOS_ID, PAD_ID]) == "".join(STRUCTURE_TOKENS).encode()


@both
def test_digits_stand_alone_and_a_line_break_with_its_indentation_is_one_token(kind: str) -> None:
    tokenizer = TOKENIZERS[kind]
    pieces = [tokenizer.decode_bytes([each]) for each in tokenizer.encode("if x > 42:\n        return x\n")]
    assert b"4" in pieces
    assert any(piece.endswith(b":\n        ") for piece in pieces)


@both
def test_the_same_texts_give_the_same_tokenizer_in_any_order(kind: str) -> None:
    assert TRAIN[kind](reversed(TEXTS), 1500).digest == TOKENIZERS[kind].digest


@both
def test_a_vocabulary_that_the_texts_cannot_fill_is_smaller_than_asked(kind: str) -> None:
    tokenizer = TRAIN[kind](["x = 1\n"], 50_000)
    assert SMALLEST_VOCABULARY <= tokenizer.vocab_size < 300
    assert tokenizer.decode(tokenizer.encode("naïve\0")) == "naïve\0"


@both
def test_the_smallest_vocabulary_has_a_token_for_each_byte(kind: str) -> None:
    tokenizer = TRAIN[kind](TEXTS[:2], SMALLEST_VOCABULARY)
    assert tokenizer.vocab_size == SMALLEST_VOCABULARY
    assert len(tokenizer.encode("naïve")) == 6


@both
@pytest.mark.parametrize("text", ["".join(MARKS), TEXTS[0]])
def test_transformers_loads_it_and_encodes_and_decodes_alike(tmp_path: Path, kind: str, text: str) -> None:
    tokenizer = TOKENIZERS[kind]
    tokenizer.save(tmp_path)
    theirs = AutoTokenizer.from_pretrained(str(tmp_path))
    assert theirs.is_fast
    assert theirs.encode(text) == tokenizer.encode(text)
    assert theirs.decode([*theirs.encode(text), EOS_ID], skip_special_tokens=True) == text
    assert (theirs.pad_token_id, theirs.eos_token_id, theirs.bos_token_id) == (PAD_ID, EOS_ID, BOS_ID)
    loaded = Tokenizer.load(tmp_path)
    assert loaded.digest == tokenizer.digest
    assert loaded.encode(text) == tokenizer.encode(text)


@both
def test_a_training_job_takes_the_folder(tmp_path: Path, kind: str) -> None:
    tokenizer = TOKENIZERS[kind]
    tokenizer.save(tmp_path / "tokenizer")
    micro = MicroAppsConfig(train=4, heldout=2).model_dump()
    model = {"preset": "tiny-cetd", "vocab_size": tokenizer.vocab_size}
    data = {"micro": micro, "max_input_tokens": 512, "max_output_tokens": 512}
    tree = {"model": model, "data": data, "tokenizer": str(tmp_path / "tokenizer")}
    config = prepared(TrainJobConfig.model_validate(tree), tmp_path)
    check(config)
    [first] = open_data(config).train.examples([0])
    assert isinstance(first, Example)
    assert tokenizer.decode(first.prompt) == pq.read_table(config.data.train)["input"][0].as_py()
    assert first.completion[-1] == EOS_ID


@both
@pytest.mark.parametrize("texts", [[], ["", ""]])
def test_nothing_to_learn_from_is_refused(kind: str, texts: list[str]) -> None:
    with pytest.raises(ValueError, match="there is nothing to learn from"):
        TRAIN[kind](texts, 1000)


@both
def test_a_vocabulary_that_cannot_hold_the_bytes_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match=f"vocab_size=267 is too small: at least {SMALLEST_VOCABULARY}"):
        TRAIN[kind](TEXTS, 267)


def test_an_id_that_is_no_token_spells_no_bytes() -> None:
    with pytest.raises(ValueError, match="id=99999 is not in the vocabulary: it has 1500"):
        TOKENIZERS["bpe"].decode_bytes([99999])


def test_a_vocabulary_that_is_not_byte_level_is_told_from_one_that_is(tmp_path: Path) -> None:
    TOKENIZERS["bpe"].save(tmp_path)
    file = tmp_path / "tokenizer.json"
    state = json.loads(file.read_text())
    state["added_tokens"][-1]["content"] = "\u2581class"
    state["added_tokens"][-1]["id"] = 1500
    file.write_text(json.dumps(state))
    with pytest.raises(ValueError, match="not a byte-level vocabulary"):
        Tokenizer.load(tmp_path).decode_bytes([1500])
