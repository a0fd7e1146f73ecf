"""Predictions and quizzes: what Python keeps of them, and what stands where no kernel runs."""

import re

import pytest
import traitlets

from vqlab.classroom import Option, Predict, Question, Quiz, predict

QUESTION, BECAUSE = ("赢家是谁？", "Who wins?"), ("它的 x² < 1。", "Its x² < 1.")
OPTIONS = [("欧氏", "Euclid"), ("余弦", "cosine"), ("点积", "dot")]


def words(html, language):
    """All text in one language."""
    return re.findall(f'<(?:span|div) lang="{language}">(.*?)</(?:span|div)>', html)


def test_a_prediction_is_committed_once():
    ask = Predict(QUESTION, OPTIONS)
    assert ask.committed is None
    ask.committed = 2
    ask.committed = 0
    assert ask.committed == 2
    with pytest.raises(traitlets.TraitError):
        Predict(QUESTION, OPTIONS).committed = "Euclid"


def test_reveal_without_a_prediction_shows_the_truth_kindly():
    html = Predict(QUESTION, OPTIONS).reveal_html(1, BECAUSE)
    assert words(html, "zh")[:2] == ["实际：", "余弦"] and words(html, "en")[:2] == ["In truth:", "cosine"]
    assert "that is fine" in html and "✓" not in html and "≠" not in html
    assert words(html, "en")[-1] == "Its x² &lt; 1."


def test_reveal_shows_the_prediction_beside_the_truth():
    ask = Predict(QUESTION, OPTIONS)
    ask.committed = 2
    html = ask.reveal_html(1, BECAUSE)
    assert words(html, "en")[:4] == ["Your prediction:", "dot", "In truth:", "cosine"] and "≠" in html
    assert words(html, "zh")[:4] == ["你的预测：", "点积", "实际：", "余弦"]
    html = ask.reveal_html(2, BECAUSE)
    assert "✓" in html and "≠" not in html


def test_a_number_is_revealed_with_its_unit():
    ask = Predict(QUESTION, minimum=0, maximum=512, unit=("个码字", "codes"))
    ask.committed = 252.0
    assert words(ask.reveal_html(252, BECAUSE), "zh")[1] == "252 个码字"
    html = ask.reveal_html(131072.25, BECAUSE)
    assert words(html, "en")[:4] == ["Your prediction:", "252 codes", "In truth:", "131072 codes"] and "≠" in html


def test_reveal_displays_the_same_text_whatever_was_committed(monkeypatch):
    shown = []
    monkeypatch.setattr(predict, "display", lambda data, raw: shown.append(data))
    ask = Predict(QUESTION, OPTIONS)
    assert ask.reveal(1, BECAUSE) is None
    ask.committed = 0
    ask.reveal(1, BECAUSE)
    assert shown[0]["text/plain"] == shown[1]["text/plain"] == " ".join(BECAUSE)
    assert shown[0]["text/html"] != shown[1]["text/html"]
    for truth in (3, -1, 0.5):
        with pytest.raises(ValueError, match="index of one of 3 options"):
            ask.reveal(truth, BECAUSE)


@pytest.mark.parametrize("bad", [
    {}, {"options": OPTIONS[:1]}, {"options": OPTIONS, "minimum": 0, "maximum": 1}, {"minimum": 0},
    {"minimum": 1, "maximum": 0}, {"minimum": 0, "maximum": 1, "step": 0},
    {"options": OPTIONS[:1], "minimum": 0, "maximum": 1},
])
def test_a_prediction_needs_options_or_a_range(bad):
    with pytest.raises(ValueError, match="either two options or more, or minimum < maximum"):
        Predict(QUESTION, **bad)


def question(*rights):
    return Question(QUESTION, [Option((f"答{i}", f"answer {i}"), right, (f"因为{i}", f"because {i}"))
                               for i, right in enumerate(rights)])


@pytest.mark.parametrize("rights", [(), (True,), (False, False), (True, True, False)])
def test_a_question_has_one_right_option_and_a_wrong_one(rights):
    with pytest.raises(ValueError, match="exactly one right"):
        Quiz([question(False, True), question(*rights)])
    with pytest.raises(ValueError, match="at least one question"):
        Quiz([])


def test_without_a_kernel_all_words_stand_in_both_languages():
    quiz = Quiz([question(False, True), question(True, False, False)])
    data, _ = quiz._repr_mimebundle_()
    html = data["text/html"]
    assert len(words(html, "zh")) == len(words(html, "en")) == 2 + 5 * 2
    details = re.findall("<details>(.*?)</details>", html)  # an option opens to its explanation, without a script
    assert ["✓" in each for each in details] == [False, True, True, False, False]
    assert all(f"because {i}" in each and f"answer {i}" in each
               for i, each in zip([0, 1, 0, 1, 2], details, strict=True))
    html = Predict(QUESTION, OPTIONS)._repr_mimebundle_()[0]["text/html"]
    assert [text for text in words(html, "en")[1:]] == ["Euclid", "cosine", "dot"]
    assert "Who wins?" in html and "✓" not in html
    assert "0 … 8" in Predict(QUESTION, minimum=0, maximum=8).html()


def test_saved_text_is_the_same_for_every_run():
    for make in (lambda: Predict(QUESTION, OPTIONS), lambda: Quiz([question(False, True)])):
        first, second = (make()._repr_mimebundle_()[0] for _ in range(2))
        for mime in ("text/plain", "text/html"):
            assert first[mime] == second[mime] and "0x" not in first[mime]
