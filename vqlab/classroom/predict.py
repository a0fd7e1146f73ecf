"""Ask first: a prediction that the learner commits to before anything is shown."""

from collections.abc import Sequence
from typing import Any

import traitlets
from IPython.display import display

from vqlab.classroom.language import bilingual
from vqlab.classroom.widget import LessonWidget

Text = tuple[str, str]  # Chinese, English


class Predict(LessonWidget):
    """A question with options to choose from, or a number to type; see `reveal`."""

    script = "predict.js"
    setup = traitlets.Dict().tag(sync=True)
    committed = traitlets.Any(None, allow_none=True).tag(sync=True)

    def __init__(self, question: Text, options: Sequence[Text] = (), *, minimum: float | None = None,
                 maximum: float | None = None, step: float = 1, unit: Text = ("", "")):
        self.question, self.options, self.unit = question, list(options), unit
        self.alt_zh, self.alt_en = question
        super().__init__()
        self.setup = {"question": question, "options": self.options, "minimum": minimum, "maximum": maximum,
                      "step": step, "unit": unit}

    def reveal(self, truth: float, because: Text) -> None:
        """Display the learner's prediction beside the truth."""
        display({"text/html": bilingual(*because), "text/plain": " ".join(because)}, raw=True)

    def picture(self) -> bytes:
        from matplotlib.figure import Figure

        from vqlab.classroom.figures import png
        return png(Figure(figsize=(1, 1)))
