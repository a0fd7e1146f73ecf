"""Exercises of lesson 3: the straight-through line, the side of the detach, β, the gradient by hand."""

import torch
import torch.nn.functional as F

from vqlab import quantizer
from vqlab.classroom.exercise import Exercise, Mistake

__all__ = ["straight_through", "two_losses", "vq_loss", "encoder_gradient"]


def _vectors(generator):
    """Four times (z_e, z_q), (N, D) of several sizes."""
    for size in ((1, 2), (3, 4), (6, 2), (5, 8)):
        yield torch.randn(size, generator=generator), torch.randn(size, generator=generator)


def _with_gradient_back(generator):
    for z_e, z_q in _vectors(generator):
        yield z_e, z_q, torch.randn(z_e.shape, generator=generator)


def _with_beta(generator):
    for (z_e, z_q), beta in zip(_vectors(generator), (0.25, 0.5, 2.0, 0.1), strict=True):
        yield z_e, z_q, beta


def _gradient_and_beta(generator):
    for z_e, z_q, beta in _with_beta(generator):
        yield torch.randn(z_e.shape, generator=generator), z_e, z_q, beta


def _backward(result, z_e, z_q, gradient=None):
    """(value, what reached z_e, what reached z_q); zeros where no path leads."""
    reached = (None, None)
    if result.requires_grad:
        reached = torch.autograd.grad(result, [z_e, z_q], gradient, allow_unused=True, retain_graph=True)
    return (result.detach(), *(torch.zeros_like(x) if g is None else g
                               for g, x in zip(reached, (z_e, z_q), strict=True)))


def _observe_way(way, z_e, z_q, gradient):
    z_e.requires_grad_(), z_q.requires_grad_()
    result = way(z_e, z_q)
    return _backward(result, z_e, z_q, gradient) if getattr(result, "shape", None) == z_e.shape else result


def _observe_loss(loss, z_e, z_q, *beta):
    """One scalar loss, or a pair of them: values and gradients."""
    z_e.requires_grad_(), z_q.requires_grad_()
    result = loss(z_e, z_q, *beta)
    losses = result if isinstance(result, tuple) else (result,)
    if not all(isinstance(each, torch.Tensor) and each.ndim == 0 for each in losses):
        return result
    found = tuple(_backward(each, z_e, z_q) for each in losses)
    return found if isinstance(result, tuple) else found[0]


def _codebook(z_e, z_q):
    return F.mse_loss(z_q, z_e.detach())


def _commitment(z_e, z_q):
    return F.mse_loss(z_e, z_q.detach())


def _after(z_e, z_q):
    return F.mse_loss(quantizer.straight_through(z_e, z_q), z_e.detach())


def _sum(loss):
    return lambda z_e, z_q: loss(z_e, z_q) * z_e.numel()


_AFTER_HINT = (
    "数值对，但 z_q 收不到梯度：你用的是直通那一行之后的结果，z_q 在那里已经被 detach 了。请用查表得到的 z_q。",
    "The value is right, but no gradient reaches z_q: you used the result of the straight-through line, where z_q is "
    "already detached. Use the z_q that was looked up.")
_SUM_HINT = ("大了 N·D 倍：这里要对所有元素取平均，不是求和。",
             "N·D times too large: take the mean over all elements, not the sum.")

