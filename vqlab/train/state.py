"""Where a training stands: what it needs besides the model to be stopped, saved, loaded and continued.

    state = TrainingState(seed=0)
    for record in fit(model, crops(photos(), generator=state.generator), seconds=60, state=state):
        ...  # stop whenever you like
    save(model, "model.safetensors")
    state.save("training.safetensors")

    model, state = load("model.safetensors"), TrainingState.load("training.safetensors")
    for record in fit(model, crops(photos(), generator=state.generator), seconds=60, state=state):
        ...  # the rest of the 60 seconds, as if it had never stopped
"""

import os
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from vqlab.checkpoint import read_tensors, write_tensors

FORMAT = "vqlab-training-1"


class TrainingState:
    """Steps and seconds spent, the optimizers' moments, and where the random numbers are.

    `fit` reads it when it starts and keeps it up to date after every step. A training that is stopped, saved, loaded
    and continued on the same machine has the losses of an uninterrupted one, bit for bit, if its budget is in steps
    and its batches draw, one at a time, from `generator` or from torch's global generator.

    Args:
        seed: of `generator`.

    Attributes:
        step: how many steps were taken.
        seconds: how many were spent on them.
        moments: parameter -> moment -> tensor, the optimizers' running averages by name.
        generator: for the batches to draw from, on the CPU.
        global_generator: (bytes,) uint8, where torch's global CPU generator was after the last step, from which a
            codebook's start and restarts draw; continuing puts it back there. None before the first step.
    """

    def __init__(self, seed: int = 0):
        self.step, self.seconds = 0, 0.0
        self.moments: dict[str, dict[str, Tensor]] = {}
        self.generator = torch.Generator().manual_seed(seed)
        self.global_generator: Tensor | None = None

    def save(self, path: str | os.PathLike) -> None:
        """Write all of it to `path`, conventionally `….safetensors`; an older file there is replaced in one go."""
        tensors = {f"moments.{name}.{key}": tensor for name, moments in self.moments.items()
                   for key, tensor in moments.items()}
        tensors["generator"] = self.generator.get_state()
        if self.global_generator is not None:
            tensors["global_generator"] = self.global_generator
        write_tensors(tensors, {"format": FORMAT, "step": str(self.step), "seconds": repr(self.seconds)}, path)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "TrainingState":
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: no such file.
            ValueError: the file is damaged, or no training state.
        """
        tensors, metadata = read_tensors(path, FORMAT, "TrainingState.save")
        state = cls()
        try:
            state.step, state.seconds = int(metadata["step"]), float(metadata["seconds"])
            state.generator.set_state(tensors.pop("generator"))
            state.global_generator = tensors.pop("global_generator", None)
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise ValueError(f"expected a file written by TrainingState.save, got {path}: {error}") from error
        for name, tensor in tensors.items():
            parameter, _, key = name.removeprefix("moments.").rpartition(".")
            state.moments.setdefault(parameter, {})[key] = tensor
        return state

    def check(self, model: nn.Module) -> None:
        """Says it if the moments are another model's.

        Raises:
            ValueError: a parameter that the model does not train, or one of another shape.
        """
        shapes = {name: parameter.shape for name, parameter in model.named_parameters() if parameter.requires_grad}
        for name, moments in self.moments.items():
            for moment in moments.values():
                if moment.ndim and moment.shape != shapes.get(name):
                    expected = f"{name} {tuple(shapes[name])}" if name in shapes else f"no {name}"
                    raise ValueError("expected the training state of this model, which has "
                                     f"{expected}, got moments of {name} {tuple(moment.shape)}")

    def resume(self, model: nn.Module, optimizers: Iterable[torch.optim.Optimizer]) -> None:
        """Let the optimizers go on with these moments, and torch's global generator where it was.

        From here on the optimizers work in `moments` itself, so it needs no copying to stay up to date.
        """
        if self.global_generator is not None:
            torch.set_rng_state(self.global_generator)
        names = {parameter: name for name, parameter in model.named_parameters()}
        for optimizer in optimizers:
            for parameter in (parameter for group in optimizer.param_groups for parameter in group["params"]):
                moments = self.moments.setdefault(names[parameter], {})
                moments.update({key: torch.empty_like(parameter).copy_(tensor) if tensor.ndim else
                                tensor.to(parameter.device) for key, tensor in moments.items()})
                optimizer.state[parameter] = moments

    def advance(self, seconds: float) -> None:
        """One more step was taken, and `seconds` in all are spent."""
        self.step, self.seconds, self.global_generator = self.step + 1, seconds, torch.get_rng_state()
