from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from cetd.config import MicroAppsConfig
from cetd.data.microapps import generate
from cetd.data.supervised import corpus
from cetd.data.tokenizer import (
    BOS_ID,
    EOS_ID,
    FIM_TOKENS,
    PAD_ID,
    SMALLEST_VOCABULARY,
    STRUCTURE_TOKENS,
    Tokenizer,
)

TEXTS = corpus(generate(MicroAppsConfig(train=300, heldout=1)).train)
TOKENIZER = Tokenizer.train(TEXTS, 900)
# Text that looks like tokens, between arbitrary characters.
TRICKY = st.lists(st.one_of(st.text(max_size=20), st.sampled_from([*STRUCTURE_TOKENS, *FIM_TOKENS, "<PAD>", "<EOS>"])))


@settings(max_examples=300, deadline=None)
@given(TRICKY.map("".join))
def test_every_text_survives_a_round_trip(text):
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@given(TRICKY.map("".join))
def test_no_text_encodes_to_a_control_token(text):
    control = {PAD_ID, EOS_ID, BOS_ID, *map(TOKENIZER.id_of, FIM_TOKENS)}
    assert not control & set(TOKENIZER.encode(text))


def test_structure_tokens_are_one_id_each_and_stay_in_the_text():
    ids = [TOKENIZER.id_of(token) for token in STRUCTURE_TOKENS]
    assert TOKENIZER.encode("".join(STRUCTURE_TOKENS)) == ids
    assert TOKENIZER.decode([*ids, EOS_ID, PAD_ID, PAD_ID]) == "".join(STRUCTURE_TOKENS)


def test_digits_stand_alone_and_phrases_are_long_tokens():
    pieces = [TOKENIZER.decode([token]) for token in TOKENIZER.encode("    xs = [x + 47 for x in xs]\n")]
    assert "4" in pieces
    assert "7" in pieces
    assert len(pieces) <= 6


def test_the_same_texts_give_the_same_vocabulary_in_any_order():
    assert Tokenizer.train(reversed(TEXTS), 900).digest == TOKENIZER.digest


def test_a_saved_folder_loads_again(tmp_path: Path):
    TOKENIZER.save(tmp_path)
    assert Tokenizer.load(tmp_path).digest == TOKENIZER.digest
    assert (tmp_path / "tokenizer_config.json").is_file()


@pytest.mark.parametrize("text", [*TEXTS[:4], "<EOS> is text <PAD>\n\n\n  <FUNCTIONAL_REQ>\té x<FIM_PREFIX>"])
def test_transformers_loads_it_and_encodes_and_decodes_alike(tmp_path: Path, text: str):
    TOKENIZER.save(tmp_path)
    theirs = AutoTokenizer.from_pretrained(str(tmp_path))
    assert theirs.encode(text) == TOKENIZER.encode(text)
    assert theirs.decode([*theirs.encode(text), EOS_ID], skip_special_tokens=True) == text
    assert (theirs.pad_token_id, theirs.eos_token_id, theirs.bos_token_id) == (PAD_ID, EOS_ID, BOS_ID)


def test_a_vocabulary_that_cannot_hold_the_bytes_is_refused():
    with pytest.raises(ValueError, match=f"vocab_size=200 is too small: at least {SMALLEST_VOCABULARY}"):
        Tokenizer.train(TEXTS, 200)


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"no tokenizer\.json"):
        Tokenizer.load(tmp_path)


def test_an_unknown_token_is_refused():
    with pytest.raises(ValueError, match="<NOPE>"):
        TOKENIZER.id_of("<NOPE>")