straight_through = Exercise(
    "03.straight_through",
    title=("写出直通那一行", "Write the straight-through line"),
    reference=quantizer.straight_through,
    cases=_with_gradient_back,
    observe=_observe_way,
    mistakes=[
        Mistake(lambda z_e, z_q: z_q,  # or z_e + (z_q - z_e)
                ("值对了，可是梯度全给了 z_q，z_e 一点也收不到：少了 detach，或者 z_e 先加后减抵消掉了。",
                 "The value is right, but all the gradient goes to z_q and none to z_e: the detach is missing, "
                 "or z_e is added and taken away again.")),
        Mistake(lambda z_e, z_q: z_q.detach(),  # or everything detached
                ("值对了，但 detach 把路都切断了，谁也收不到梯度。要有一个 z_e 留在 detach 之外。",
                 "The value is right, but detach cuts every path and nobody gets a gradient. One z_e must stay "
                 "outside the detach.")),
        Mistake(lambda z_e, z_q: z_e,
                ("梯度对了，可是值还是 z_e：什么也没有量化。",
                 "The gradient is right, but the value is still z_e: nothing was quantized.")),
        Mistake(lambda z_e, z_q: z_q + (z_e - z_q).detach(),
                ("两个角色换了位置：值成了 z_e，梯度给了 z_q。",
                 "The two have changed places: the value is z_e and the gradient goes to z_q.")),
        Mistake(lambda z_e, z_q: z_e.detach() + (z_q - z_e),
                ("detach 放错了一边：z_e 只剩下带负号的那一份，梯度反了，编码器会往错的方向走。",
                 "The detach is on the wrong side: only the −z_e is left, so the gradient is reversed and the "
                 "encoder walks the wrong way.")),
        Mistake(lambda z_e, z_q: (z_e + z_q) / 2,
                ("这是两者的中点，解码器看到的就不再是码字了。",
                 "That is the point half-way between; what the decoder sees is no code any more.")),
    ])

two_losses = Exercise(
    "03.two_losses",
    title=("把 detach 放在对的一边", "Put detach on the right side"),
    reference=lambda z_e, z_q: (_codebook(z_e, z_q), _commitment(z_e, z_q)),
    cases=_vectors,
    observe=_observe_loss,
    mistakes=[
        Mistake(lambda z_e, z_q: (_commitment(z_e, z_q), _codebook(z_e, z_q)),
                ("两个损失换了位置：码本损失推动码字，要 detach 的是 z_e；承诺损失正好相反。",
                 "The two losses have changed places: the codebook loss moves the code, so z_e is the one to "
                 "detach; the commitment loss is the other way round.")),
        Mistake(lambda z_e, z_q: (F.mse_loss(z_q, z_e),) * 2,
                ("没有 detach：两个损失都同时推动两边，β 就没有意义了。",
                 "No detach: each loss moves both sides, and β means nothing any more.")),
        Mistake(lambda z_e, z_q: (_codebook(z_e, z_q),) * 2,
                ("两次都 detach 了 z_e：没有谁让编码器守住它的码字。",
                 "Both times z_e is detached: nothing holds the encoder to its code.")),
        Mistake(lambda z_e, z_q: (_commitment(z_e, z_q),) * 2,
                ("两次都 detach 了 z_q：码字收不到任何梯度。",
                 "Both times z_q is detached: the code gets no gradient at all.")),
        Mistake(lambda z_e, z_q: (F.mse_loss(z_q.detach(), z_e.detach()),) * 2,
                ("两边都 detach 了：数值在，梯度全没有。",
                 "Both sides are detached: the values are there, the gradients are not.")),
        Mistake(lambda z_e, z_q: (_after(z_e, z_q), _commitment(z_e, z_q)), _AFTER_HINT),
        Mistake(lambda z_e, z_q: (_sum(_codebook)(z_e, z_q), _sum(_commitment)(z_e, z_q)), _SUM_HINT),
        Mistake(lambda z_e, z_q: ((z_q - z_e.detach()).abs().mean(), (z_e - z_q.detach()).abs().mean()),
                ("这是绝对值的平均；这里要平方。", "That is the mean absolute value; the square is wanted.")),
    ])

