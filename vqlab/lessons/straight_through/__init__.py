"""Lesson 3, how a gradient passes a step with no slope: arrows on the plane, losses, codes that chase."""

from vqlab.lessons.straight_through import exercises
from vqlab.lessons.straight_through.chase import ChasePlayer, chase_start, code_changes, draw_betas, draw_chase
from vqlab.lessons.straight_through.gradients import GradientPlane, draw_step, spread_after
from vqlab.lessons.straight_through.losses import black_boxes, draw_loss_table, gradient_norms

__all__ = [
    "ChasePlayer", "GradientPlane", "black_boxes", "chase_start", "code_changes", "draw_betas", "draw_chase",
    "draw_loss_table", "draw_step", "exercises", "gradient_norms", "spread_after",
]
