"""The machinery of exercises: whatever a learner writes gets a verdict, and the verdict is the right one."""

import numpy as np
import pytest
import torch

from vqlab.classroom import Exercise, Mistake, exercise

NO_SQUARE, CUBE = ("忘了平方", "forgot the square"), ("这是三次方", "that is the cube")


def draw_cases(generator):
    return [(torch.randn(3, generator=generator), 2.0) for _ in range(4)]


@pytest.fixture
def square():
    """Scale times x squared."""
    return Exercise("99.square", title=("平方", "square"), reference=lambda x, scale: scale * x ** 2,
                    cases=draw_cases,
                    mistakes=[Mistake(lambda x, scale: scale * x, NO_SQUARE),
                              Mistake(lambda x, scale: scale * x ** 3, CUBE)])


def test_right_answers_pass_also_in_other_types(square):
    for right in (lambda x, scale: x * x * scale, lambda x, scale: scale * x.numpy() ** 2,
                  lambda x, scale: [scale * value ** 2 for value in x.tolist()],
                  lambda x, scale: (scale * x.double() ** 2).requires_grad_()):
        verdict = square.judge(right)
        assert (verdict.state, verdict.held, verdict.cases) == ("right", 4, 4)


def nothing_yet(x, scale):
    ...


def unfinished(x, scale):
    raise NotImplementedError("write me")


@pytest.mark.parametrize("stub", [nothing_yet, unfinished, lambda x, scale: ..., None, ...])
def test_a_stub_is_not_yet(square, stub):
    assert square.judge(stub).state == "not yet"


def test_each_mistake_gets_its_own_hint(square):
    assert square.judge(lambda x, scale: scale * x)[:2] == ("wrong", NO_SQUARE)
    assert square.judge(lambda x, scale: scale * x * x * x)[:2] == ("wrong", CUBE)


def test_a_mistake_must_agree_on_every_case(square):
    """Right on the first, the listed mistake on the others: no hint, but the first case that differs."""
    calls = []

    def mixed(x, scale):
        calls.append(x)
        return scale * x ** (2 if len(calls) == 1 else 1)

    verdict = square.judge(mixed)
    assert verdict.state == "wrong" and verdict.held == 1 and "Case 2" in verdict.hint[1]
    x = draw_cases(torch.Generator().manual_seed(0))[1][0]
    labels, values = zip(*verdict.example, strict=True)
    assert [en for _, en in labels] == ["input of case 2", "expected", "got", "first difference: [0] (3 / 3)"]
    assert f"{x[0].item():.4g}" in values[0]
    assert f"{2 * x[0].item() ** 2:.4g}" in values[1] and f"{2 * x[0].item():.4g}" in values[2]


class Unprintable:
    def __repr__(self):
        raise RuntimeError("no")


@pytest.mark.parametrize("result", [
    "text", object(), Unprintable(), [], {}, (1, 2), float("nan"), torch.zeros(3, 1), torch.zeros(3) + torch.nan,
    torch.zeros(3, dtype=torch.complex64), np.array([object()]), np.array(["a", "b", "c"]), len, True,
], ids=lambda result: type(result).__name__)
def test_a_wrong_type_shape_or_nan_is_wrong(square, result):
    verdict = square.judge(lambda x, scale: result)
    assert verdict.state == "wrong" and verdict.held == 0
    assert exercise.verdict_html(square, verdict)


def raises(x, scale):
    return x[100]


@pytest.mark.parametrize("function, word", [
    (raises, "IndexError"), (lambda x: x, "TypeError"), (lambda x, scale: exit(), "SystemExit"),
    (lambda x, scale: square_root_of_nothing, "NameError"), (lambda x, scale: 1 / 0, "ZeroDivisionError"),  # noqa: F821
    (5, "int"), (torch.zeros(3), "Tensor"),
])
def test_what_a_learner_raises_is_told_in_words(square, function, word):
    verdict = square.judge(function)
    assert verdict.state == "error" and word in verdict.hint[0] and word in verdict.hint[1]
    if function is raises:
        assert verdict.hint[1].endswith("→ return x[100]")


def test_a_keyboard_interrupt_stops_the_check(square):
    """Or an endless loop could not be left."""
    def endless(x, scale):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        square.judge(endless)


