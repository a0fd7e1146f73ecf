"""python -m vqlab.train photos|digits|FOLDER --seconds S --seed N --out DIR: train, write, report.

Writes DIR/model.safetensors and rebuilt.png; for digits, and with --prior, also var.safetensors, which holds the
prior and its tokenizer, and samples.png.
"""

import argparse
import math
import sys
from pathlib import Path

import torch
from tqdm import tqdm

from vqlab import VAR, fit, fit_prior, pick_device, save
from vqlab.train.context import SHARE, fit_context
from vqlab.train.ranks import many, ranks
from vqlab.train.report import draw_rebuilt, draw_samples, judge_tokenizer
from vqlab.train.sources import open_source


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m vqlab.train", description="Train a VQ-VAE, perhaps a VAR, and "
                                     "save them.")
    parser.add_argument("data", help="photos (crops of the bundled photographs), digits (the bundled handwritten "
                        "ones), or a folder of your own pictures, a subfolder for each class")
    parser.add_argument("--seconds", type=_positive, default=60, help="wall clock budget in all (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="of weights, batches and restarts (default: 0)")
    parser.add_argument("--size", type=int, metavar="PIXELS", help="side of a picture, a multiple of 4 (default: 4 "
                        "times the last of --patch-nums, or 64; digits 16)")
    parser.add_argument("--channels", type=int, choices=(1, 3), help="1: grey, 3: colour (default: 3; digits 1)")
    parser.add_argument("--patch-nums", type=int, nargs="+", metavar="N", help="tokens by scale, such as 1 2 4 8 16 "
                        "(default: one scale; for a prior 1, 2, 4, … up to a quarter of the size; digits 1 2 3 4)")
    parser.add_argument("--prior", action="store_true", help="train a VAR too, in the same seconds (digits: always)")
    parser.add_argument("--out", type=Path, required=True, help="folder for the models and pictures")
    options = parser.parse_args(arguments)
    prior = options.prior or options.data == "digits"
    device = pick_device()
    with ranks(device) as rank:
        if prior and many():
            parser.error("expected one process for a prior, got several; under torchrun train the tokenizer alone")
        torch.manual_seed(options.seed)
        try:
            source = open_source(options.data, size=options.size, channels=options.channels,
                                 patch_nums=options.patch_nums, prior=prior, seed=options.seed, rank=rank)
        except NotADirectoryError:
            parser.error(f"expected photos, digits or a folder of pictures, got {options.data}: no such folder")
        except ValueError as error:
            parser.error(f"{options.data}: {error}")
        try:  # a minute of training must not be lost to a folder that cannot be written
            options.out.mkdir(parents=True, exist_ok=True)
            (options.out / "model.safetensors.part").touch()
        except OSError as error:
            parser.error(f"--out: expected a folder that can be written, got {options.out}: {error}")
        for note in source.notes if rank == 0 else ():
            print(note, file=sys.stderr)
        seconds = options.seconds * source.tokenizer_share if prior else options.seconds
        model = source.tokenizer().to(device)
        images = (images for images, _ in source.batches)
        _watch(_fit_all(model, images, seconds), seconds,
               lambda record: f"step {record.step}, {record.psnr:.1f} dB, perplexity {record.perplexity:.0f}", rank)
    if rank > 0:
        return 0  # rank 0 writes and reports; all have learnt the same
    path = options.out / "model.safetensors"
    save(model, path)
    judged = source.judged.to(device)
    first, *scales = judge_tokenizer(model, judged, source.judged_name)
    print(f"{path}: {first}", *scales, sep="\n")
    draw_rebuilt(model, judged, options.out / "rebuilt.png")
    print(f"{options.out / 'rebuilt.png'}: above the pictures, below what came back")
    if prior:
        var = VAR(model, len(source.classes)).to(device)
        seconds = options.seconds - seconds
        _watch(fit_prior(var, source.batches, seconds=seconds), seconds,
               lambda record: f"step {record.step}, {record.loss:.2f} nats, {record.accuracy:.0%} right")
        save(var, options.out / "var.safetensors")
        draw_samples(var, options.out / "samples.png", options.seed)
        print(f"{options.out / 'var.safetensors'}: prior and tokenizer",
              f"{options.out / 'samples.png'}: new pictures, a row for each class", sep="\n")
    return 0


def _fit_all(model, images, seconds):
    """The records of `fit`, and at the end a few seconds for the context, if there is one."""
    for_context = SHARE * seconds if model.context is not None else 0
    yield from fit(model, images, seconds=seconds - for_context, records_per_second=4)
    if for_context:
        fit_context(model, images, seconds=for_context)


def _watch(records, seconds, describe, rank=0):
    """Show a training on a bar; an interrupt ends it, and what was learnt is kept."""
    decimals = max(0, 1 - math.floor(math.log10(seconds)))  # 60 s, 4.0 s, 0.40 s
    form = f"{{l_bar}}{{bar}}| {{n:.{decimals}f}}/{{total:.{decimals}f}} s{{postfix}}"
    with tqdm(total=seconds, unit="s", bar_format=form, disable=rank > 0) as bar:
        try:
            for record in records:
                bar.update(min(record.seconds, seconds) - bar.n)
                bar.set_postfix_str(describe(record), refresh=False)
            bar.update(seconds - bar.n)
        except KeyboardInterrupt:
            bar.write("stopped; what was learnt is kept", file=sys.stderr)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, got {text}")
    return value


if __name__ == "__main__":
    sys.exit(main())
