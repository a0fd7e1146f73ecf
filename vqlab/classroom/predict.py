"""Ask first: a prediction that the learner commits to before anything is shown."""

from collections.abc import Sequence
from html import escape

import traitlets
from IPython.display import display

from vqlab.classroom.answer import answer_html, answer_key
from vqlab.classroom.figures import COLOURS
from vqlab.classroom.language import Text, bilingual, lines
from vqlab.classroom.widget import TextWidget


class Predict(TextWidget):
    """A question, answered by choosing an option or by typing a number, once.

    The widget reveals nothing. Once committed, ``committed`` holds the option's index or the number and stays
    as it is. What later cells show after `hold`, and what `reveal` says, stays hidden until then, or until the
    learner asks to be shown the answer, and with it the text below, up to the next heading; "Run all" passes with
    nothing committed.

    Args:
        question: (Chinese, English).
        options: what to choose from, two at least; without them, a number is asked for.
        minimum: the smallest number to type.
        maximum: the largest.
        step: of the number.
        unit: of the number, (Chinese, English).

    Raises:
        ValueError: neither options nor a range of numbers, or both.
    """

    script = "predict.js"
    setup = traitlets.Dict().tag(sync=True)
    committed = traitlets.Float(None, allow_none=True).tag(sync=True)
    shown = traitlets.Bool(False).tag(sync=True)  # the learner has opened the answer

    def __init__(self, question: Text, options: Sequence[Text] = (), *, minimum: float | None = None,
                 maximum: float | None = None, step: float = 1, unit: Text = ("", "")):
        numeric = minimum is not None and maximum is not None and minimum < maximum and step > 0
        if (len(options) >= 2) == numeric or len(options) == 1:
            raise ValueError("expected either two options or more, or minimum < maximum and a step, "
                             f"got {len(options)} options, minimum={minimum}, maximum={maximum}, step={step}")
        self.question, self.options, self.unit = question, list(options), unit
        self.minimum, self.maximum = minimum, maximum
        self.alt_zh, self.alt_en = f"先猜一猜：{question[0]}", f"Predict first: {question[1]}"
        super().__init__()
        self.setup = {"question": question, "options": self.options, "minimum": minimum, "maximum": maximum,
                      "step": step, "unit": unit, "key": answer_key(question)}

    @traitlets.validate("committed")
    def _once(self, proposal):
        return proposal.value if self.committed is None else self.committed

    def hold(self) -> None:
        """Hide what this cell shows from here on until the question is answered: for a cell's first line."""
        display({"text/html": self._hidden(), "text/plain": "▸ 答案 answer"}, raw=True)

    def reveal(self, truth: float, because: Text) -> None:
        """Display, hidden as by `hold`, the truth and why it is so; the page adds the learner's prediction.

        Args:
            truth: the index of the right option, or the number.
            because: the reason, (Chinese, English).

        Raises:
            ValueError: ``truth`` is no option's index.
        """
        if self.options and truth not in range(len(self.options)):
            raise ValueError(f"expected the index of one of {len(self.options)} options, got {truth}")
        display({"text/html": self.reveal_html(truth, because), "text/plain": " ".join(because)}, raw=True)

    def reveal_html(self, truth: float, because: Text) -> str:
        """Return what `reveal` displays: the same whatever was committed, which the page itself adds."""
        verdict = ("○ 这次没有提交预测，没关系。下次先猜再看，记得更牢。",
                   "○ No prediction this time, and that is fine. What you guess first, you remember longer.")
        return self._hidden(
            f'<div class="vq-truth" data-truth="{truth:.6g}" style="border-left:6px solid {COLOURS["data"]};'
            f'padding:2px 12px;margin:2px"><div>{bilingual("答案：", "Answer:")} '
            f'<strong>{bilingual(*self._said(truth))}</strong></div>'
            f'<div class="vq-verdict">{lines(*verdict)}</div>{lines(*because)}</div>')

    def _hidden(self, reason: str = "") -> str:
        return answer_html(self.question, reason, shown=self.shown or self.committed is not None)

    def _said(self, value) -> Text:
        """An option's text, or the number with its unit."""
        if self.options:
            return self.options[int(value)]
        number = f"{float(value):.6g}"
        return tuple(f"{number} {unit}".strip() for unit in self.unit)

    def html(self) -> str:
        """Return the question and its options as a list."""
        choices = "".join(f"<li>{bilingual(*option)}</li>" for option in self.options)
        if not choices:
            choices = f"<li>{escape(f'{self.minimum:g} … {self.maximum:g}')} {bilingual(*self.unit)}</li>"
        return f"<div><p>{bilingual(self.alt_zh, self.alt_en)}</p><ul>{choices}</ul></div>"
