"""What a training came to: dB, perplexity and codes used on pictures to judge by, and picture files to look at."""

from pathlib import Path

import torch
from torch import Tensor

from vqlab.data import to_uint8
from vqlab.metrics import perplexity, psnr, usage
from vqlab.var import VAR
from vqlab.vqvae import SimpleVQVAE


def judge_tokenizer(model: SimpleVQVAE, pictures: Tensor, name: str) -> list[str]:
    """Lines about pictures that went through the tokenizer and came back, as one and after each scale."""
    tokens = model.img_to_idxBl(pictures)
    sums = model.idxBl_to_img(tokens, size=None if model.multi_scale else pictures.shape[2:], cumulative=True)
    every = torch.cat([scale.flatten() for scale in tokens])
    verb = "come" if name.endswith("s") else "comes"
    lines = [f"{name} {verb} back at {_decibels(sums[-1], pictures):.2f} dB, "
             f"perplexity {perplexity(every, model.vocab_size).item():.0f}, "
             f"{_codes_used(every, model)} of {model.vocab_size} codes used"]
    if model.multi_scale:
        lines += [f"  up to {height:3} × {width:<3} {_decibels(picture, pictures):6.2f} dB, "
                  f"perplexity {perplexity(scale, model.vocab_size).item():4.0f}, "
                  f"{_codes_used(scale, model):4} codes among {scale.numel()} tokens"
                  for (height, width), picture, scale in zip(model.quantize.sizes, sums, tokens, strict=True)]
    return lines


def draw_rebuilt(model: SimpleVQVAE, pictures: Tensor, path: Path, columns: int = 10) -> None:
    """A picture file: above the first pictures, below what the tokenizer makes of them."""
    chosen = pictures[:columns]
    rebuilt = model.idxBl_to_img(model.img_to_idxBl(chosen), size=chosen.shape[2:])
    _write_sheet(torch.stack([chosen, rebuilt]), path)


def draw_samples(var: VAR, path: Path, seed: int, columns: int = 10, rows: int = 20) -> None:
    """A picture file: a row of new pictures for each class, at `generate`'s own settings."""
    labels = torch.arange(min(var.num_classes, rows), device=var.position.device).repeat_interleave(columns)
    images = var.generate(labels, generator=torch.Generator().manual_seed(seed))
    _write_sheet(images.unflatten(0, (-1, columns)), path)


def _write_sheet(images: Tensor, path: Path) -> None:
    """(rows, columns, C, H, W) -> one PNG, small pictures enlarged in whole steps."""
    from PIL import Image

    rows, columns, _, height, width = images.shape
    sheet = images.permute(2, 0, 3, 1, 4).reshape(-1, rows * height, columns * width)
    picture = Image.fromarray(to_uint8(sheet))
    times = max(1, 48 // height)
    picture.resize((times * picture.width, times * picture.height), Image.Resampling.NEAREST).save(path)


def _decibels(pictures: Tensor, references: Tensor) -> float:
    """PSNR of all pictures as one, so that tiles count as the photograph that they are."""
    side_by_side = (images.transpose(0, 1).flatten(1, 2) for images in (pictures, references))
    return psnr(*side_by_side).item()


def _codes_used(tokens: Tensor, model: SimpleVQVAE) -> int:
    return round(usage(tokens, model.vocab_size).item() * model.vocab_size)
