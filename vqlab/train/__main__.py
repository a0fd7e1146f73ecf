"""python -m vqlab.train photos --seconds S --seed N [--patch-nums 1 2 4 8 16] --out DIR: train, then write
DIR/model.safetensors."""

import argparse
import sys
from pathlib import Path

import torch
from torch import nn
from tqdm import tqdm

from vqlab import (
    EMACodebook,
    EMAVectorQuantizer,
    MultiScaleQuantizer,
    SimpleVQVAE,
    crops,
    fit,
    held_out_photo,
    perplexity,
    photos,
    pick_device,
    psnr,
    save,
    tiles,
    usage,
)
from vqlab.train.ranks import ranks
from vqlab.vqvae import STRIDE


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m vqlab.train", description="Train a VQ-VAE and save it.")
    parser.add_argument("data", choices=["photos"], help="crops of the bundled photographs")
    parser.add_argument("--seconds", type=_positive, default=60, help="wall clock budget (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="of weights, crops and restarts (default: 0)")
    parser.add_argument("--patch-nums", type=int, nargs="+", metavar="N",
                        help="words by scale, such as 1 2 4 8 16, on crops of 4 times the last (default: one scale)")
    parser.add_argument("--out", type=Path, required=True, help="folder for model.safetensors")
    options = parser.parse_args(arguments)
    path = options.out / "model.safetensors"
    torch.manual_seed(options.seed)
    size = STRIDE * options.patch_nums[-1] if options.patch_nums else 64
    try:
        quantizer = _quantizer(options.patch_nums)
        next(crops(photos(), 1, size))  # says it if a photograph is too small
    except ValueError as error:
        parser.error(f"--patch-nums: {error}")
    try:  # a minute of training must not be lost to a folder that cannot be written
        options.out.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".safetensors.part").touch()
    except OSError as error:
        parser.error(f"--out: expected a folder that can be written, got {options.out}: {error}")

    device = pick_device()
    model = SimpleVQVAE(512, 8, quantizer=quantizer)
    with ranks(device) as rank, tqdm(total=options.seconds, unit="s", disable=rank > 0,
                                     bar_format="{l_bar}{bar}| {n:.0f}/{total:.0f} s{postfix}") as bar:
        model.to(device)
        own = torch.Generator().manual_seed(options.seed + (rank << 32))  # each rank its own crops
        try:
            for record in fit(model, crops(photos(), size=size, generator=own), seconds=options.seconds,
                              records_per_second=4):
                bar.update(min(record.seconds, options.seconds) - bar.n)
                bar.set_postfix_str(f"step {record.step}, {record.psnr:.1f} dB, perplexity {record.perplexity:.0f}",
                                    refresh=False)
        except KeyboardInterrupt:
            bar.write("stopped; what was learnt is kept", file=sys.stderr)
    if rank > 0:
        return 0  # rank 0 writes and reports; all have learnt the same
    save(model, path)

    cat = held_out_photo().to(device)
    pictures = tiles(cat, size) if model.multi_scale else cat  # scales fix the size of a picture
    words = model.img_to_idxBl(pictures)
    sums = model.idxBl_to_img(words, size=None if model.multi_scale else cat.shape[2:], cumulative=True)
    every = torch.cat([scale.flatten() for scale in words])
    print(f"{path}: the held-out cat comes back at {_decibels(sums[-1], pictures):.2f} dB, "
          f"perplexity {perplexity(every, model.vocab_size).item():.0f}, "
          f"{_codes_used(every, model)} of {model.vocab_size} codes used")
    if model.multi_scale:
        for side, picture, scale in zip(options.patch_nums, sums, words, strict=True):
            print(f"  up to {side:3} × {side:<3} {_decibels(picture, pictures):6.2f} dB, "
                  f"perplexity {perplexity(scale, model.vocab_size).item():4.0f}, "
                  f"{_codes_used(scale, model):4} codes among {scale.numel()} words")
    return 0


def _quantizer(patch_nums: list[int] | None) -> nn.Module:
    if patch_nums is None:
        return EMAVectorQuantizer(512, 8)
    codebook = EMACodebook(512, 8, kmeans_start=True, restart_below=0.03)
    return MultiScaleQuantizer(512, 8, patch_nums, codebook=codebook)


def _decibels(pictures: torch.Tensor, references: torch.Tensor) -> float:
    """PSNR of all pictures as one, so that tiles count as the photograph that they are."""
    side_by_side = (images.transpose(0, 1).flatten(1, 2) for images in (pictures, references))
    return psnr(*side_by_side).item()


def _codes_used(words: torch.Tensor, model: SimpleVQVAE) -> int:
    return round(usage(words, model.vocab_size).item() * model.vocab_size)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, got {text}")
    return value


if __name__ == "__main__":
    sys.exit(main())
