"""The frame of every lesson: languages, figures and their font, the widgets' base, questions, exercises, training."""

from vqlab.classroom.architecture import architecture
from vqlab.classroom.cost import peak_memory, seconds_in_turn
from vqlab.classroom.exercise import Exercise, Mistake, Verdict
from vqlab.classroom.explorer import PictureExplorer, Slider
from vqlab.classroom.figures import COLOURS, draw_images, show, styled
from vqlab.classroom.glossary import GLOSSARY, glossary_table
from vqlab.classroom.language import Text, bilingual, say
from vqlab.classroom.opening import start
from vqlab.classroom.predict import Predict
from vqlab.classroom.quiz import Option, Question, Quiz
from vqlab.classroom.training import TrainingPanel
from vqlab.classroom.widget import LessonWidget, binary

__all__ = [
    "COLOURS", "GLOSSARY", "Exercise", "LessonWidget", "Mistake", "Option", "PictureExplorer", "Predict",
    "Question", "Quiz", "Slider", "Text", "TrainingPanel", "Verdict", "architecture", "bilingual", "binary",
    "draw_images", "glossary_table", "peak_memory", "say", "seconds_in_turn", "show", "start", "styled",
]
