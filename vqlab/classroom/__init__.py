"""What only lessons need: the language switch, figures with their font, widgets, the glossary."""

from vqlab.classroom.explorer import PictureExplorer, Slider
from vqlab.classroom.figures import COLOURS, STYLE, draw_images, png, show, use_style
from vqlab.classroom.font import missing_glyphs
from vqlab.classroom.glossary import GLOSSARY, Term
from vqlab.classroom.language import bilingual, language_switch, start
from vqlab.classroom.training import TrainingPanel
from vqlab.classroom.widget import LessonWidget, binary

__all__ = [
    "COLOURS", "GLOSSARY", "STYLE", "LessonWidget", "PictureExplorer", "Slider", "Term", "TrainingPanel", "bilingual",
    "binary", "draw_images", "language_switch", "missing_glyphs", "png", "show", "start", "use_style",
]
