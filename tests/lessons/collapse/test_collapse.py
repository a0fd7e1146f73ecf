"""Lesson 4's parts: small trainings that repeat, remedies that combine, two famous bugs, the bench's state."""

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.text import Text

from vqlab import Codebook, EMACodebook, FiniteScalarQuantizer, SimpleVQVAE, VectorQuantizer2, perplexity, usage
from vqlab.classroom import figures, training, widget
from vqlab.lessons.collapse import (
    REMEDIES,
    CollapsePanel,
    NoOpRestart,
    RemedyBench,
    Score,
    SmallRun,
    UndebiasedEMA,
    codes_picture,
    codes_plane,
    dead_counts,
    draw_codes,
    draw_dead,
    draw_entropy_price,
    draw_runs,
    remedied,
    score,
    unused_length,
)
from vqlab.lessons.collapse.plane import SPAN


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_every_remedy_alone_and_all_together():
    assert isinstance(remedied(), VectorQuantizer2) and type(remedied().embedding) is Codebook
    plain = remedied().config | remedied().embedding.config
    changed = {"kmeans": {"kmeans_start": True}, "ema": {}, "restart": {"restart_below": 0.1},
               "cosine": {"metric": "cosine"}, "rotation": {"estimator": "rotation_trick"},
               "entropy": {"entropy_weight": 0.1}}
    assert changed.keys() == REMEDIES.keys()
    for name, settings in changed.items():
        vq = remedied([name])
        assert vq.config | vq.embedding.config == plain | settings
        assert isinstance(vq.embedding, EMACodebook) == (name == "ema")
    vq = remedied(REMEDIES, 16, 4)
    quantized, loss, _ = vq(torch.randn(2, 4, 8, 8, requires_grad=True))
    (quantized.sum() + loss).backward()
    with pytest.raises(ValueError, match="remedies out of kmeans, .* got prayer"):
        remedied(["prayer"])


def test_a_small_run_repeats_itself_and_starts_alike():
    first, again = (SmallRun(lambda: remedied(["restart"]), steps=3).finish() for _ in range(2))
    losses = [[record.loss for record in run.records] for run in (first, again)]
    assert losses[0] == losses[1] and len(losses[0]) == 3
    fsq = SmallRun(lambda: FiniteScalarQuantizer([8, 8, 4, 2, 2, 2, 2, 2]), steps=1)
    plain = SmallRun(lambda: VectorQuantizer2(16, 8), steps=1)
    for mine, other in zip(fsq.model.encoder.parameters(), plain.model.encoder.parameters(), strict=True):
        assert torch.equal(mine, other)  # whatever random numbers the quantizer took


def test_a_run_that_is_stopped_is_usable():
    run = SmallRun(remedied, steps=50)
    next(iter(run))
    run.close()
    assert len(run.records) == 1 and not run.model.training
    assert isinstance(run.score, Score)


def test_a_score_is_said_in_both_languages():
    zh, en = Score(0.5, 9.04, 20.06, 7, 22).text
    assert zh == "使用率  50.0 %　困惑度   9.0　20.1 dB　猫：7 个码字，22.0 dB"
    assert en == "usage  50.0 %   perplexity   9.0   20.1 dB   cat: 7 codes, 22.0 dB"
    assert Score(0.1, 1, 20, 1, 22).text[1].endswith("cat: 1 code, 22.0 dB")


def test_score_counts_what_it_says():
    torch.manual_seed(0)
    model = SimpleVQVAE(16, 4, hidden=8, blocks=0).eval()
    seen = []
    model.quantize.register_forward_hook(lambda module, inputs, output: seen.append(output.indices))
    found = score(model, batches=2, size=40)
    crops_seen, cat = torch.cat(seen[:2]), seen[2]
    assert crops_seen.numel() == 2 * 64 * 100
    assert found.usage == usage(crops_seen, 16).item() and found.perplexity == perplexity(crops_seen, 16).item()
    assert found.cat_codes == len(cat.unique()) and cat.numel() == 75 * 112


def test_the_average_that_is_not_debiased_throws_unused_codes_away():
    # m = 0.99 × 8; n = 1e-5 / (40.96 + 512 × 1e-5) × 40.96, with 0.01 × 4096 = 40.96 vectors on average
    assert unused_length(UndebiasedEMA) == pytest.approx(0.99 * 8 / (1e-5 / (40.96 + 512e-5) * 40.96), rel=1e-3)
    assert unused_length(EMACodebook) == pytest.approx(8, rel=1e-5)


def batches(steps):
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(256, 8, generator=generator) + 3 for _ in range(steps)]


def test_a_restart_that_forgets_the_averages_restarts_nothing():
    torch.manual_seed(0)
    forgetful = dead_counts(NoOpRestart(64, 8, restart_below=0.1), batches(100))
    torch.manual_seed(0)
    without = dead_counts(UndebiasedEMA(64, 8), batches(100))
    torch.manual_seed(0)
    proper = dead_counts(EMACodebook(64, 8, restart_below=0.1), batches(100))
    assert forgetful[-1] >= 60 and without[-1] >= 60
    assert max(proper[-10:]) <= 10


def test_dead_counts_by_hand():
    codebook = Codebook(3, 1)
    with torch.no_grad():
        codebook.weight.copy_(torch.tensor([[0.0], [1.0], [2.0]]))
    assert dead_counts(codebook, [torch.tensor([[0.1], [1.9]]), torch.tensor([[0.9]])]) == [1, 2]


