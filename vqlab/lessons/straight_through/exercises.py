"""Exercises of lesson 3: a gradient of another size, a quantizer of signs, β under a mask, the gradient by hand."""

import torch
import torch.nn.functional as F

from vqlab import quantizer
from vqlab.classroom.exercise import Exercise, Mistake

__all__ = ["scale_gradient", "binary", "vq_loss", "encoder_gradient"]

VALUE = ("值", "value")


def _scaled(generator):
    """Six times (x, s, gradient): one axis to three; s above and below 1, negative, and 0."""
    for size, s in (((3,), 0.5), ((2, 4), -1.0), ((2, 3, 2), 3.0), ((5, 1), 0.1), ((4,), 0.0), ((6, 2), -0.25)):
        yield 2 * torch.randn(size, generator=generator), s, torch.randn(size, generator=generator)


def _signs(generator):
    """Five times (x, gradient): numbers of both signs inside and outside (−1, 1), none near −1, 0 or 1."""
    for size in ((40,), (6, 5), (2, 3, 4), (1, 12), (9, 2)):
        inside = 0.1 + 0.8 * torch.rand(size, generator=generator)
        outside = 1.2 + 2 * torch.rand(size, generator=generator)
        x = torch.where(torch.rand(size, generator=generator) < 0.5, inside, outside)
        sign = torch.where(torch.rand(size, generator=generator) < 0.5, -1.0, 1.0)
        yield x * sign, torch.randn(size, generator=generator)


def _masked(generator):
    """Six times (z_e (N, D), z_q (N, D), keep (N,) bool, beta): one kept, some, all; N below, above, equal to D."""
    for (n, d), kept, beta in (((6, 2), 3, 0.25), ((5, 8), 2, 0.5), ((3, 4), 3, 2.0), ((1, 2), 1, 0.1),
                               ((7, 1), 4, 0.25), ((4, 4), 1, 1.5)):
        keep = torch.zeros(n, dtype=torch.bool)
        keep[torch.randperm(n, generator=generator)[:kept]] = True
        yield torch.randn(n, d, generator=generator), torch.randn(n, d, generator=generator), keep, beta


def _gradient_and_beta(generator):
    """Five times (g, z_e, z_q, beta), (N, D) of several sizes, N or D being 1 in some."""
    for size, beta in (((3, 4), 0.25), ((1, 2), 0.5), ((6, 2), 2.0), ((5, 8), 0.1), ((4, 1), 1.0)):
        g, z_e, z_q = torch.randn(3, *size, generator=generator)
        yield g, z_e, z_q, beta


def _named(result, inputs, gradient=None):
    """The value and what reached each input, by name; zeros where no path leads."""
    reached = [None] * len(inputs)
    if result.requires_grad:
        reached = torch.autograd.grad(result, list(inputs.values()), gradient, allow_unused=True)
    found = {VALUE: result.detach()}
    for (name, x), g in zip(inputs.items(), reached, strict=True):
        found[f"{name} 的梯度", f"gradient at {name}"] = torch.zeros_like(x) if g is None else g
    return found


def _observe_way(way, x, *arguments):
    """A function of x and perhaps a number, shaped as x: its value, and what a gradient becomes on its way to x."""
    *settings, gradient = arguments
    x.requires_grad_()
    result = way(x, *settings)
    if not isinstance(result, torch.Tensor) or result.shape != x.shape:
        return result
    return _named(result, {"x": x}, gradient.to(result.dtype))


def _observe_loss(loss, z_e, z_q, keep, beta):
    """A loss: its value and both gradients."""
    z_e.requires_grad_(), z_q.requires_grad_()
    result = loss(z_e, z_q, keep, beta)
    if not isinstance(result, torch.Tensor) or result.ndim:
        return result
    return _named(result, {"z_e": z_e, "z_q": z_q})


def _loss(codebook=1.0, commitment=None, kept=lambda z_e, z_q, keep: (z_e[keep], z_q[keep])):
    """codebook · codebook loss + commitment (by default β) · commitment loss, over the vectors that are kept."""
    def loss(z_e, z_q, keep, beta):
        z_e, z_q = kept(z_e, z_q, keep)
        first, second = (beta if factor is None else factor for factor in (codebook, commitment))
        return first * F.mse_loss(z_q, z_e.detach()) + second * F.mse_loss(z_e, z_q.detach())
    return loss


