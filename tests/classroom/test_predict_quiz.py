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


def test_the_truth_and_its_reason_stand_inside_a_closed_details():
    html = Predict(QUESTION, OPTIONS).reveal_html(1, BECAUSE)
    inside = re.fullmatch("<details ([^>]*)><summary>.*?</summary>(.*)</details>", html)
    assert "open" not in re.sub('ontoggle="[^"]*"', "", inside[1])
    assert words(inside[2], "zh")[:2] == ["答案：", "余弦"] and words(inside[2], "en")[:2] == ["Answer:", "cosine"]
    assert "that is fine" in inside[2] and "✓" not in html and "≠" not in html
    assert words(inside[2], "en")[-1] == "Its x² &lt; 1." and 'data-truth="1"' in inside[2]


def test_a_number_is_revealed_with_its_unit():
    html = Predict(QUESTION, minimum=0, maximum=200_000, unit=("个码字", "codes")).reveal_html(131072.25, BECAUSE)
    assert "131072 个码字" in words(html, "zh") and "131072 codes" in words(html, "en")
    assert 'data-truth="131072"' in html  # as the page compares: six digits


def displayed(monkeypatch):
    shown = []
    monkeypatch.setattr(predict, "display", lambda data, raw: shown.append(data))
    return shown


def test_what_is_held_and_revealed_is_open_once_answered_or_shown(monkeypatch):
    shown = displayed(monkeypatch)
    for answer, opened in ({}, False), ({"committed": 0}, True), ({"shown": True}, True):
        ask = Predict(QUESTION, OPTIONS)
        for name, value in answer.items():
            setattr(ask, name, value)
        assert ask.hold() is None and ask.reveal(1, BECAUSE) is None
        for data in shown[-2:]:
            assert bool(re.match("<details [^>]* open>", data["text/html"])) == opened
    closed, committed = shown[:2], shown[2:4]
    for before, after in zip(closed, committed, strict=True):  # nothing else tells what was committed
        assert after["text/html"].replace(" open>", ">", 1) == before["text/html"]
        assert after["text/plain"] == before["text/plain"]
    assert shown[1]["text/plain"] == " ".join(BECAUSE)
    assert not any(word in shown[0]["text/html"] + shown[0]["text/plain"] for word in ("cosine", "x²"))


def test_answers_are_known_by_their_question_alone(monkeypatch):
    shown = displayed(monkeypatch)
    for question, options in ((QUESTION, OPTIONS), (QUESTION, OPTIONS[:2]), (BECAUSE, OPTIONS)):
        ask = Predict(question, options)
        ask.hold()
        ask.reveal(1, BECAUSE)
        assert all(ask.setup["key"] in data["text/html"] for data in shown[-2:])
    keys = [re.search(r"vq-to-[0-9a-f]{8}", data["text/html"])[0] for data in shown]
    assert keys[0] == keys[1] == keys[2] == keys[3] != keys[4] == keys[5]


@pytest.mark.parametrize("truth", [3, -1, 0.5])
def test_the_truth_is_one_of_the_options(truth):
    with pytest.raises(ValueError, match="index of one of 3 options"):
        Predict(QUESTION, OPTIONS).reveal(truth, BECAUSE)


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
