"""The bundled model: a trained tokenizer of photographs and its context, so that painting and files work at once.

`python -m vqlab.bundle` makes `model.safetensors` again: the recipe of `python -m vqlab.train photos`, for some
minutes instead of one, in half precision.
"""

from pathlib import Path

from vqlab.checkpoint import load
from vqlab.vqvae import SimpleVQVAE

PATH = Path(__file__).with_name("model.safetensors")


def bundled_model() -> SimpleVQVAE:
    """The model that comes with vqlab: 512 codes of 4 × 4 pixels and their context, on the CPU, for evaluation.

    It was trained on crops of the seven `photos()`, without the cat `held_out_photo()`.
    """
    return load(PATH)