def _zeroed(z_e, z_q, keep):
    return z_e * keep[:, None], z_q * keep[:, None]


def _late(z_e, z_q, keep, beta):
    z_e, z_q = z_e[keep], z_q[keep]
    return F.mse_loss(quantizer.straight_through(z_e, z_q), z_e.detach()) + beta * F.mse_loss(z_e, z_q.detach())


def _no_detach(z_e, z_q, keep, beta):
    return (1 + beta) * F.mse_loss(z_q[keep], z_e[keep])


def _one_detach(which):
    """One of the two detaches is missing."""
    def loss(z_e, z_q, keep, beta):
        z_e, z_q = z_e[keep], z_q[keep]
        if which == "codebook":
            return F.mse_loss(z_q, z_e) + beta * F.mse_loss(z_e, z_q.detach())
        return F.mse_loss(z_q, z_e.detach()) + beta * F.mse_loss(z_e, z_q)
    return loss


def _sum(times):
    """The loss times a count: a sum where a mean should be."""
    right = _loss()
    return lambda z_e, z_q, keep, beta: right(z_e, z_q, keep, beta) * times(z_e, keep)


def _sign(x):
    return torch.where(x > 0, 1.0, -1.0)


def _straight(soft):
    """The value sign(x), the gradient of ``soft``."""
    return lambda x: soft(x) + (_sign(x) - soft(x)).detach()

scale_gradient = Exercise(
    "03.scale_gradient",
    title=("值不变，梯度乘 s", "The same value, the gradient times s"),
    reference=lambda x, s: s * x + ((1 - s) * x).detach(),
    cases=_scaled,
    observe=_observe_way,
    hints=[
        ("把 x 写成两份之和：一份让梯度通过，一份 detach。",
         "Write x as a sum of two parts: one lets the gradient through, the other is detached."),
        ("通过的那一份是 s·x，梯度就是 s 倍；剩下的 (1 − s)·x 怎样补上，值才不变？",
         "Let s·x through, and the gradient is s times; how do you add the rest, (1 − s)·x, to keep the value?"),
    ],
    mistakes=[
        Mistake(lambda x, s: s * x,
                ("梯度对了，可是值也乘了 s：还要把缺的 (1 − s)·x 补回来，补的这份不通梯度。",
                 "The gradient is right, but the value was scaled too: add the missing (1 − s)·x, without a "
                 "gradient.")),
        Mistake(lambda x, s: x, ("值和梯度都没变：s 没有用上，或者少了 detach，两份的梯度加起来又是 1 倍。",
                                 "Neither value nor gradient changed: s is not used, or the detach is missing and "
                                 "both "
                                 "parts' gradients add up to 1 again.")),
        Mistake(lambda x, s: x.detach(), ("值对了，但 detach 了一切：x 收不到梯度。",
                                          "The value is right, but everything is detached: x gets no gradient.")),
        Mistake(lambda x, s: (1 - s) * x + (s * x).detach(),
                ("两份换了位置：通过的是 1 − s，应当是 s。",
                 "The two parts have changed places: 1 − s gets through, where s should.")),
        Mistake(lambda x, s: s * x + x.detach(),
                ("补得太多：s·x + x 是 (1 + s) 倍的值。只要补 (1 − s)·x。",
                 "Too much was added: s·x + x has 1 + s times the value. Add (1 − s)·x only.")),
        Mistake(lambda x, s: x + (s * x - x).detach(),
                ("正好反了：值乘了 s，梯度却原样通过。detach 里外要对换。",
                 "Just the reverse: the value is times s and the gradient passes unchanged. Swap what is detached.")),
        Mistake(lambda x, s: s * x.detach() + x,
                ("值成了 (1 + s) 倍，梯度却是 1 倍：detach 的应当是剩下的那份。",
                 "The value is 1 + s times and the gradient once: it is the rest that should be detached.")),
    ])

