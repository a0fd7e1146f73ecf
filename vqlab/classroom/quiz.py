"""A quiz at the end of a lesson, whose every option explains itself once chosen."""

from collections.abc import Sequence
from typing import NamedTuple

import traitlets

from vqlab.classroom.language import Text, bilingual
from vqlab.classroom.widget import TextWidget


class Option(NamedTuple):
    """One answer, whether it is right, and why (or why not): shown once it is chosen."""

    text: Text
    right: bool
    why: Text


class Question(NamedTuple):
    """A question and its options, of which exactly one is right."""

    text: Text
    options: Sequence[Option]


class Quiz(TextWidget):
    """Questions to choose answers for; all of it happens in the page, without Python.

    Where no kernel runs (GitHub, exported HTML) each option can be opened to read its explanation.

    Args:
        questions: in plain text with Unicode maths; LaTeX stays raw.

    Raises:
        ValueError: no question, or one without exactly one right and at least one wrong option.
    """

    script = "quiz.js"
    setup = traitlets.List().tag(sync=True)

    def __init__(self, questions: Sequence[Question]):
        self.questions = list(questions)
        for question in self.questions:
            rights = [option.right for option in question.options]
            if sum(rights) != 1 or len(rights) < 2:
                raise ValueError("expected exactly one right and at least one wrong option, "
                                 f"got {rights} for {question.text}")
        if not self.questions:
            raise ValueError("expected at least one question, got none")
        self.alt_zh, self.alt_en = f"小测验（{len(self.questions)}）。", f"A quiz ({len(self.questions)})."
        super().__init__()
        self.setup = [{"text": question.text, "options": [option._asdict() for option in question.options]}
                      for question in self.questions]

    def html(self) -> str:
        """Return the questions as text; an option opens to its explanation."""
        return "".join(
            f"<p><strong>{number}. {bilingual(*question.text)}</strong></p>" + "".join(
                f"<details><summary>{bilingual(*option.text)}</summary>"
                f"<p>{'✓' if option.right else '✗'} {bilingual(*option.why)}</p></details>"
                for option in question.options)
            for number, question in enumerate(self.questions, start=1))
