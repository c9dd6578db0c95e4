"""Learns tokenizers from code: byte-level BPE, and SentencePiece's unigram model over the same bytes.

Both split text alike before they learn: words with the character before them, single digits, punctuation together with
the line end and the indentation that follow it, runs of white space. So a usual line break costs one token, and the two
differ in what is learned and not in where a token may end. Promises: every byte is an entry of the vocabulary, which
makes :class:`Tokenizer` exact on all bytes; the same texts give the same tokenizer in any order and on any number of
cores; a vocabulary that the texts cannot fill is smaller than asked, and no error.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator

import sentencepiece
import tokenizers
from tokenizers import Regex, decoders, models, pre_tokenizers, trainers

from cetd.data.tokenizer import (
    BYTES,
    CONTROL_TOKENS,
    MAX_TOKEN_BYTES,
    SMALLEST_VOCABULARY,
    STRUCTURE_TOKENS,
    Tokenizer,
    added_tokens,
    unstructured,
)

# Runs are bounded, so that neither a line of megabytes nor a file of blanks is one piece.
_SPLIT = "|".join(
    (
        r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}_]{1,64}",  # a word, or part of an identifier: " self", ".append", "__init__"
        r"\p{N}",
        r" ?[^\s\p{L}\p{N}]{1,64}(?:[\r\n]{1,16}[ \t]{0,64})?",  # "):\n        "
        r"[^\S\r\n]{0,64}[\r\n]{1,16}[ \t]{0,64}",
        r"[^\S\r\n]{1,64}(?!\S)",  # leaves the last blank to the word behind it
        r"\s",
    )
)
# Sums of floats depend on it, and so the same on every machine.
_SENTENCEPIECE_THREADS = 4
# Log-probability of the control and structure tokens as pieces: far below that of any spelling.
_NEVER = -1e4


def train_bpe(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Learn byte-level BPE (Sennrich et al. 2016) with at most ``vocab_size`` entries.

    Raises:
        ValueError: a vocabulary that cannot hold the bytes and the special tokens, or no text.
    """
    _check(vocab_size)
    inner = _around(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=added_tokens(),
        initial_alphabet=sorted(BYTES),
        max_token_length=MAX_TOKEN_BYTES,
        show_progress=False,
    )
    inner.train_from_iterator(_some(unstructured(texts)), trainer)
    return Tokenizer.of(inner)


def train_unigram(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Learn a unigram language model (Kudo 2018) with at most ``vocab_size`` entries.

    SentencePiece learns from the bytes spelled as :data:`BYTES` has them, so that it meets neither its own mark for a
    blank nor any character that it reserves, and falls back to no bytes: they are pieces.

    Raises:
        ValueError: a vocabulary that cannot hold the bytes and the special tokens, or no text.
    """
    _check(vocab_size)
    split = _pre_tokenizer()
    counts = Counter(piece for text in _some(unstructured(texts)) for piece, _ in split.pre_tokenize_str(text))
    missing = sorted(set(BYTES).difference(*counts))
    learned = _sentencepiece(counts, vocab_size - len(CONTROL_TOKENS) - len(STRUCTURE_TOKENS) - len(missing))
    rarest = min(score for _, score in learned)
    pieces = [(token, _NEVER) for token in (*CONTROL_TOKENS, *STRUCTURE_TOKENS)]
    inner = _around(models.Unigram([*pieces, *learned, *((byte, rarest) for byte in missing)]))
    inner.add_special_tokens(added_tokens())
    return Tokenizer.of(inner)


def _check(vocab_size: int) -> None:
    if vocab_size < SMALLEST_VOCABULARY:
        raise ValueError(f"vocab_size={vocab_size} is too small: at least {SMALLEST_VOCABULARY} are needed")


def _some(texts: Iterable[str]) -> Iterator[str]:
    """The texts that are not empty.

    Raises:
        ValueError: there are none.
    """
    nothing = True
    for text in texts:
        if text:
            nothing = False
            yield text
    if nothing:
        raise ValueError("texts: there are none, or all are empty; there is nothing to learn from")


def _around(model: models.Model) -> tokenizers.Tokenizer:
    inner = tokenizers.Tokenizer(model)
    inner.pre_tokenizer = _pre_tokenizer()
    inner.decoder = decoders.ByteLevel()
    return inner


def _pre_tokenizer() -> pre_tokenizers.PreTokenizer:
    split = pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def _sentencepiece(counts: Counter[str], size: int) -> list[tuple[str, float]]:
    """At most ``size`` pieces with their log-probabilities, learned from spelled pieces of text and how often each is.

    What SentencePiece would do to text beforehand is off: that is done.
    """
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(  # pyright: ignore[reportAttributeAccessIssue]
        sentence_iterator=(f"{piece}\t{count}" for piece, count in sorted(counts.items())),
        input_format="tsv",
        model_writer=written,
        model_type="unigram",
        vocab_size=size + 1,  # with the unknown piece, which is left out
        hard_vocab_limit=False,
        character_coverage=1.0,
        max_sentencepiece_length=MAX_TOKEN_BYTES,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        split_by_whitespace=False,
        split_by_unicode_script=False,
        split_by_number=False,
        unk_id=0,
        bos_id=-1,
        eos_id=-1,
        pad_id=-1,
        num_threads=_SENTENCEPIECE_THREADS,
        minloglevel=2,
    )
    model = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())  # pyright: ignore[reportCallIssue]
    return [(model.id_to_piece(each), model.get_score(each)) for each in range(1, model.get_piece_size())]
