"""The tokenizer: byte-level BPE for one domain, with CET-D's structure tokens and fill-in-the-middle tokens.

Text is split after new lines and around digits only, so a token can be a whole phrase and a number keeps its digits.
Promises: ``decode(encode(text)) == text`` for every text, and ``encode`` never yields PAD, EOS, BOS or a
fill-in-the-middle token, whatever the text says. The saved folder is a Hugging Face fast tokenizer, which
transformers and vLLM load; the structure tokens are ordinary text there, so that decoding keeps them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
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
_CONTROL = (PAD, EOS, BOS, *FIM_TOKENS)
SMALLEST_VOCABULARY = len(_CONTROL) + len(STRUCTURE_TOKENS) + 256
# Keeps a token to one phrase.
_MAX_TOKEN_BYTES = 48


class Tokenizer:
    """Text to ids and back. Made by :meth:`train` or :meth:`load`."""

    def __init__(self, inner: tokenizers.Tokenizer) -> None:
        inner.encode_special_tokens = True
        self._inner = inner

    @property
    def vocab_size(self) -> int:
        return self._inner.get_vocab_size()

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

    def id_of(self, token: str) -> int:
        """Id of a control or structure token.

        Raises:
            ValueError: no such token.
        """
        found = self._inner.token_to_id(token)
        if found is None:
            raise ValueError(f"token={token!r} is not in the vocabulary: use one of {[*_CONTROL, *STRUCTURE_TOKENS]}")
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
            special_tokens=[AddedToken(token, normalized=False) for token in (*_CONTROL, *STRUCTURE_TOKENS)],
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            max_token_length=_MAX_TOKEN_BYTES,
            show_progress=False,
        )
        structure = re.compile("|".join(STRUCTURE_TOKENS))
        inner.train_from_iterator((part for text in texts for part in structure.split(text)), trainer)
        # The trainer makes all of them special, which decoding would drop.
        state = json.loads(inner.to_str())
        for token in state["added_tokens"]:
            token["special"] = token["content"] in _CONTROL
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
