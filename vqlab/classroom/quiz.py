"""A quiz at the end of a lesson, whose every option explains itself once chosen."""

from collections.abc import Sequence
from typing import NamedTuple

import traitlets

from vqlab.classroom.widget import LessonWidget

Text = tuple[str, str]  # Chinese, English


class Option(NamedTuple):
    """One answer, whether it is right, and why (or why not): shown once it is chosen."""

    text: Text
    right: bool
    why: Text


class Question(NamedTuple):
    """A question and its options, of which exactly one is right."""

    text: Text
    options: Sequence[Option]


class Quiz(LessonWidget):
    """Questions to choose answers for; works in the page alone, without a kernel."""

    script = "quiz.js"
    setup = traitlets.List().tag(sync=True)

    def __init__(self, questions: Sequence[Question]):
        self.questions = list(questions)
        self.alt_zh, self.alt_en = "小测验。", "A quiz."
        super().__init__()
        self.setup = [{"text": question.text, "options": [option._asdict() for option in question.options]}
                      for question in self.questions]

    def picture(self) -> bytes:
        from matplotlib.figure import Figure

        from vqlab.classroom.figures import png
        return png(Figure(figsize=(1, 1)))