binary = Exercise(
    "03.binary",
    title=("只有 −1 和 +1 的量化器", "A quantizer with the codes −1 and +1"),
    reference=_straight(lambda x: x.clamp(-1, 1)),
    cases=_signs,
    observe=_observe_way,
    hints=[
        ("直通那一行的样子：软的 + (硬的 − 软的).detach()。值来自“硬的”，梯度来自“软的”。",
         "The straight-through line has the form soft + (hard − soft).detach(): the value of hard, the gradient of "
         "soft."),
        ("硬的是 x.sign()。哪个函数在 (−1, 1) 里斜率是 1，外面是 0？",
         "Hard is x.sign(). Which function has slope 1 inside (−1, 1) and 0 outside?"),
        ("就是截断：x.clamp(-1, 1)。", "Clipping does: x.clamp(-1, 1)."),
    ],
    mistakes=[
        Mistake(_sign, ("值对了，但 x 收不到梯度：台阶没有斜率，或者少了 detach，软的一加一减抵消了。",
                        "The value is right, but x gets no gradient: a step has no slope, or the detach is missing "
                        "and "
                        "soft is added and taken away again.")),
        Mistake(_straight(lambda x: x),
                ("|x| > 1 的地方也有梯度：那里应当停下，不然 x 会越走越远。",
                 "The gradient also passes where |x| > 1; it should stop there, or x walks ever further away.")),
        Mistake(lambda x: x.clamp(-1, 1),
                ("梯度对了，可是值没有量化：还是 x 自己，只是截断了。",
                 "The gradient is right, but nothing was quantized: it is x itself, clipped.")),
        Mistake(_straight(torch.tanh),
                ("梯度是 tanh 的斜率，处处不同；这里要里面 1、外面 0，用 clamp。",
                 "That is the slope of tanh, different everywhere; here it is 1 inside and 0 outside: clamp.")),
        Mistake(lambda x: x.clamp(-1, 1).detach() + (_sign(x) - x.clamp(-1, 1)),
                ("detach 放错了一边：梯度反号了。", "The detach is on the wrong side: the gradient is reversed.")),
        Mistake(_straight(lambda x: x - x.clamp(-1, 1)),
                ("里外反了：梯度应当在 |x| < 1 时通过。",
                 "Inside and outside are swapped: let it pass where |x| < 1.")),
        Mistake(_straight(lambda x: x.clamp(0, 1)),
                ("负的一半没有梯度：截断的区间是 (−1, 1)。", "The negative half gets no gradient: clip to (−1, 1).")),
    ])

vq_loss = Exercise(
    "03.vq_loss",
    title=("只算留下的向量，β 放在对的一项", "β on the right term, over the kept vectors only"),
    reference=_loss(),
    cases=_masked,
    observe=_observe_loss,
    hints=[
        ("先挑出留下的：z_e[keep] 是 (n, D)。再写两项，各 detach 一边。",
         "Select the kept ones first: z_e[keep] is (n, D). Then two terms, each with one side detached."),
        ("码本损失推动 z_q，所以 detach 的是 z_e；承诺损失正好相反，β 乘它。",
         "The codebook loss moves z_q, so z_e is detached; the commitment loss is the reverse, and β belongs to it."),
    ],
    mistakes=[
        Mistake(_loss(codebook=None, commitment=1.0),
                ("这正是那个著名的错：数值一样，可 β 乘在了码本损失上。看梯度：β 应该只缩小 z_e 那一份。",
                 "This is the famous bug: the same value, but β multiplies the codebook loss. Look at the "
                 "gradients: β should scale the share of z_e only.")),
        Mistake(_loss(codebook=None), ("β 乘了两项；码本损失的系数应该是 1。",
                                       "β multiplies both terms; the codebook loss has the factor 1.")),
        Mistake(_loss(commitment=1.0), ("β 没有用上。", "β is not used.")),
        Mistake(_no_detach,
                ("数值对，但没有 detach：两边都收到了 1 + β 倍的梯度。",
                 "The value is right, but without detach both sides get 1 + β times the gradient.")),
        Mistake(_one_detach("codebook"),
                ("码本损失里 z_e 没有 detach：它也推动了编码器，z_e 收到了 1 + β 倍。",
                 "z_e is not detached in the codebook loss, which moves the encoder too: z_e gets 1 + β times.")),
        Mistake(_one_detach("commitment"),
                ("承诺损失里 z_q 没有 detach：它也推动了码字，z_q 收到了 1 + β 倍。",
                 "z_q is not detached in the commitment loss, which moves the codes too: z_q gets 1 + β times.")),
        Mistake(_late,
                ("数值对，但 z_q 收不到梯度：你用的是直通那一行之后的结果，z_q 在那里已经被 detach 了。"
                 "请用查表得到的 z_q。",
                 "The value is right, but no gradient reaches z_q: you used the result of the straight-through line, "
                 "where z_q is already detached. Use the z_q that was looked up.")),
        Mistake(_loss(codebook=0.0),
                ("少了码本损失：码字不会动。（若码字用滑动平均更新，这才是对的。）",
                 "The codebook loss is missing: the codes never move. (With moving-average codes it would be "
                 "right.)")),
        Mistake(_loss(commitment=0.0), ("少了承诺损失：没有谁让编码器守住它的码字。",
                                        "The commitment loss is missing: nothing holds the encoder to its codes.")),
        Mistake(_loss(kept=lambda z_e, z_q, keep: (z_e, z_q)),
                ("没有用 keep：补齐用的向量也算进来了。", "keep is not used: the padding counts too.")),
        Mistake(_loss(kept=lambda z_e, z_q, keep: (z_e[~keep], z_q[~keep]) if not keep.all() else (z_e, z_q)),
                ("留反了：keep 为真的才算。", "The wrong ones were kept: those count where keep is true.")),
        Mistake(_loss(kept=_zeroed),
                ("补齐的成了 0，平均时却还在分母里：要除以留下的元素个数。",
                 "The padding became 0 but is still in the denominator: divide by the number of kept elements.")),
        Mistake(_sum(lambda z_e, keep: z_e[keep].numel()),
                ("大了 n·D 倍：这里要对留下的元素取平均，不是求和。",
                 "n·D times too large: take the mean over the kept elements, not the sum.")),
        Mistake(_sum(lambda z_e, keep: z_e.shape[1]),
                ("大了 D 倍：D 维上也要取平均，不是求和。",
                 "D times too large: take the mean over the D dimensions as well, not the sum.")),
    ])

