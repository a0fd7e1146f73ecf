"""What only lessons need: the language switch, figures with their font, widgets, exercises, the glossary."""

from vqlab.classroom.argmin import (
    PalettePlayer,
    VoronoiPlane,
    distortion,
    draw_rate_distortion,
    draw_steps,
    draw_voronoi,
    grid_palette,
    lloyd_step,
    palette_rate,
    photo_plane,
    repaint,
    small_photo,
    sweep,
)
from vqlab.classroom.chase import ChasePlayer, chase_start, code_changes, draw_betas, draw_chase
from vqlab.classroom.codecs import jpeg_within
from vqlab.classroom.collapse import (
    REMEDIES,
    CollapsePanel,
    NoOpRestart,
    RemedyBench,
    Score,
    SmallRun,
    UndebiasedEMA,
    codes_picture,
    codes_plane,
    dead_counts,
    draw_codes,
    draw_dead,
    draw_entropy_price,
    draw_runs,
    remedied,
    score,
    unused_length,
)
from vqlab.classroom.distances import (
    DistancePlane,
    ExpansionPlane,
    RoundingPlane,
    colour_plane,
    colours_of,
    draw_broken_regions,
    draw_price,
    draw_rounding,
    draw_winners,
    peak_memory,
    search_in,
    time_ratios,
    winners,
)
from vqlab.classroom.exercise import Exercise, Mistake, Verdict, check
from vqlab.classroom.explorer import PictureExplorer, Slider
from vqlab.classroom.figures import COLOURS, STYLE, draw_images, png, show, use_style
from vqlab.classroom.font import missing_glyphs
from vqlab.classroom.glossary import GLOSSARY, Term
from vqlab.classroom.gradients import (
    GradientPlane,
    black_boxes,
    draw_loss_table,
    draw_step,
    gradient_norms,
    spread_after,
)
from vqlab.classroom.language import bilingual, language_switch, start
from vqlab.classroom.predict import Predict
from vqlab.classroom.quiz import Option, Question, Quiz
from vqlab.classroom.scales import (
    ScaleSpeller,
    VarInputMap,
    draw_errors,
    draw_gain,
    draw_lengths,
    draw_spread,
    draw_use,
    errors_by_scale,
    fit_quantizer,
    random_quantizer,
    shares_by_length,
    spell,
    use_by_scale,
)
from vqlab.classroom.tokens import draw_dictionary, draw_tokens
from vqlab.classroom.training import TrainingPanel
from vqlab.classroom.widget import LessonWidget, binary

__all__ = [
    "COLOURS", "GLOSSARY", "REMEDIES", "STYLE", "ChasePlayer", "CollapsePanel", "DistancePlane", "Exercise",
    "ExpansionPlane", "GradientPlane", "LessonWidget", "Mistake", "NoOpRestart", "Option", "PalettePlayer",
    "PictureExplorer", "Predict", "Question", "Quiz", "RemedyBench", "RoundingPlane", "ScaleSpeller", "Score",
    "Slider", "SmallRun", "Term", "TrainingPanel", "UndebiasedEMA", "VarInputMap", "Verdict", "VoronoiPlane",
    "bilingual", "binary", "black_boxes", "chase_start", "check", "code_changes", "codes_picture", "codes_plane",
    "colour_plane", "colours_of", "dead_counts", "distortion", "draw_betas", "draw_broken_regions", "draw_chase",
    "draw_codes", "draw_dead", "draw_dictionary", "draw_entropy_price", "draw_errors", "draw_gain", "draw_images",
    "draw_lengths", "draw_loss_table", "draw_price", "draw_rate_distortion", "draw_rounding", "draw_runs",
    "draw_spread", "draw_step", "draw_steps", "draw_tokens", "draw_use", "draw_voronoi", "draw_winners",
    "errors_by_scale", "fit_quantizer", "gradient_norms", "grid_palette", "jpeg_within", "language_switch",
    "lloyd_step", "missing_glyphs", "palette_rate", "peak_memory", "photo_plane", "png", "random_quantizer",
    "remedied", "repaint", "score", "search_in", "shares_by_length", "show", "small_photo", "spell", "spread_after",
    "start", "sweep", "time_ratios", "unused_length", "use_by_scale", "use_style", "winners",
]
