"""python -m vqlab.train photos --seconds S --seed N --out DIR: train, then write DIR/model.safetensors."""

import argparse
import sys
from pathlib import Path

import torch
from tqdm import tqdm

from vqlab import (
    EMAVectorQuantizer,
    SimpleVQVAE,
    crops,
    fit,
    held_out_photo,
    perplexity,
    photos,
    pick_device,
    psnr,
    save,
    usage,
)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m vqlab.train", description="Train a VQ-VAE and save it.")
    parser.add_argument("data", choices=["photos"], help="crops of the bundled photographs")
    parser.add_argument("--seconds", type=_positive, default=60, help="wall clock budget (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="of weights, crops and restarts (default: 0)")
    parser.add_argument("--out", type=Path, required=True, help="folder for model.safetensors")
    options = parser.parse_args(arguments)
    path = options.out / "model.safetensors"
    try:  # a minute of training must not be lost to a folder that cannot be written
        options.out.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".safetensors.part").touch()
    except OSError as error:
        parser.error(f"--out: expected a folder that can be written, got {options.out}: {error}")

    torch.manual_seed(options.seed)
    device = pick_device()
    model = SimpleVQVAE(512, 8, quantizer=EMAVectorQuantizer(512, 8)).to(device)
    batches = crops(photos(), generator=torch.Generator().manual_seed(options.seed))
    with tqdm(total=options.seconds, unit="s", bar_format="{l_bar}{bar}| {n:.0f}/{total:.0f} s{postfix}") as bar:
        try:
            for record in fit(model, batches, seconds=options.seconds):
                bar.update(min(record.seconds, options.seconds) - bar.n)
                bar.set_postfix_str(f"step {record.step}, {record.psnr:.1f} dB, perplexity {record.perplexity:.0f}",
                                    refresh=False)
        except KeyboardInterrupt:
            bar.write("stopped; what was learnt is kept", file=sys.stderr)
    save(model, path)

    cat = held_out_photo().to(device)
    with torch.no_grad():
        reconstruction, _, indices = model(cat)
    print(f"{path}: the held-out cat comes back at {psnr(reconstruction, cat).item():.2f} dB, "
          f"perplexity {perplexity(indices, model.vocab_size).item():.0f}, "
          f"{round(usage(indices, model.vocab_size).item() * model.vocab_size)} of {model.vocab_size} codes used")
    return 0


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, got {text}")
    return value


if __name__ == "__main__":
    sys.exit(main())