encoder_gradient = Exercise(
    "03.encoder_gradient",
    title=("徒手算出 z_e 收到的梯度", "The gradient at z_e, by hand"),
    reference=lambda g, z_e, z_q, beta: g + beta * 2 * (z_e - z_q) / z_e.numel(),
    cases=_gradient_and_beta,
    hints=[
        ("两份：直通原样送来的 g，和承诺损失 β · mean((z_e − sg[z_q])²) 对 z_e 的导数。",
         "Two shares: g comes straight through; the other is the derivative of β · mean((z_e − sg[z_q])²) by z_e."),
        ("平均是对 N·D 个元素取的，平方求导得 2(z_e − z_q)。",
         "The mean is over N·D elements, and a square's derivative is 2 (z_e − z_q)."),
    ],
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
        Mistake(lambda g, z_e, z_q, beta: g + beta * 2 * (z_e - z_q) / z_e.shape[1],
                ("只除了 D；平均是对 N·D 个元素取的。", "Divided by D only; the mean is over all N·D elements.")),
        Mistake(lambda g, z_e, z_q, beta: beta * 2 * (z_e - z_q) / z_e.numel(),
                ("忘了直通过来的那一份 g。", "The g that comes straight through is missing.")),
        Mistake(lambda g, z_e, z_q, beta: g, ("只有直通的一份：还要加上承诺损失的。",
                                              "That is the straight-through share alone: add the commitment "
                                              "loss's.")),
        Mistake(lambda g, z_e, z_q, beta: g + 2 * (z_e - z_q) / z_e.numel(),
                ("β 没有用上：这就是 β 放错位置时编码器收到的梯度。",
                 "β is not used: that is what the encoder gets when β is misplaced.")),
        Mistake(lambda g, z_e, z_q, beta: g + (1 + beta) * 2 * (z_e - z_q) / z_e.numel(),
                ("把码本损失也算进来了；它 detach 了 z_e，不会推动编码器。",
                 "You counted the codebook loss too; it detaches z_e and does not move the encoder.")),
        Mistake(lambda g, z_e, z_q, beta: beta * (g + 2 * (z_e - z_q) / z_e.numel()),
                ("β 只乘承诺那一份，不乘 g。", "β multiplies the commitment share only, not g.")),
    ])
