"""Weights in Hugging Face layout: ``config.json`` and safetensors, as transformers and vLLM read them.

Names are mapped here and nowhere else. Reads single files and shards with an index; never unpickles. A weights
file is whole or absent. Tokenizer files are not its business.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialise
from torch import Tensor

from cetd import durable
from cetd.config import ConfigError, DecoderConfig, EncoderDecoderConfig, validate
from cetd.models.decoder import Decoder
from cetd.models.encoder_decoder import EncoderDecoder

PAD_ID, EOS_ID, BOS_ID = 0, 1, 2
WEIGHTS = "model.safetensors"

_T5_ATTENTION = {"self_attention": "SelfAttention", "cross_attention": "EncDecAttention"}
# Names of ours to names of theirs; the feed-forward's first matrix depends on the gate and is handled apart.
_T5_NAMES: list[tuple[str, str]] = [
    (r"^embedding\.weight$", "shared.weight"),
    (r"^(encoder|decoder)\.positions\.embedding", r"\1.block.0.layer.0.SelfAttention.relative_attention_bias"),
    (r"^(encoder|decoder)\.norm\.", r"\1.final_layer_norm."),
    (r"^(encoder|decoder)\.layers\.(\d+)\.self_norm\.", r"\1.block.\2.layer.0.layer_norm."),
    (r"^(encoder|decoder)\.layers\.(\d+)\.self_attention\.", r"\1.block.\2.layer.0.SelfAttention."),
    (r"^decoder\.layers\.(\d+)\.cross_norm\.", r"decoder.block.\1.layer.1.layer_norm."),
    (r"^decoder\.layers\.(\d+)\.cross_attention\.", r"decoder.block.\1.layer.1.EncDecAttention."),
    (r"^encoder\.layers\.(\d+)\.feed_forward_norm\.", r"encoder.block.\1.layer.1.layer_norm."),
    (r"^decoder\.layers\.(\d+)\.feed_forward_norm\.", r"decoder.block.\1.layer.2.layer_norm."),
    (r"^encoder\.layers\.(\d+)\.feed_forward\.", r"encoder.block.\1.layer.1.DenseReluDense."),
    (r"^decoder\.layers\.(\d+)\.feed_forward\.", r"decoder.block.\1.layer.2.DenseReluDense."),
]
# Learned positions are in no model that transformers knows: the Llama layout under a name of its own, with one table.
_LEARNED = "cetd-learned-positions"
# Copies that some writers store beside the tensor they are tied to, and buffers that are computed here.
_IGNORED = re.compile(r"^(encoder|decoder)\.embed_tokens\.weight$|rotary_emb\.inv_freq$")


class CheckpointError(ValueError):
    """A model folder that cannot be used; the message is one line for the user."""


class _UnsupportedError(ValueError):
    """What a configuration asks for and these models have not."""


@dataclass(frozen=True)
class TokenIds:
    """Ids of the tokens with a role, as ``config.json`` has them; None: the model has no such token."""

    pad: int | None = None
    eos: int | None = None
    bos: int | None = None
    decoder_start: int | None = None


# Of models that are made here.
T5_IDS = TokenIds(pad=PAD_ID, eos=EOS_ID, decoder_start=PAD_ID)
LLAMA_IDS = TokenIds(pad=PAD_ID, eos=EOS_ID, bos=BOS_ID)


def save(model: EncoderDecoder | Decoder, folder: Path, ids: TokenIds | None = None) -> None:
    """Write the model's weights and configuration; what else stands in ``folder`` stays.

    ``ids`` are those of the model's tokenizer; None for the tokenizer that is made here.

    Raises:
        OSError: the disk is full or not writable; what stood there before is untouched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {_theirs(name, model): value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    generation = _token_ids(ids or (T5_IDS if isinstance(model, EncoderDecoder) else LLAMA_IDS))
    # Serialised in memory: safetensors reports a full disk as an error of its own, without the number.
    durable.write_bytes(folder / WEIGHTS, serialise(tensors, metadata={"format": "pt"}))
    durable.write_text(folder / "config.json", json.dumps(reference_config(model.config) | generation, indent=2))
    durable.write_text(folder / "generation_config.json", json.dumps(generation, indent=2))


def reference_config(config: EncoderDecoderConfig | DecoderConfig) -> dict[str, Any]:
    """The fields of ``config.json``, but for the token ids."""
    return _t5_config(config) if isinstance(config, EncoderDecoderConfig) else _llama_config(config)


def load(folder: Path) -> EncoderDecoder | Decoder:
    """The model of a folder, in fp32 and in training mode.

    Raises:
        CheckpointError: the folder, its configuration or its tensors cannot be used.
    """
    config = read_config(folder)
    found = {name: value for name, value in _tensors(folder).items() if not _IGNORED.search(name)}
    _settle_head(folder, config, found)
    with torch.device("meta"):  # names and shapes only: nothing is allocated or drawn that the file replaces
        model = EncoderDecoder(config) if isinstance(config, EncoderDecoderConfig) else Decoder(config)
    own = {}
    for name, parameter in model.state_dict().items():
        theirs = _theirs(name, model)
        if theirs not in found:
            raise CheckpointError(f"{folder}: tensor {theirs} is missing; its config.json is for another model")
        value = found.pop(theirs)
        if value.shape != parameter.shape:
            raise CheckpointError(
                f"{folder}: tensor {theirs} is {list(value.shape)} but config.json asks for {list(parameter.shape)}"
            )
        own[name] = value.to(torch.float32, copy=True)  # safetensors maps the file: not to be written to
    if found:
        raise CheckpointError(f"{folder}: unexpected tensor {min(found)}; its config.json is for another model")
    model.load_state_dict(own, assign=True)
    return model


def read_config(folder: Path) -> EncoderDecoderConfig | DecoderConfig:
    """The dimensions that ``config.json`` gives.

    Raises:
        CheckpointError: no such folder, or not a model of a family known here.
    """
    path, config = folder / "config.json", _config_json(folder)
    try:
        match config.get("model_type"):
            case "t5":
                return validate(EncoderDecoderConfig, _from_t5(config))
            case "llama":
                return validate(DecoderConfig, _from_llama(config))
            case name if name == _LEARNED:
                return validate(DecoderConfig, _from_llama(config) | {"positions": "learned"})
            case other:
                raise CheckpointError(f"{path}: model_type={other!r} is not known here; t5 and llama are")
    except KeyError as error:
        raise CheckpointError(f"{path}: {error.args[0]} is missing") from None
    except (ConfigError, _UnsupportedError) as error:
        raise CheckpointError(f"{path}: {error}") from None


def read_token_ids(folder: Path) -> TokenIds:
    """The ids that ``config.json`` gives; a role that it leaves out has none.

    Raises:
        CheckpointError: no such folder, or an id that is not one number.
    """
    config, ids = _config_json(folder), {}
    for role in fields(TokenIds):
        key = f"{role.name}_token_id"
        ids[role.name] = config.get(key)
        if type(ids[role.name]) not in (int, type(None)):
            raise CheckpointError(f"{folder / 'config.json'}: {key}={ids[role.name]!r}: one number is expected")
    return TokenIds(**ids)


def _token_ids(ids: TokenIds) -> dict[str, int]:
    return {f"{role}_token_id": value for role, value in asdict(ids).items() if value is not None}


def _config_json(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(
            f"{folder}: no config.json there; give a Hugging Face folder (config.json, *.safetensors, tokenizer.json)"
        ) from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}") from None
    if not isinstance(config, dict):
        raise CheckpointError(f"{path}: expected an object, got {type(config).__name__}; copy the model again")
    return config


def _tensors(folder: Path) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for name in _weight_files(folder):
        path = folder / name
        if path.parent != folder or not path.is_file():
            raise CheckpointError(f"{path}: no such file; weights are read from safetensors only")
        try:
            tensors |= load_file(path)
        except SafetensorError as error:
            raise CheckpointError(f"{path}: damaged or cut short ({error}); copy it again") from None
    return tensors


def _weight_files(folder: Path) -> list[str]:
    index = folder / f"{WEIGHTS}.index.json"
    if not index.exists():
        return [WEIGHTS]
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        if not all(isinstance(name, str) for name in names):
            raise TypeError
        return sorted(names)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise CheckpointError(f"{index}: expected a weight_map of tensor to file; copy the model again") from None


def _settle_head(folder: Path, config: EncoderDecoderConfig | DecoderConfig, found: dict[str, Tensor]) -> None:
    """Make the head's tensor in ``found`` agree with the configuration.

    A tied head may be stored beside the embedding. transformers 5 ties T5's head in memory and so leaves it out of the
    file, also where the output is not scaled: then the head is the embedding, as a matrix of its own.
    """
    t5 = isinstance(config, EncoderDecoderConfig)
    embedding = found.get("shared.weight" if t5 else "model.embed_tokens.weight")
    if config.tied_lm_head:
        head = found.pop("lm_head.weight", None)
        if head is not None and embedding is not None and not head.equal(embedding):
            raise CheckpointError(
                f"{folder}: lm_head.weight differs from the embedding that config.json ties it to; save it untied"
            )
    elif t5 and embedding is not None:
        found.setdefault("lm_head.weight", embedding)


def _theirs(name: str, model: EncoderDecoder | Decoder) -> str:
    if isinstance(model, Decoder):
        return name if name.startswith("lm_head") else f"model.{name}"
    for pattern, replacement in _T5_NAMES:
        name, found = re.subn(pattern, replacement, name)
        if found:
            break
    if model.config.feed_forward == "gated-gelu":
        name = name.replace("DenseReluDense.wi.", "DenseReluDense.wi_1.").replace(".gate.", ".wi_0.")
    return name


def _t5_config(config: EncoderDecoderConfig) -> dict[str, Any]:
    gated = config.feed_forward == "gated-gelu"
    return {
        "model_type": "t5",
        "architectures": ["T5ForConditionalGeneration"],
        "is_encoder_decoder": True,
        "dtype": "float32",
        "vocab_size": config.vocab_size,
        "d_model": config.d_model,
        "d_ff": config.d_ff,
        "d_kv": config.d_kv,
        "num_heads": config.n_heads,
        "num_layers": config.encoder_layers,
        "num_decoder_layers": config.decoder_layers,
        "feed_forward_proj": config.feed_forward,
        "is_gated_act": gated,
        "dense_act_fn": "gelu_new" if gated else "relu",
        "tie_word_embeddings": config.tied_lm_head,
        "scale_decoder_outputs": config.tied_lm_head,
        "relative_attention_num_buckets": config.relative_buckets,
        "relative_attention_max_distance": config.relative_max_distance,
        "dropout_rate": config.dropout,
        "layer_norm_epsilon": config.norm_eps,
    }


def _from_t5(config: dict[str, Any]) -> dict[str, Any]:
    feed_forward = config.get("feed_forward_proj", "relu")
    if feed_forward in ("relu", "gated-gelu"):  # validation names the others
        _only("dense_act_fn", config, "relu" if feed_forward == "relu" else "gelu_new")
    return {
        "vocab_size": config["vocab_size"],
        "d_model": config["d_model"],
        "d_ff": config["d_ff"],
        "d_kv": config["d_kv"],
        "n_heads": config["num_heads"],
        "encoder_layers": config["num_layers"],
        "decoder_layers": config.get("num_decoder_layers") or config["num_layers"],
        "feed_forward": feed_forward,
        # Older writers say by tie_word_embeddings alone that the output is not scaled.
        "tied_lm_head": config.get("tie_word_embeddings", True) and config.get("scale_decoder_outputs", True),
        "relative_buckets": config.get("relative_attention_num_buckets", 32),
        "relative_max_distance": config.get("relative_attention_max_distance", 128),
        "dropout": config.get("dropout_rate", 0.1),
        "norm_eps": config.get("layer_norm_epsilon", 1e-6),
    }


def _llama_config(config: DecoderConfig) -> dict[str, Any]:
    learned = config.positions == "learned"
    return {
        "model_type": _LEARNED if learned else "llama",
        "architectures": ["LearnedPositionsForCausalLM" if learned else "LlamaForCausalLM"],
        "dtype": "float32",
        "vocab_size": config.vocab_size,
        "hidden_size": config.d_model,
        "intermediate_size": config.d_ff,
        "head_dim": config.d_head,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.n_kv_heads,
        "num_hidden_layers": config.n_layers,
        "hidden_act": "silu",
        "tie_word_embeddings": config.tied_lm_head,
        "max_position_embeddings": config.max_positions,
        "rope_theta": config.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "rms_norm_eps": config.norm_eps,
        "attention_bias": False,
        "mlp_bias": False,
    }


def _from_llama(config: dict[str, Any]) -> dict[str, Any]:
    heads = config["num_attention_heads"]
    rope = config.get("rope_parameters") or {}
    if not isinstance(rope, dict) or rope.get("rope_type", "default") != "default" or config.get("rope_scaling"):
        raise _UnsupportedError("rope_scaling: only plain rotary positions are known here")
    _only("hidden_act", config, "silu")
    _only("attention_bias", config, False)
    _only("mlp_bias", config, False)
    return {
        "vocab_size": config["vocab_size"],
        "d_model": config["hidden_size"],
        "d_ff": config["intermediate_size"],
        "d_head": config.get("head_dim") or config["hidden_size"] // heads,
        "n_heads": heads,
        "n_kv_heads": config.get("num_key_value_heads") or heads,
        "n_layers": config["num_hidden_layers"],
        "tied_lm_head": config.get("tie_word_embeddings", False),
        "max_positions": config.get("max_position_embeddings", 2048),
        "rope_theta": rope.get("rope_theta", config.get("rope_theta", 10_000.0)),
        "norm_eps": config.get("rms_norm_eps", 1e-6),
    }


def _only(field: str, config: dict[str, Any], known: str | bool) -> None:
    """Refuse what would load and then compute something else."""
    if config.get(field, known) != known:
        raise _UnsupportedError(f"{field}={config[field]!r} is not known here; {known!r} is")