def test_the_plane_keeps_its_axes_and_counts_the_used():
    torch.manual_seed(0)
    model = SimpleVQVAE(32, 8, hidden=8, blocks=0).eval()
    plane = codes_plane(model)
    assert plane.codes.shape == (32, 2) and plane.axes.shape == (8, 2) and 1 <= plane.used.sum() <= 32
    again = codes_plane(model, -plane.axes)  # as if the eigenvectors had flipped
    assert torch.allclose(again.z_e, -plane.z_e, atol=1e-5) and torch.equal(again.used, plane.used)
    assert plane.z_e.std(dim=0).sub(1).abs().max() < 0.3  # in standard deviations
    fsq = SimpleVQVAE(240, 3, hidden=8, blocks=0, quantizer=FiniteScalarQuantizer([8, 6, 5])).eval()
    assert codes_plane(fsq).codes.shape == (240, 2)


def test_a_preview_leaves_training_as_it_was():
    model = SimpleVQVAE(32, 8, hidden=8, blocks=0).train()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    image = codes_picture(model)
    assert image.dtype.name == "uint8" and image.shape[2] == 3 and model.training
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_a_panel_says_all_of_its_words_in_its_picture(monkeypatch):
    monkeypatch.setattr(training, "display", lambda *args, **kwargs: None)
    drawn = []
    monkeypatch.setattr(widget, "png", lambda fig: drawn.append(fig) or figures.png(fig))
    run = SmallRun(remedied, steps=3)
    panel = CollapsePanel("没有补救", "No remedy", 3)
    list(panel.watch_codes(run.model, run, x="step"))
    panel.picture()
    words = [text for text in drawn[-1].findobj(Text) if text.get_text()]
    assert "码字在哪儿\nwhere the codes are" in [text.get_text() for text in words]
    for text in words:
        inside = text.get_window_extent()
        assert drawn[-1].bbox.x0 <= inside.x0 and inside.x1 <= drawn[-1].bbox.x1, text.get_text()


def test_a_panels_still_shows_the_plane_to_its_edge_and_no_legend():
    panel = CollapsePanel("没有补救", "No remedy", 3)
    panel._image = codes_picture(SmallRun(remedied, steps=2).finish().model)
    ink = (panel._image < 200).any(axis=2)
    edge = (ink.mean(axis=1) > 0.6).nonzero()[0].max()  # the lower side of the box
    below, above = panel.figure().axes[-1].get_ylim()
    assert above == 0 and edge < below - 1
    assert not ink[edge + 1:int(below)].any() and ink[int(below):].any()


def test_figures_draw_what_they_are_given():
    runs = {name: SmallRun(remedied, steps=2).finish() for name in ("none", "a", "b")}
    axes = draw_runs(runs, "none")
    assert [ax.get_title() for ax in axes] == ["a", "b"]
    assert axes[0].lines[1].get_ydata() == pytest.approx([100 * record.usage for record in runs["a"].records])
    panel = draw_codes(codes_plane(runs["a"].model))
    assert panel.get_legend().get_title().get_text() == "1024 tokens"  # that many were counted
    assert max(abs(line.get_xdata()).max() for line in panel.lines if len(line.get_xdata())) <= SPAN + 1e-6
    assert draw_dead({"x": [3, 2], "y": [1, 1]}).lines[0].get_ydata().tolist() == [3, 2]
    price = draw_entropy_price({0.0: Score(0.5, 9, 20, 7, 22), 1.0: Score(0.9, 9, 18, 12, 21)})
    assert [list(ax.lines[0].get_ydata()) for ax in price] == [[50, 90], [7, 12], [20, 18]]


def test_the_panel_names_its_curves_in_both_languages():
    panel = CollapsePanel("训练", "Training", 5)
    records = list(panel.watch_codes(run_model := SmallRun(remedied, steps=2).model, iter(())))
    assert records == [] and run_model is not None
    assert "使用率" in panel.alt_zh and "usage" in panel.alt_en


def bench(steps=3):
    return RemedyBench({("没有补救", "no remedy"): SmallRun(remedied, steps=2).finish()}, steps=steps)


def ask(widget, **content):
    widget._asked(None, {**content, "request": widget.answer["request"] + 1}, [])
    return widget.answer


def test_the_bench_runs_to_its_end_and_writes_a_row():
    widget = bench()
    assert widget.answer["state"] == "ready" and [row["label"][1] for row in widget.rows] == ["no remedy"]
    answer = ask(widget, start=["restart", "kmeans"])
    while answer["state"] == "running":
        answer = ask(widget, go=True)
    assert answer["state"] == "finished" and answer["curve"][-1][0] == 3
    assert widget.rows[-1]["label"] == ["k 均值起点、重启", "k-means start, restart"]
    assert widget.rows[-1]["steps"] == 3 and len(answer["used"]) == 256
    assert ask(widget, go=True)["state"] == "finished" and len(widget.rows) == 2  # asked once too often
    assert widget.picture().startswith(b"\x89PNG")


def test_the_bench_can_be_stopped_and_started_again():
    widget = bench(steps=10_000)
    assert ask(widget, start=[])["state"] == "running"
    answer = ask(widget, stop=True)
    assert answer["state"] == "stopped" and 0 < widget.rows[-1]["steps"] < 10_000
    assert widget.rows[-1]["label"] == ["没有补救", "no remedy"]
    assert ask(widget, start=["ema"])["state"] == "running" and len(widget.run.records) < 10_000


def test_the_bench_says_what_went_wrong_and_goes_on():
    widget = bench()
    answer = ask(widget, start=["prayer"])
    assert answer["state"] == "failed" and "prayer" in answer["error"]
    assert ask(widget, start=[])["state"] in ("running", "finished")


def test_fsq_and_the_codebook_of_the_bench_share_the_plane_scale():
    plane = codes_plane(SmallRun(lambda: FiniteScalarQuantizer([8, 6, 5]), steps=2).finish().model)
    assert torch.isfinite(plane.codes).all() and plane.z_e.abs().max() < 10