vq_loss = Exercise(
    "03.vq_loss",
    title=("把 β 放在对的一项", "Put β on the right term"),
    reference=lambda z_e, z_q, beta: _codebook(z_e, z_q) + beta * _commitment(z_e, z_q),
    cases=_with_beta,
    observe=_observe_loss,
    mistakes=[
        Mistake(lambda z_e, z_q, beta: beta * _codebook(z_e, z_q) + _commitment(z_e, z_q),
                ("这正是那个著名的错：数值一样，可 β 乘在了码本损失上。看梯度：β 应该只缩小 z_e 那一份。",
                 "This is the famous bug: the same value, but β multiplies the codebook loss. Look at the "
                 "gradients: β should scale the share of z_e only.")),
        Mistake(lambda z_e, z_q, beta: beta * (_codebook(z_e, z_q) + _commitment(z_e, z_q)),
                ("β 乘了两项；码本损失的系数应该是 1。",
                 "β multiplies both terms; the codebook loss has the factor 1.")),
        Mistake(lambda z_e, z_q, beta: _codebook(z_e, z_q) + _commitment(z_e, z_q),
                ("β 没有用上。", "β is not used.")),
        Mistake(lambda z_e, z_q, beta: (1 + beta) * F.mse_loss(z_q, z_e),
                ("数值对，但没有 detach：两边都收到了 1 + β 倍的梯度。",
                 "The value is right, but without detach both sides get 1 + β times the gradient.")),
        Mistake(lambda z_e, z_q, beta: _after(z_e, z_q) + beta * _commitment(z_e, z_q), _AFTER_HINT),
        Mistake(lambda z_e, z_q, beta: beta * _commitment(z_e, z_q),
                ("少了码本损失：码字不会动。（若码字用滑动平均更新，这才是对的。）",
                 "The codebook loss is missing: the codes never move. (With moving-average codes it would be "
                 "right.)")),
        Mistake(lambda z_e, z_q, beta: _sum(_codebook)(z_e, z_q) + beta * _sum(_commitment)(z_e, z_q), _SUM_HINT),
    ])

encoder_gradient = Exercise(
    "03.encoder_gradient",
    title=("徒手算出 z_e 收到的梯度", "The gradient at z_e, by hand"),
    reference=lambda g, z_e, z_q, beta: g + beta * 2 * (z_e - z_q) / z_e.numel(),
    cases=_gradient_and_beta,
    mistakes=[
        Mistake(lambda g, z_e, z_q, beta: g + beta * (z_e - z_q) / z_e.numel(),
                ("平方求导会多出一个 2。", "The derivative of a square brings a factor 2.")),
        Mistake(lambda g, z_e, z_q, beta: g + beta * 2 * (z_q - z_e) / z_e.numel(),
                ("承诺那一项的符号反了：照这样，下降一步会让 z_e 离开 z_q。",
                 "The commitment term has the wrong sign: a step down would take z_e away from z_q.")),
        Mistake(lambda g, z_e, z_q, beta: g + beta * 2 * (z_e - z_q),
                ("忘了除以元素个数：损失是对所有元素的平均。",
                 "Divide by the number of elements: the loss is a mean over all of them.")),
        Mistake(lambda g, z_e, z_q, beta: g + beta * 2 * (z_e - z_q) / len(z_e),
                ("只除了 N；平均是对 N·D 个元素取的。",
                 "Divided by N only; the mean is over all N·D elements.")),
        Mistake(lambda g, z_e, z_q, beta: beta * 2 * (z_e - z_q) / z_e.numel(),
                ("忘了直通过来的那一份 g。", "The g that comes straight through is missing.")),
        Mistake(lambda g, z_e, z_q, beta: g + 2 * (z_e - z_q) / z_e.numel(),
                ("β 没有用上：这就是 β 放错位置时编码器收到的梯度。",
                 "β is not used: that is what the encoder gets when β is misplaced.")),
        Mistake(lambda g, z_e, z_q, beta: g + (1 + beta) * 2 * (z_e - z_q) / z_e.numel(),
                ("把码本损失也算进来了；它 detach 了 z_e，不会推动编码器。",
                 "You counted the codebook loss too; it detaches z_e and does not move the encoder.")),
    ])
