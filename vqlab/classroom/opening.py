"""How a lesson opens: what its first cell does for all that follow."""

from IPython.display import display

from vqlab.classroom.answer import STYLE
from vqlab.classroom.figures import use_style
from vqlab.classroom.language import LanguageSwitch


def start() -> None:
    """Open a lesson: register the font, apply the figures' style, show the language switch, hide the answers."""
    use_style()
    display(LanguageSwitch(STYLE))
