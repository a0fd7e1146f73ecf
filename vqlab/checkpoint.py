"""Save and load: one safetensors file holds the weights and, as text, the arguments that build the model again.

No pickle: opening a file somebody sent cannot run their code.
"""

import inspect
import json
import os
from collections.abc import Mapping

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from vqlab.codebook import Codebook, EMACodebook
from vqlab.context import TokenContext
from vqlab.multiscale import MultiScaleQuantizer
from vqlab.quantizer import EMAVectorQuantizer, FiniteScalarQuantizer, VectorQuantizer2
from vqlab.var import VAR
from vqlab.vqvae import SimpleVQVAE

FORMAT = "vqlab-1"
CLASSES = {cls.__name__: cls for cls in (SimpleVQVAE, VAR, VectorQuantizer2, EMAVectorQuantizer,
                                         FiniteScalarQuantizer, MultiScaleQuantizer, Codebook, EMACodebook,
                                         TokenContext)}


def save(model: nn.Module, path: str | os.PathLike) -> None:
    """Write a model's weights and configuration to `path`; an older file there is replaced in one go, or kept.

    Args:
        model: a `SimpleVQVAE` (or one of its parts), or a `VAR`, whose file holds its tokenizer too; on any device.
        path: conventionally `….safetensors`; its folder must exist.

    Raises:
        TypeError: a module that is not vqlab's.
    """
    write_tensors(model.state_dict(), {"format": FORMAT, "config": json.dumps(_describe(model))}, path)


def load(path: str | os.PathLike) -> nn.Module:
    """Read what `save` wrote.

    Returns:
        The model on the CPU, in evaluation mode.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is damaged, is no safetensors file, or was not written by vqlab; nothing is loaded.
    """
    tensors, metadata = read_tensors(path, FORMAT, "vqlab.save")
    try:
        model = _build(json.loads(metadata["config"]))
        model.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"expected weights and configuration that fit each other, got {path}: {error}") from error
    return model.eval()


def write_tensors(tensors: Mapping[str, Tensor], metadata: dict[str, str], path: str | os.PathLike) -> None:
    """Write named tensors, from any device, and text; an older file is replaced in one go, or kept."""
    unfinished = f"{os.fspath(path)}.part"
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, unfinished,
              metadata=metadata)
    os.replace(unfinished, path)


def read_tensors(path: str | os.PathLike, kind: str, writer: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """What `write_tensors` wrote with `kind` as metadata["format"]; `writer` is who writes such files, for messages.

    Raises:
        FileNotFoundError, ValueError: as `load`.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f"expected a file written by {writer}, got {path}: no such file")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise ValueError(f"expected a file written by {writer}, got {path}, which is damaged or another format: "
                         f"{error}") from error
    if metadata.get("format") != kind:
        raise ValueError(f"expected a file of format {kind!r} written by {writer}, got {path} with format "
                         f"{metadata.get('format')!r}")
    return tensors, metadata


def _describe(module: nn.Module) -> dict:
    """{"class": name, arguments…}; an argument that is itself a module of vqlab is described likewise."""
    name = type(module).__name__
    if CLASSES.get(name) is not type(module):
        raise TypeError(f"expected one of {', '.join(CLASSES)}, got {name}")
    parts = {argument: _describe(part) for argument, part in _parts(module).items()}
    return {"class": name, **module.config, **parts}


def _parts(module: nn.Module) -> dict[str, nn.Module]:
    """The modules a constructor takes whole, by argument name; without those left out."""
    attributes = {"quantizer": "quantize", "codebook": "embedding", "tokenizer": "tokenizer", "context": "context"}
    parts = {argument: getattr(module, attributes[argument])
             for argument in inspect.signature(type(module)).parameters if argument in attributes}
    return {argument: part for argument, part in parts.items() if part is not None}


def _build(config: dict) -> nn.Module:
    arguments = {name: _build(value) if isinstance(value, dict) else value
                 for name, value in config.items() if name != "class"}
    return CLASSES[config["class"]](**arguments)
