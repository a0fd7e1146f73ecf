"""vqlab: vector quantization, VQ-VAE and VAR tokens, small enough to read in one sitting.

An image walks through the files in this order::

    data -> vqvae.Encoder -> codebook, quantizer or multiscale -> tokens -> vqvae.Decoder
    class -> var.VAR -> tokens -> vqvae.Decoder
    tokens <-> codec.pack, codec.unpack <-> a file, as short as context.TokenContext guesses well

Shape legend, used in every comment and docstring:

    B     batch
    C     image channels, 3 (RGB) or 1 (grey); pixels are float32 in [-1, 1]
    H, W  height and width, of the image or of the feature map as said
    D     embedding_dim, the length of one code vector
    K     num_embeddings, the number of code vectors in the codebook
    L     tokens of all scales of one picture
    N     a number of vectors to quantize, usually B * H * W of the feature map
"""

from vqlab.bundle import bundled_model
from vqlab.checkpoint import load, save
from vqlab.codebook import Codebook, EMACodebook, entropy_loss, kmeans, nearest_code, nearest_code_by_cosine
from vqlab.codec import bits, compress, decompress, pack, tokens_of, unpack
from vqlab.context import TokenContext
from vqlab.data import (
    DummyDataset,
    Folder,
    crops,
    digits,
    held_out_photo,
    jitter,
    load_folder,
    load_photo,
    photos,
    small_photo,
    tiles,
    to_uint8,
)
from vqlab.metrics import bits_per_pixel, perplexity, psnr, usage
from vqlab.multiscale import MultiScaleQuantizer, Phi
from vqlab.quantizer import (
    EMAVectorQuantizer,
    FiniteScalarQuantizer,
    Quantized,
    VectorQuantizer2,
    rotation_trick,
    straight_through,
)
from vqlab.train import Record, fit, pick_device
from vqlab.train.prior import PriorRecord, fit_prior
from vqlab.train.state import TrainingState
from vqlab.var import VAR, block_causal_mask, guide, keep_top
from vqlab.vqvae import Decoder, Encoder, SimpleVQVAE

__version__ = "0.1.0"

__all__ = [
    # data
    "DummyDataset", "Folder", "crops", "digits", "held_out_photo", "jitter", "load_folder", "load_photo",
    "photos", "small_photo", "tiles", "to_uint8",
    # codebook and quantizer
    "Codebook", "EMACodebook", "EMAVectorQuantizer", "FiniteScalarQuantizer", "Quantized", "VectorQuantizer2",
    "entropy_loss", "kmeans", "nearest_code", "nearest_code_by_cosine", "rotation_trick", "straight_through",
    # scales
    "MultiScaleQuantizer", "Phi",
    # model
    "Decoder", "Encoder", "SimpleVQVAE", "load", "save",
    # files
    "TokenContext", "bits", "bundled_model", "compress", "decompress", "pack", "tokens_of", "unpack",
    # prior
    "VAR", "block_causal_mask", "guide", "keep_top",
    # measuring and training
    "PriorRecord", "Record", "TrainingState", "bits_per_pixel", "fit", "fit_prior", "perplexity", "pick_device",
    "psnr", "usage",
]
