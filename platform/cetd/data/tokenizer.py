"""The tokenizer: byte-level, with CET-D's structure tokens and fill-in-the-middle tokens.

:meth:`Tokenizer.train` learns BPE for one domain: text is split after new lines and around digits only, so a token can
be a whole phrase and a number keeps its digits. :mod:`cetd.data.tokenizer_training` learns from code.
Promises: ``decode(encode(text)) == text`` for every text, ``decode_bytes(encode_bytes(data)) == data`` for all bytes,
and neither yields PAD, EOS, BOS or a fill-in-the-middle token, whatever the text says. The saved folder is a Hugging
Face fast tokenizer, which transformers and vLLM load; the structure tokens are ordinary text there, so that decoding
keeps them.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers, trainers

PAD, EOS, BOS = "<PAD>", "<EOS>", "<BOS>"
PAD_ID, EOS_ID, BOS_ID = 0, 1, 2
FIM_TOKENS = ("<FIM_PREFIX>", "<FIM_MIDDLE>", "<FIM_SUFFIX>")
STRUCTURE_TOKENS = (
    "<FUNCTIONAL_REQ>",
    "<NON_FUNCTIONAL_REQ>",
    "<CONSTRAINT>",
    "<API_CALL>",
    "<CLASS_DEF>",
    "<FUNCTION_DEF>",
)
# What never stands for text.
CONTROL_TOKENS = (PAD, EOS, BOS, *FIM_TOKENS)
SMALLEST_VOCABULARY = len(CONTROL_TOKENS) + len(STRUCTURE_TOKENS) + 256
# Keeps a token to one phrase.
MAX_TOKEN_BYTES = 48
# What errors="surrogateescape" makes of bytes that are no UTF-8.
_NOT_UTF8 = re.compile("([\udc80-\udcff]+)")


def _alphabet() -> str:
    """The characters that stand for the bytes 0 to 255 in byte-level vocabularies (GPT-2, Radford et al. 2019).

    Printable ones stand for themselves, so that a token of printable ASCII is spelled as it is; the rest are U+0100 on.
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = itertools.count(0x100)
    return "".join(chr(byte) if byte in printable else chr(next(others)) for byte in range(256))


BYTES = _alphabet()
_BYTE_OF = {character: byte for byte, character in enumerate(BYTES)}


