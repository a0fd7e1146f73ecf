"""Two pictures mixed: before the quantizer, after it, and in the numbers of the tokens."""

import torch
from torch import Tensor

from vqlab.classroom.language import Text
from vqlab.vqvae import SimpleVQVAE

WAYS: dict[str, Text] = {
    "before": ("量化前混", "mix before"),
    "after": ("量化后混", "mix after"),
    "numbers": ("混编号", "mix numbers"),
}


@torch.no_grad()
def mix(model: SimpleVQVAE, first: Tensor, second: Tensor, share: float = 0.5) -> dict[str, Tensor]:
    """Mix two pictures of one size, (1, C, H, W) each, in the three `WAYS`.

    Args:
        model: of one scale.
        first, second: the pictures.
        share: of the second, 0 to 1.

    Returns:
        "before": (1 − share) z_e + share z_e', quantized; "after": the same sum of codes z_q, which are codes no
        longer; "numbers": of the indices, rounded. Each decoded, (1, C, H, W).

    Raises:
        ValueError: two sizes.
    """
    if first.shape != second.shape:
        raise ValueError(f"expected two pictures of one size, got {tuple(first.shape)} and {tuple(second.shape)}")
    maps = [model.encoder(picture) for picture in (first, second)]
    tokens = [model.quantize.encode(z_e) for z_e in maps]
    numbers = torch.lerp(*(each.double() for each in tokens), share).round().long()
    return {"before": model.decoder(model.quantize.decode(model.quantize.encode(torch.lerp(*maps, share)))),
            "after": model.decoder(torch.lerp(*map(model.quantize.decode, tokens), share)),
            "numbers": model.decoder(model.quantize.decode(numbers))}
