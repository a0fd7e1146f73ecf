"""python -m vqlab.bundle: train the bundled model again, and say what it is worth on the cat it has never seen."""

import argparse
import sys
from pathlib import Path

import torch
from tqdm import tqdm

from vqlab import compress, decompress, fit, held_out_photo, load, psnr, save
from vqlab.bundle import PATH
from vqlab.train.context import fit_context
from vqlab.train.report import judge_tokenizer
from vqlab.train.sources import open_source


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m vqlab.bundle", description="Train the bundled model again.")
    parser.add_argument("--steps", type=int, default=9000, help="about 3 minutes on two cores (default: 9000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=PATH, help="file to write (default: the one in the package)")
    options = parser.parse_args(arguments)
    torch.manual_seed(options.seed)
    source = open_source("photos", seed=options.seed)
    model = source.tokenizer()
    images = (images for images, _ in source.batches)
    for _ in tqdm(fit(model, images, steps=options.steps), total=options.steps, unit="step"):
        pass
    fit_context(model, images, steps=options.steps // 3)
    save(model.half(), options.out)
    model, cat = load(options.out), held_out_photo()
    print(f"{options.out}: {options.out.stat().st_size:,} bytes", *judge_tokenizer(model, cat, "the held-out cat"),
          sep="\n")
    for rate_weight in (0, 0.003, 0.01):
        data = compress(model, cat, rate_weight=rate_weight)
        print(f"  λ = {rate_weight:<5} {len(data):5} bytes, {8 * len(data) / cat[0, 0].numel():.3f} bits per pixel, "
              f"{psnr(decompress(model, data), cat).item():.2f} dB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