def test_changed_inputs_are_noticed_and_harm_nobody(square):
    seen = []

    def in_place(x, scale):
        seen.append(x.clone())
        return x.mul_(x).mul_(scale)

    assert square.judge(in_place)[:2] == ("wrong", exercise.CHANGED)
    assert all(torch.equal(x, case[0]) for x, case in
               zip(seen, draw_cases(torch.Generator().manual_seed(0)), strict=True))
    assert square.judge(lambda x, scale: x.zero_() + scale).hint != exercise.CHANGED  # wrong comes first


def test_observe_compares_gradients():
    """Same values, another gradient: only what `observe` returns is compared."""
    def gradient(function, x):
        x = x.clone().requires_grad_()
        function(x).sum().backward()
        return x.grad

    cut = Mistake(lambda x: x * x.detach(), ("截断了一半", "half of it is cut"))
    task = Exercise("99.grad", title=("梯度", "gradient"), reference=lambda x: x * x, mistakes=[cut],
                    observe=gradient, cases=lambda generator: [(torch.randn(3, generator=generator),)] * 3)
    assert task.judge(lambda x: x ** 2).state == "right"
    assert task.judge(lambda x: x.detach() * x)[:2] == ("wrong", cut.hint)
    assert task.judge(lambda x: x.detach()).state == "error"  # nothing to go backward through
    assert task.judge(lambda x: None).state == "not yet"


def test_agree():
    agree, inf = exercise.agree, float("inf")
    assert agree({"a": (1, [2.0, None, "x"])}, {"a": [1, (2.0, None, "x")]})
    assert not agree({"a": 1}, {"b": 1}) and not agree((1, 2), (1, 2, 3)) and not agree(None, 0)
    assert agree(torch.tensor([inf, 1.0]), torch.tensor([inf, 1.0]))
    assert not agree(torch.tensor([inf, 1.0]), torch.tensor([-inf, 1.0]))
    assert agree(1.0, 1.0 + 5e-5) and not agree(1.0, 1.001)
    small = torch.tensor([1e-4, 2e-4])  # small numbers are compared by their own size
    assert agree(small, small * 1.00005) and not agree(small, small * 1.01)
    assert agree(torch.tensor([3, 1]), torch.tensor([3.0, 1.0])) and not agree(torch.tensor([3]), torch.tensor(3))


def test_what_a_learner_wrote_is_escaped(square):
    def hostile(x, scale):
        raise ValueError("<script>alert(1)</script>")

    for function in (hostile, lambda x, scale: "<script>alert(1)</script>"):
        html = exercise.verdict_html(square, square.judge(function))
        assert "&lt;script&gt;" in html and "<script>" not in html


def test_check_displays_both_languages_and_the_same_text_every_time(monkeypatch, square):
    for function, symbol in ((lambda x, scale: scale * x * x, "✓ 99.square: 对了 Right"),
                             (nothing_yet, "○ 99.square: 还没写 Not yet"), (lambda x, scale: x, "✗ 99.square"),
                             (raises, "⚠ 99.square")):
        shown = []
        monkeypatch.setattr(exercise, "display", lambda data, raw, shown=shown: shown.append(data))
        assert square.check(function) == square.judge(function)
        square.check(function)
        assert shown[0] == shown[1] and shown[0]["text/plain"].startswith(symbol)
        html = shown[0]["text/html"]
        assert '<span lang="zh">平方</span>' in html and '<span lang="en">square</span>' in html


def test_a_cell_that_ends_with_a_check_shows_it_once(square):
    """As IPython's display hook does it: what formats to nothing is not printed."""
    from IPython.core.formatters import DisplayFormatter

    assert DisplayFormatter().format(square.judge(nothing_yet)) == ({}, {})


def test_a_torch_error_and_a_missing_return_are_no_stub(square):
    def unsupported(x, scale):
        return torch.nn.Module()(x)  # raises NotImplementedError in torch's own code

    def in_c(x, scale):
        return x.to("meta").cpu()  # raises NotImplementedError below Python, on the learner's own line

    def helper(x):
        raise NotImplementedError

    def calls_helper(x, scale):
        return helper(x)

    def missing_return(x, scale):
        x ** 2 * scale  # noqa: B018

    def documented(x, scale):
        """To be written."""

    assert square.judge(unsupported).state == "error" and "NotImplementedError" in square.judge(unsupported).hint[1]
    assert square.judge(in_c).state == "error" and "NotImplementedError" in square.judge(in_c).hint[1]
    assert square.judge(missing_return)[:2] == ("wrong", exercise.NOTHING)
    assert square.judge(lambda x, scale: x.numpy().sort())[:2] == ("wrong", exercise.NOTHING)
    assert square.judge(calls_helper).state == square.judge(documented).state == "not yet"