class Tokenizer:
    """Text to ids and back. Made by :meth:`train`, :meth:`load`, or what :mod:`cetd.data.tokenizer_training` has."""

    def __init__(self, inner: tokenizers.Tokenizer) -> None:
        inner.encode_special_tokens = True
        self._inner = inner

    @property
    def vocab_size(self) -> int:
        return self._inner.get_vocab_size()

    @property
    def tokens(self) -> list[str]:
        """What each id is called in the vocabulary."""
        return [self._inner.id_to_token(each) or "" for each in range(self.vocab_size)]

    @property
    def digest(self) -> str:
        """Identifies the vocabulary and the merges."""
        return blake2b(self._inner.to_str().encode(), digest_size=8).hexdigest()

    def encode(self, text: str) -> list[int]:
        """Ids of ``text``; no EOS is added."""
        return self._inner.encode(text, add_special_tokens=False).ids

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """As :meth:`encode`, one after another."""
        return [encoding.ids for encoding in self._inner.encode_batch(list(texts), add_special_tokens=False)]

    def decode(self, ids: Iterable[int]) -> str:
        """Text of ``ids``; PAD, EOS, BOS and fill-in-the-middle tokens stand for nothing."""
        return self._inner.decode(list(ids), skip_special_tokens=True)

    def encode_bytes(self, data: bytes) -> list[int]:
        """Ids of any bytes: stretches of UTF-8 as :meth:`encode` has them, each byte that is none as itself."""
        ids: list[int] = []
        for number, part in enumerate(_NOT_UTF8.split(data.decode("utf-8", "surrogateescape"))):
            if number % 2:
                ids += (self.id_of(BYTES[byte]) for byte in part.encode("utf-8", "surrogateescape"))
            else:
                ids += self.encode(part)
        return ids

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """Bytes of ``ids``, also of some that stand for a part of a character; control tokens stand for nothing.

        Raises:
            ValueError: an id that is not in the vocabulary, or a vocabulary that is not byte-level.
        """
        data = bytearray()
        for each in ids:
            token = self._inner.id_to_token(each)
            if token is None:
                raise ValueError(f"id={each} is not in the vocabulary: it has {self.vocab_size}")
            if token in CONTROL_TOKENS:
                continue
            try:
                data += bytes(_BYTE_OF[character] for character in token)
            except KeyError:
                raise ValueError(
                    f"id={each} is {token!r}, which spells no bytes: not a byte-level vocabulary"
                ) from None
        return bytes(data)

    def id_of(self, token: str) -> int:
        """Id of a control or structure token.

        Raises:
            ValueError: no such token.
        """
        found = self._inner.token_to_id(token)
        if found is None:
            raise ValueError(
                f"token={token!r} is not in the vocabulary: use one of {[*CONTROL_TOKENS, *STRUCTURE_TOKENS]}"
            )
        return found

    def save(self, folder: Path) -> None:
        """Write ``tokenizer.json``, ``tokenizer_config.json`` and ``special_tokens_map.json`` into ``folder``."""
        folder.mkdir(parents=True, exist_ok=True)
        self._inner.save(str(folder / "tokenizer.json"))
        special = {"pad_token": PAD, "eos_token": EOS, "bos_token": BOS}
        config = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            **special,
            "additional_special_tokens": list(FIM_TOKENS),
            "clean_up_tokenization_spaces": False,
            "split_special_tokens": True,
            "model_max_length": 1_000_000,
        }
        (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
        (folder / "special_tokens_map.json").write_text(json.dumps(special, indent=2), encoding="utf-8")

    @staticmethod
    def train(texts: Iterable[str], vocab_size: int) -> Tokenizer:
        """Learn merges from ``texts``; the vocabulary has at most ``vocab_size`` entries.

        Raises:
            ValueError: a vocabulary that cannot hold the bytes and the special tokens.
        """
        if vocab_size < SMALLEST_VOCABULARY:
            raise ValueError(f"vocab_size={vocab_size} is too small: at least {SMALLEST_VOCABULARY} are needed")
        inner = tokenizers.Tokenizer(models.BPE())
        inner.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex("\n"), behavior="merged_with_previous"),
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        inner.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=added_tokens(),
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            max_token_length=MAX_TOKEN_BYTES,
            show_progress=False,
        )
        inner.train_from_iterator(unstructured(texts), trainer)
        return Tokenizer.of(inner)

    @staticmethod
    def of(inner: tokenizers.Tokenizer) -> Tokenizer:
        """The tokenizer of ``inner``, which has all of :func:`added_tokens` as special ones.

        Special is what decoding drops, so that the structure tokens must not be.
        """
        state = json.loads(inner.to_str())
        for token in state["added_tokens"]:
            token["special"] = token["content"] in CONTROL_TOKENS
        return Tokenizer(tokenizers.Tokenizer.from_str(json.dumps(state)))

    @staticmethod
    def load(folder: Path) -> Tokenizer:
        """Read a folder that :meth:`Tokenizer.save` wrote.

        Raises:
            ValueError: no tokenizer there.
        """
        file = folder / "tokenizer.json"
        if not file.is_file():
            raise ValueError(f"tokenizer={folder}: no tokenizer.json there; save one with Tokenizer.save")
        return Tokenizer(tokenizers.Tokenizer.from_file(str(file)))


def added_tokens() -> list[AddedToken]:
    """The first entries of every vocabulary, in the order of their ids."""
    return [AddedToken(token, normalized=False) for token in (*CONTROL_TOKENS, *STRUCTURE_TOKENS)]


def unstructured(texts: Iterable[str]) -> Iterator[str]:
    """What is learned from: ``texts`` without the structure tokens, which are entries already."""
    structure = re.compile("|".join(STRUCTURE_TOKENS))
    return (part for text in texts for part in structure.split(text))
