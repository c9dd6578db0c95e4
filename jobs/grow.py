"""python -m jobs.grow --from FOLDER --to PRESET [-o FOLDER] [--seed N]

Grows a trained model to a larger preset so that it computes the same function, and then learns with all its weights.
The folder is in Hugging Face layout; the preset is one of configs/model/. The vocabulary stays as it is, or becomes the
preset's where that is larger. Nothing is written unless the logits agree on a random batch.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from cetd.config import DecoderConfig, EncoderDecoderConfig, preset, presets
from cetd.data.tokenizer_files import tokenizer_files
from jobs.command_line import one_line_errors

# Largest difference of a logit that rounding explains, in fp32.
TOLERANCE = 1e-4


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="source", type=Path, required=True, help="folder of the trained model")
    parser.add_argument("--to", required=True, metavar="PRESET", help=", ".join(presets()))
    parser.add_argument("-o", "--output", type=Path, help="folder to write (default: FOLDER-PRESET)")
    parser.add_argument("--seed", type=int, default=0, help="the new weights follow from it (default: 0)")
    arguments = parser.parse_args(argv)
    source: Path = arguments.source
    output = arguments.output or source.absolute().with_name(f"{source.absolute().name}-{arguments.to}")
    with one_line_errors():
        grow_folder(source, preset(arguments.to), output, arguments.seed)


def grow_folder(source: Path, target: EncoderDecoderConfig | DecoderConfig, output: Path, seed: int = 0) -> None:
    """Grow the model in ``source`` to ``target``, check it, and write it to ``output``, tokenizer files included.

    Raises:
        ValueError: ``source`` is no model, growth cannot reach the target, the logits differ, or ``output`` holds a
            model already; nothing is written then.
        OSError: ``output`` cannot be written.
    """
    # After the arguments are known to be good: these import torch.
    from cetd.models import huggingface
    from cetd.models.growth import check_growth, grow, largest_deviation

    if (output / "config.json").exists():
        raise ValueError(f"-o {output}: a model stands there already; name another folder")
    dimensions = huggingface.read_config(source)
    target = target.model_copy(update={"vocab_size": max(target.vocab_size, dimensions.vocab_size)})
    check_growth(dimensions, target)
    ids = huggingface.read_token_ids(source)
    model = huggingface.load(source)
    grown = grow(model, target, seed)
    deviation = largest_deviation(model, grown, seed)
    old, new = (sum(parameter.numel() for parameter in one.parameters()) for one in (model, grown))
    print(f"{old:,} -> {new:,} parameters; largest deviation of a logit: {deviation:.1e}")
    if not deviation <= TOLERANCE:
        raise ValueError(f"{source}: the logits of the grown model differ by {deviation:.1e}, above {TOLERANCE:.0e}")
    copied = _copy_tokenizer(source, output)
    huggingface.save(grown, output, ids)
    print(f"{output}: written, with {', '.join(copied) or 'no tokenizer files: there are none beside the source'}")


def _copy_tokenizer(source: Path, output: Path) -> list[str]:
    """Copy the tokenizer's files; returns their names."""
    output.mkdir(parents=True, exist_ok=True)
    files = tokenizer_files(source)
    for file in files:
        shutil.copyfile(file, output / file.name)
    return [file.name for file in files]


if __name__ == "__main__":
    main()
