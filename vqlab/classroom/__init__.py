"""The frame of every lesson: languages, figures and their font, the widgets' base, questions, exercises, training."""

from vqlab.classroom.exercise import Exercise, Mistake, Verdict
from vqlab.classroom.explorer import PictureExplorer, Slider
from vqlab.classroom.figures import COLOURS, STYLE, draw_images, png, show, styled
from vqlab.classroom.font import missing_glyphs
from vqlab.classroom.glossary import GLOSSARY, Term, glossary_table
from vqlab.classroom.language import Text, bilingual, language_switch
from vqlab.classroom.opening import start
from vqlab.classroom.predict import Predict
from vqlab.classroom.quiz import Option, Question, Quiz
from vqlab.classroom.training import TrainingPanel
from vqlab.classroom.widget import LessonWidget, binary

__all__ = [
    "COLOURS", "GLOSSARY", "STYLE", "Exercise", "LessonWidget", "Mistake", "Option", "PictureExplorer", "Predict",
    "Question", "Quiz", "Slider", "Term", "Text", "TrainingPanel", "Verdict", "bilingual", "binary", "draw_images",
    "glossary_table", "language_switch", "missing_glyphs", "png", "show", "start", "styled",
]
