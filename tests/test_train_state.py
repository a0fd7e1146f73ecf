import pytest
import torch
from torch import nn

from vqlab import EMACodebook, EMAVectorQuantizer, SimpleVQVAE, TrainingState, crops, fit, load, photos, save
from vqlab.multiscale import MultiScaleQuantizer

STEPS = 12


def new_model(patch_nums=None):
    """Half of its codes are restarted at every step, on random vectors."""
    torch.manual_seed(0)
    codebook = EMACodebook(64, 4, kmeans_start=True, restart_below=0.9, decay=0.5)
    quantizer = (EMAVectorQuantizer(64, 4, codebook=codebook) if patch_nums is None else
                 MultiScaleQuantizer(64, 4, patch_nums, codebook=codebook))
    return SimpleVQVAE(64, 4, hidden=32, blocks=1, quantizer=quantizer)


def batches(state=None):
    return crops(photos(), 2, 16, generator=state and state.generator)


def weights(model):
    return torch.cat([value.flatten().double() for value in model.state_dict().values()])


def restarts(model):
    """Counts the codes put on a random vector, by step."""
    counts, codebook = [], model.quantize.embedding
    restart = codebook._restart
    codebook._restart = lambda dead, *rest: (counts.append(len(dead)), restart(dead, *rest))
    return counts


@pytest.mark.parametrize("patch_nums", [None, (1, 2, 4)])
@pytest.mark.parametrize("stop", [1, 7, STEPS - 1])
def test_stopped_saved_loaded_and_continued_is_as_if_it_had_never_stopped(patch_nums, stop, tmp_path):
    whole, state = new_model(patch_nums), TrainingState(seed=3)
    restarted = restarts(whole)
    torch.manual_seed(1)  # the k-means start and the restarts draw from here
    expected = [(record.step, record.loss, record.perplexity) for record in
                fit(whole, batches(state), steps=STEPS, state=state)]
    assert len(restarted) > STEPS // 2 and min(restarted) > 0

    model, state = new_model(patch_nums), TrainingState(seed=3)
    torch.manual_seed(1)
    losses = []
    for record in fit(model, batches(state), steps=STEPS, state=state):
        losses.append((record.step, record.loss, record.perplexity))
        if record.step == stop:
            break
    save(model, tmp_path / "model.safetensors")
    state.save(tmp_path / "training.safetensors")
    torch.manual_seed(2)  # the world goes on meanwhile
    del model, state
    model, state = load(tmp_path / "model.safetensors"), TrainingState.load(tmp_path / "training.safetensors")
    losses += [(record.step, record.loss, record.perplexity) for record in
               fit(model, batches(state), steps=STEPS, state=state)]
    assert losses == expected
    assert torch.equal(weights(model), weights(whole))
    assert state.step == STEPS


def test_continuing_in_the_same_process_needs_no_file_and_no_generator():
    whole = new_model()
    torch.manual_seed(1)
    expected = [record.loss for record in fit(whole, batches(), steps=STEPS)]
    model, state, stream = new_model(), TrainingState(), batches()  # these draw from torch's global generator
    torch.manual_seed(1)
    losses = []
    while state.step < STEPS:
        for record in fit(model, stream, steps=STEPS, state=state):
            losses.append(record.loss)
            if record.step % 5 == 0:
                break
        torch.rand(7)
    assert losses == expected


def test_a_state_is_up_to_date_while_the_loop_still_runs(tmp_path):
    model, state = new_model(), TrainingState()
    stream = fit(model, batches(state), steps=STEPS, state=state)
    for _ in range(3):
        next(stream)
    save(model, tmp_path / "model.safetensors")
    state.save(tmp_path / "training.safetensors")
    rest = [record.loss for record in stream]
    model, state = load(tmp_path / "model.safetensors"), TrainingState.load(tmp_path / "training.safetensors")
    assert [record.loss for record in fit(model, batches(state), steps=STEPS, state=state)] == rest


def test_the_budget_counts_what_was_spent():
    model, state = new_model(), TrainingState()
    state.seconds = 1000.0
    records = list(fit(model, batches(state), seconds=1000.2, state=state))
    assert records and all(1000 < record.seconds < 1001 for record in records)
    assert list(fit(model, batches(state), seconds=1000.2, state=state)) == []
    before = state.generator.get_state()
    assert list(fit(model, batches(state), steps=len(records), state=state)) == []
    assert torch.equal(state.generator.get_state(), before)  # a training at its end draws no batch


def test_a_state_that_has_seen_nothing_is_saved_too(tmp_path):
    TrainingState(seed=5).save(tmp_path / "training.safetensors")
    state = TrainingState.load(tmp_path / "training.safetensors")
    assert (state.step, state.seconds, state.moments, state.global_generator) == (0, 0.0, {}, None)
    assert torch.equal(state.generator.get_state(), torch.Generator().manual_seed(5).get_state())


def test_the_state_of_another_model_is_refused():
    model, state = new_model(), TrainingState()
    list(fit(model, batches(state), steps=1, state=state))
    wider = SimpleVQVAE(64, 4, hidden=40, blocks=1, quantizer=EMAVectorQuantizer(64, 4))
    with pytest.raises(ValueError, match=r"state of this model, which has encoder.1.bias \(40,\), got "
                                         r"moments of encoder.1.bias \(32,\)"):
        fit(wider, batches(state), steps=2, state=state)
    deeper = SimpleVQVAE(64, 4, hidden=32, blocks=0, quantizer=EMAVectorQuantizer(64, 4))
    with pytest.raises(ValueError, match="which has (no )?(en|de)coder.*, got moments of"):
        fit(deeper, batches(state), steps=2, state=state)


def test_files_that_are_no_training_state(tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(FileNotFoundError, match="written by TrainingState.save, got .*: no such file"):
        TrainingState.load(path)
    save(new_model(), path)
    with pytest.raises(ValueError, match="format 'vqlab-training-1' written by TrainingState.save, got .*'vqlab-1'"):
        TrainingState.load(path)
    TrainingState().save(path)
    path.write_bytes(path.read_bytes().replace(b'"step":"0"', b'"step":"?"'))
    with pytest.raises(ValueError, match="written by TrainingState.save, got .*invalid literal"):
        TrainingState.load(path)
    with pytest.raises(ValueError, match="written by vqlab.save"):
        load(path)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ValueError, match="damaged"):
        TrainingState.load(path)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_a_state_goes_on_from_the_cpu_to_cuda(tmp_path):
    model, state = new_model(), TrainingState()
    list(fit(model, batches(state), steps=2, state=state))
    state.save(tmp_path / "training.safetensors")
    state = TrainingState.load(tmp_path / "training.safetensors")
    records = list(fit(model.cuda(), batches(state), steps=4, state=state))
    assert [record.step for record in records] == [3, 4]
    assert all(isinstance(parameter, nn.Parameter) and parameter.is_cuda for parameter in model.parameters())