def test_the_none_of_a_real_all_reduce_is_no_stub(square, tmp_path):
    """In a group of its own: gloo's, of one process."""
    def summed(x, scale):
        total = scale * x ** 2
        return torch.distributed.all_reduce(total)

    def summed_in_place(x, scale):
        total = scale * x ** 2
        torch.distributed.all_reduce(total)
        return total

    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    try:
        assert square.judge(summed)[:2] == ("wrong", exercise.NOTHING)
        assert square.judge(summed_in_place).state == "right"
    finally:
        torch.distributed.destroy_process_group()


def test_a_learners_settings_do_not_leak():
    def gradient(function, x):
        x = x.clone().requires_grad_()
        result = function(x).sum()
        return torch.autograd.grad(result, x)[0] if result.requires_grad else torch.zeros_like(x)

    task = Exercise("99.grad", title=("梯度", "gradient"), reference=lambda x: x * x, mistakes=[], observe=gradient,
                    cases=lambda generator: [(torch.randn(3, generator=generator),)] * 3)
    torch.manual_seed(11)
    seed = torch.random.get_rng_state()

    def careless(x):
        torch.manual_seed(5)
        np.random.seed(5)
        torch.set_default_dtype(torch.float64)
        torch.use_deterministic_algorithms(True)
        torch.set_float32_matmul_precision("medium")
        torch.set_num_threads(7)
        torch.set_grad_enabled(False)
        return x * x

    threads = torch.get_num_threads()
    assert task.judge(careless).state == "wrong"  # no gradient, and the reference still has one
    assert torch.is_grad_enabled() and torch.get_default_dtype() == torch.float32
    assert not torch.are_deterministic_algorithms_enabled() and torch.get_float32_matmul_precision() == "highest"
    assert torch.equal(torch.random.get_rng_state(), seed) and torch.get_num_threads() == threads
    with torch.no_grad():  # nor does what was set before the check, and it comes back
        assert task.judge(lambda x: x ** 2).state == "right" and task.judge(lambda x: x * x.detach()).state == "wrong"
        assert not torch.is_grad_enabled()
    torch.set_default_dtype(torch.float64)
    try:
        task.judge(lambda x: x ** 2)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_an_endless_answer_is_stopped_and_told(square):
    def endless(x, scale):
        while True:
            pass

    square.patience = 0.2
    verdict = square.judge(endless)
    assert verdict.state == "error" and "Stopped after 0.2 seconds" in verdict.hint[1] and "■" in verdict.hint[0]
    assert Exercise.patience == 10


def test_a_mistake_may_raise(square):
    axis = Mistake(lambda x, scale: x.sum(dim=1), ("只有一个轴", "there is one axis only"))
    square.mistakes.append(axis)
    verdict = square.judge(lambda x, scale: scale * x.pow(2).sum(dim=1))
    assert verdict.state == "error" and verdict.hint == axis.hint and "IndexError" in verdict.example[-1][1]
    assert square.judge(lambda x, scale: x[7]).hint != axis.hint
    assert square.judge(lambda x, scale: scale * x).hint == NO_SQUARE


def test_a_diagnosis_where_no_mistake_fits(square):
    verdict = square.judge(lambda x, scale: 3 * scale * x ** 2)
    assert verdict.reason == "diagnosis" and verdict.hint[1].startswith("Everywhere 3 times too large.")
    assert square.judge(lambda x, scale: scale * x).reason == "mistake"
    assert square.judge(lambda x, scale: scale * x ** 2 + x ** 3).reason == ""


def test_hints_open_one_by_one(square):
    square.hints = [("先平方 <x>", "square <x> first"), ("再乘", "then multiply")]
    html = exercise.verdict_html(square, square.judge(nothing_yet))
    first, second = html.index("square &lt;x&gt; first"), html.index("then multiply")
    assert html.count("<details") == 2 and "open" not in html and first < html.index("<details", first) < second
    assert "Hint 1 of 2" in html and "提示 2 / 2" in html
    assert "<details" not in exercise.verdict_html(square, square.judge(lambda x, scale: scale * x * x))


def test_quiet_says_nothing_of_a_right_solution(monkeypatch, square):
    shown = []
    monkeypatch.setattr(exercise, "display", lambda data, raw: shown.append(data["text/plain"]))
    assert square.check(lambda x, scale: scale * x * x, quiet=True).state == "right" and not shown
    square.check(lambda x, scale: x, quiet=True)
    assert len(shown) == 1 and shown[0].startswith("✗")
