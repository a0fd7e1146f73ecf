import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from vqlab import (
    VAR,
    Codebook,
    EMACodebook,
    EMAVectorQuantizer,
    FiniteScalarQuantizer,
    MultiScaleQuantizer,
    SimpleVQVAE,
    VectorQuantizer2,
    load,
    save,
)


def models():
    yield SimpleVQVAE(16, 8, hidden=8, blocks=1)
    yield SimpleVQVAE(16, 8, in_channels=1, hidden=8, blocks=1, quantizer=EMAVectorQuantizer(16, 8))
    codebook = EMACodebook(16, 8, restart_below=0.5, decay=0.9)
    yield SimpleVQVAE(16, 8, hidden=8, blocks=1, quantizer=VectorQuantizer2(16, 8, 0.5, codebook=codebook))
    yield VectorQuantizer2(4, 2, codebook=Codebook(4, 2, kmeans_start=True, metric="cosine"))
    yield EMAVectorQuantizer(4, 2, estimator="rotation_trick", entropy_weight=0.1)
    yield SimpleVQVAE(120, 3, hidden=8, blocks=1, quantizer=FiniteScalarQuantizer([8, 5, 3]))
    yield FiniteScalarQuantizer([8, 5, 3])
    multi_scale = MultiScaleQuantizer(16, 8, (1, 2, 4), codebook=EMACodebook(16, 8, restart_below=0.5))
    yield VAR(SimpleVQVAE(16, 8, in_channels=1, hidden=8, blocks=1, quantizer=multi_scale), 3, width=8, depth=1)


@pytest.mark.parametrize("model", list(models()), ids=lambda model: type(model).__name__)
def test_what_is_saved_is_what_is_loaded(model, tmp_path):
    path = tmp_path / "model.safetensors"
    save(model, path)
    again = load(path)
    assert not again.training and repr(again) == repr(model)
    assert again.config == model.config
    state = again.state_dict()
    assert state.keys() == model.state_dict().keys()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    assert [path.name] == [entry.name for entry in tmp_path.iterdir()]


def test_remedies_survive_saving(tmp_path):
    codebook = EMACodebook(4, 2, metric="cosine", kmeans_start=True, restart_below=0.5)
    save(EMAVectorQuantizer(4, 2, codebook=codebook, estimator="rotation_trick", entropy_weight=0.1),
         tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    assert (again.estimator, again.entropy_weight) == ("rotation_trick", 0.1)
    assert (again.embedding.metric, again.embedding.restart_below) == ("cosine", 0.5)
    assert not again.embedding.started


def test_a_loaded_model_goes_on_training_as_it_would_have(tmp_path):
    torch.manual_seed(0)
    model = SimpleVQVAE(16, 8, hidden=8, blocks=1, quantizer=EMAVectorQuantizer(16, 8))
    batch = torch.randn(2, 3, 16, 16)
    model(batch)
    save(model, tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors").train()
    torch.manual_seed(1)
    first = model(batch)
    torch.manual_seed(1)
    second = again(batch)
    assert torch.equal(first.loss, second.loss)
    assert torch.equal(model.quantize.embedding.weight, again.quantize.embedding.weight)


def test_foreign_and_damaged_files(tmp_path):
    path = tmp_path / "model.safetensors"
    save(SimpleVQVAE(16, 8, hidden=8, blocks=1), path)
    whole = path.read_bytes()

    path.write_bytes(whole[:len(whole) // 2])
    with pytest.raises(ValueError, match="written by vqlab.save, got .*model.safetensors, which is damaged"):
        load(path)
    path.write_bytes(b"PK\x03\x04 something else")
    with pytest.raises(ValueError, match="damaged or another format"):
        load(path)
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match="format 'vqlab-1' .* with format None"):
        load(path)
    save_file({"weight": torch.zeros(2)}, path, metadata={"format": "vqlab-1", "config": '{"class": "Unknown"}'})
    with pytest.raises(ValueError, match="fit each other"):
        load(path)
    path.write_bytes(whole.replace(b'\\"hidden\\": 8', b'\\"hidden\\": 9'))
    with pytest.raises(ValueError, match="(?s)fit each other, got .*size mismatch"):
        load(path)
    with pytest.raises(FileNotFoundError, match="no such file"):
        load(tmp_path / "nowhere.safetensors")


def test_only_vqlabs_modules_are_saved_and_a_failed_save_keeps_the_old_file(tmp_path):
    path = tmp_path / "model.safetensors"
    save(VectorQuantizer2(4, 2), path)
    before = path.read_bytes()
    with pytest.raises(TypeError, match="expected one of SimpleVQVAE, .* got Linear"):
        save(nn.Linear(2, 2), path)
    assert path.read_bytes() == before
