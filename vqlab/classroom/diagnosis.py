"""What a wrong result has to do with the right one: a factor, a sign, the axes, NaN in some places, or nothing.

Every finding is a fact about all cases at once, checked with `agree`, never a guess from one number.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import permutations
from math import isclose, isfinite, log
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vqlab.classroom.language import Text

ENOUGH = 3  # numbers that must follow a rule with one free constant before the rule is believed
FACTORS = {  # factor -> what it usually means
    2.0: ("是不是多了一个 2？", "Is there a 2 too many?"),
    0.5: ("是不是少了一个 2？", "Is a 2 missing?"),
    log(2): ("0.693 = ln 2：对数的底数不对（要的底是 2，还是 e？）。",
             "0.693 = ln 2: another base of the logarithm."),
    1 / log(2): ("1.443 = 1 / ln 2：对数的底数不对（要的底是 2，还是 e？）。",
                 "1.443 = 1 / ln 2: another base of the logarithm."),
    log(10) / log(2): ("3.322 = log₂ 10：对数的底数不对。", "3.322 = log₂ 10: another base of the logarithm."),
    log(2) / log(10): ("0.301 = log₁₀ 2：对数的底数不对。", "0.301 = log₁₀ 2: another base of the logarithm."),
    1 / log(10): ("0.434 = log₁₀ e：对数的底数不对。", "0.434 = log₁₀ e: another base of the logarithm."),
    1 / 8: ("比特算成了字节？", "Bytes for bits?"),
    8.0: ("字节算成了比特？", "Bits for bytes?"),
}
TIES = ("若是索引，先看平局：一样近的，取最小的索引。",
        "If they are indices, look at ties first: of equally near codes the lowest index wins.")
NAN = ("NaN 通常来自 0 / 0、0 · ln 0、空集的均值，或负数开方。",
       "NaN usually comes from 0 / 0, 0 · ln 0, the mean of nothing, or the root of a negative number.")


def agree(expected: Any, got: Any) -> bool:
    """Whether two results are equal but for rounding: numbers and tensors of one shape, also in tuples and dicts.

    What kind of number, of array or of sequence it is does not matter: float64, NumPy, a list for a tuple.

    >>> agree(torch.tensor([1.0, 2.0]), [1, 2.0000001]), agree(torch.zeros(2), torch.zeros(2, 1)), agree(1.0, 1.1)
    (True, False, False)
    """
    if isinstance(expected, dict):
        return isinstance(got, dict) and expected.keys() == got.keys() and all(
            agree(value, got[key]) for key, value in expected.items())
    if isinstance(expected, (tuple, list)):
        got = _sequence(got)
        return got is not None and len(expected) == len(got) and all(map(agree, expected, got))
    if expected is None or isinstance(expected, str):
        return type(expected) is type(got) and expected == got
    expected, got = tensor_of(expected), tensor_of(got)
    if expected.shape != got.shape or expected.is_complex() != got.is_complex():
        return False
    return bool(_close(expected, got).all())


def diagnose(expected: Sequence[Any], got: Sequence[Any]) -> Text | None:
    """Say in words how wrong results differ from the right ones, if some simple relation holds in every case.

    Args:
        expected: the right result of each case.
        got: the learner's, in the same order.

    Returns:
        (Chinese, English), or None where nothing simple holds, or nothing differs.

    >>> diagnose([torch.tensor([1.0, 2.0, 4.0])], [torch.tensor([3.0, 6.0, 12.0])])[1]
    'Everywhere 3 times too large.'
    >>> diagnose([1.0, 5.0], [1.0, 5.5]) is None
    True
    """
    try:
        pairs = list(zip(expected, got, strict=True))
        if not pairs or all(_holds(pairs)):
            return None
        if any(isinstance(value, (dict, tuple, list)) for value, _ in pairs):
            return _parts(pairs)
        return _array(pairs)
    except Exception:  # results of some other kind: there is nothing to say about their numbers
        return None


def difference(expected: Any, got: Any) -> tuple[Text, Text] | None:
    """The first number that differs: (its place and part, both values and the difference), each (Chinese, English).

    >>> place, values = difference(torch.tensor([[0.5], [0.25]]), torch.tensor([[0.5], [0.375]]))
    >>> place[1], values[1]
    ('[1, 0] (1 / 2)', 'expected 0.25, got 0.375: 0.125 too large')
    """
    try:
        where, expected, got = _leaf(expected, got)
        expected, got = tensor_of(expected).detach().cpu(), tensor_of(got).detach().cpu()
        if expected.shape != got.shape or expected.is_complex() or got.is_complex():
            return None
        wrong = (~_close(expected, got)).nonzero()
        if not len(wrong):
            return None
        at = tuple(wrong[0].tolist())
        a, b = expected[at].item(), got[at].item()
        place = "" if not at else f"[{', '.join(map(str, at))}]"
        of = "" if expected.numel() == 1 else f" ({len(wrong)} / {expected.numel()})"
        size_zh = size_en = ""
        if isfinite(b - a):
            size_zh = f"，{'大' if b > a else '小'}了 {abs(b - a):.3g}"
            size_en = f": {abs(b - a):.3g} too {'large' if b > a else 'small'}"
        return ((f"{where[0]}{place}{of}", f"{where[1]}{place}{of}"),
                (f"应得 {a:.9g}，得到 {b:.9g}{size_zh}", f"expected {a:.9g}, got {b:.9g}{size_en}"))
    except Exception:
        return None


def part_name(key: Any) -> Text:
    """How a part of a result is called: a dict's key, (Chinese, English) or one word; a sequence's by its number."""
    if isinstance(key, int):
        return f"第 {key + 1} 个结果", f"result {key + 1}"
    return key if isinstance(key, tuple) else (str(key), str(key))


def tensor_of(value: Any) -> Tensor:
    """A number, an array, or rows of them, as a tensor.

    Raises:
        Exception: it is none.
    """
    if isinstance(value, Tensor):
        return value
    if isinstance(value, np.ndarray):
        return torch.as_tensor(np.array(value))  # a copy: torch takes no negative strides
    rows = (Tensor, np.ndarray, list, tuple)
    if isinstance(value, (list, tuple)) and any(isinstance(part, rows) for part in value):
        return torch.stack([tensor_of(part) for part in value])
    return torch.as_tensor(value)


def _sequence(value):
    """A tuple or list, or an array whose first axis would unpack as one; else None."""
    if isinstance(value, (tuple, list)):
        return value
    return list(value) if isinstance(value, (Tensor, np.ndarray)) and value.ndim else None


def _double(value: Tensor) -> Tensor:
    return value.detach().to("cpu", torch.complex128 if value.is_complex() else torch.float64)


def _close(expected: Tensor, got: Tensor) -> Tensor:
    expected, got = _double(expected), _double(got)
    largest = expected[expected.isfinite()].abs().max().item() if expected.isfinite().any() else 0.0
    return torch.isclose(got, expected, rtol=1e-4, atol=1e-5 * largest + 1e-7, equal_nan=True)


def _holds(pairs) -> list[bool]:
    def same(expected, got):
        try:
            return agree(expected, got)
        except Exception:
            return False
    return [same(*pair) for pair in pairs]


def _parts(pairs) -> Text | None:
    """Results of several parts: which are right, and what is wrong with the first that is not."""
    named = all(isinstance(value, dict) for value, _ in pairs)
    if named:
        if not all(isinstance(got, dict) and got.keys() == value.keys() for value, got in pairs):
            return None
        keys = list(pairs[0][0])
    else:
        pairs = [(value, _sequence(got)) for value, got in pairs]
        lengths = next(((len(value), got) for value, got in pairs if got is None or len(got) != len(value)), None)
        if lengths is not None:
            number, got = lengths
            have = "1" if got is None else str(len(got))
            return (f"应返回 {number} 个结果，得到 {have} 个。", f"Expected {number} results, got {have}.")
        for order in permutations(range(len(pairs[0][0]))) if len(pairs[0][0]) <= 4 else ():
            if len({len(value) for value, _ in pairs}) == 1 and all(_holds(
                    [(value, [got[i] for i in order]) for value, got in pairs])):
                return "每个结果都对，只是次序不对。", "Each result is right, but in another order."
        keys = list(range(max(len(value) for value, _ in pairs)))
    columns = {key: [(value[key], got[key]) for value, got in pairs if named or key < len(value)] for key in keys}
    right = [key for key in keys if all(_holds(columns[key]))]
    wrong = [key for key in keys if key not in right]
    if not wrong:
        return None
    what = diagnose(*zip(*columns[wrong[0]], strict=True))
    if what is None and not right:
        return None
    (right_zh, right_en), (wrong_zh, wrong_en) = (
        [", ".join(part_name(key)[language] for key in group) for language in (0, 1)] for group in (right, wrong))
    first_zh, first_en = part_name(wrong[0])
    zh, en = (f"{right_zh}对，{wrong_zh}不对。", f"Right: {right_en}. Wrong: {wrong_en}.") if right else ("", "")
    return (zh, en) if what is None else (f"{zh}{first_zh}：{what[0]}", f"{en} {first_en}: {what[1]}".strip())


def _leaf(expected, got, where: Text = ("", "")):
    """The first part that differs, by its name: (name, expected, got)."""
    if isinstance(expected, (dict, tuple, list)):
        got = got if isinstance(expected, dict) else _sequence(got)
        for key in expected if isinstance(expected, dict) else range(len(expected)):
            if not all(_holds([(expected[key], got[key])])):
                zh, en = part_name(key)
                return _leaf(expected[key], got[key], (f"{where[0]}{zh} ", f"{where[1]}{en} "))
    return where, expected, got


def _array(pairs) -> Text | None:
    """Numbers and tensors: the first relation that holds in every case."""
    originals = []
    for value, got in pairs:
        value = tensor_of(value)  # what is expected is no numbers: nothing can be said
        try:
            originals.append((value, tensor_of(got)))
        except Exception:
            kind = type(got).__name__
            return f"这里要数或张量，得到的是 {kind}。", f"Expected numbers or a tensor, got {kind}."
    if any(got.is_complex() or value.is_complex() for value, got in originals):
        return None
    pairs = [(_double(value), _double(got)) for value, got in originals]
    if any(value.shape != got.shape for value, got in pairs):
        return _shape(pairs)
    for finding in (_special, _rounded, _constant, _rule, _order, _place):
        found = finding(originals if finding is _rounded else pairs)
        if found:
            return found
    return None


def _every(pairs, change: Callable[[Tensor], Tensor]) -> bool:
    """Whether ``change`` of the right result is the learner's, in every case."""
    return all(change(value).shape == got.shape and bool(_close(change(value), got).all()) for value, got in pairs)


def _shape(pairs) -> Text:
    value, got = next(pair for pair in pairs if pair[0].shape != pair[1].shape)
    shapes_zh, shapes_en = (f"应为 {tuple(value.shape)}，得到 {tuple(got.shape)}",
                            f"expected {tuple(value.shape)}, got {tuple(got.shape)}")
    ranks = {(value.ndim, got.ndim) for value, got in pairs}
    if len(ranks) == 1 and value.ndim == got.ndim:
        if value.ndim == 2 and _every(pairs, lambda x: x.mT):
            return f"数都对，但行列颠倒了（转置）：{shapes_zh}。", f"The right numbers, but transposed: {shapes_en}."
        for axes in permutations(range(value.ndim)) if 2 < value.ndim <= 4 else ():
            if _every(pairs, lambda x, axes=axes: x.permute(axes)):
                back = tuple(int(axis) for axis in np.argsort(axes))
                return (f"数都对，但轴的次序不对（permute{back} 就对了）：{shapes_zh}。",
                        f"The right numbers, but the axes are in another order (permute{back} mends it): "
                        f"{shapes_en}.")
    if all(value.squeeze().shape == got.squeeze().shape for value, got in pairs) and _every(
            [(value.squeeze(), got.squeeze()) for value, got in pairs], lambda x: x):
        return (f"数都对，只是多了或少了长度为 1 的轴：{shapes_zh}。",
                f"The right numbers, but an axis of length 1 is missing or too many: {shapes_en}.")
    if all(value.numel() == got.numel() for value, got in pairs) and all(
            bool(_close(value.flatten(), got.flatten()).all()) for value, got in pairs):
        return f"数都对，但形状不对：{shapes_zh}。", f"The right numbers, but in another shape: {shapes_en}."
    try:
        if _every([(value, got.broadcast_to(value.shape)) for value, got in pairs], lambda x: x):
            return f"数都对，还要广播到完整的形状：{shapes_zh}。", f"Right numbers, not yet broadcast: {shapes_en}."
    except RuntimeError:
        pass
    for axis in range(max(max(value.ndim, got.ndim) for value, got in pairs)):
        for zh, en, reduce in (("求和", "summed", torch.sum), ("取平均", "averaged", torch.mean),
                               ("取最小", "minimised", torch.amin), ("取最大", "maximised", torch.amax)):
            if all(got.ndim > axis and reduce(got, dim=axis).shape == value.shape and
                   bool(_close(value, reduce(got, dim=axis)).all()) for value, got in pairs):
                return (f"还没有沿第 {axis} 轴{zh}：{shapes_zh}。", f"Not yet {en} over axis {axis}: {shapes_en}.")
            if all(value.ndim > axis and reduce(value, dim=axis).shape == got.shape and
                   bool(_close(reduce(value, dim=axis), got).all()) for value, got in pairs):
                return (f"多沿第 {axis} 轴{zh}了一次：{shapes_zh}。", f"Also {en} over axis {axis}: {shapes_en}.")
    for zh, en, reduce in (("求和", "summed", torch.sum), ("取平均", "averaged", torch.mean)):
        if all(value.ndim == 0 and bool(_close(value, reduce(got))) for value, got in pairs):
            return f"还没有{zh}：{shapes_zh}。", f"Not yet {en}: {shapes_en}."
    return f"形状不对：{shapes_zh}。", f"The shape is wrong: {shapes_en}."


def _special(pairs) -> Text | None:
    """NaN and infinities where there should be none."""
    for name, test, why in (("NaN", torch.isnan, NAN), ("inf", torch.isinf, (
            "inf 通常来自除以 0，或 ln 0。", "Infinity usually comes from a division by 0, or ln 0."))):
        strange = [test(got) & ~test(value) for value, got in pairs]
        number, total = sum(int(places.sum()) for places in strange), sum(places.numel() for places in strange)
        if number:
            rest = all(bool(_close(value[~places], got[~places]).all()) for (value, got), places in
                       zip(pairs, strange, strict=True))
            at = next(tuple(places.nonzero()[0].tolist()) for places in strange if places.any())
            where = f"[{', '.join(map(str, at))}]" if at else ""
            zh, en = ("其余都对。", " The rest is right.") if rest and number < total else ("", "")
            return (f"{total} 个数里有 {number} 个是 {name}{f'，例如 {where} 处' if where else ''}；{zh}{why[0]}",
                    f"{number} of {total} numbers are {name}{f', such as {where}' if where else ''}.{en} {why[1]}")
    return None


def _rounded(originals) -> Text | None:
    """Right but for a dtype that cannot hold it."""
    kinds = {got.dtype for _, got in originals}
    whole = not any(got.is_floating_point() for _, got in originals)
    pairs = [(_double(value), _double(got)) for value, got in originals]
    name = str(originals[0][1].dtype).removeprefix("torch.")
    if whole and any(value.is_floating_point() for value, _ in originals):
        for change in (torch.trunc, torch.floor, torch.round, torch.ceil):
            if _every(pairs, change):
                return f"小数丢了：结果是 {name}，只留下整数。", f"The fractions are lost: the result is {name}."
    elif not whole:
        for zh, en, change in (("向下取整", "rounded down", torch.floor), ("四舍五入", "rounded", torch.round),
                               ("向上取整", "rounded up", torch.ceil)):
            if _every(pairs, change):
                return f"结果{zh}了，小数丢了。", f"The result was {en} to whole numbers."
    if kinds <= {torch.float16, torch.bfloat16} and all(
            torch.allclose(value, got, rtol=0.02, atol=0.01 * float(value.abs().max())) for value, got in pairs):
        return f"大致对，但 {name} 的有效位太少。", f"Roughly right, but {name} has too few digits."
    return None


def _constant(pairs) -> Text | None:
    """A factor or an offset: one everywhere, or one a case."""
    values, results = (torch.cat([pair[i].flatten() for pair in pairs]) for i in (0, 1))
    if len(values) < ENOUGH or not (values.isfinite().all() and results.isfinite().all()):
        return None
    if len(results.unique()) == 1 and len(values.unique()) > 1:
        return f"结果处处都是 {results[0]:.4g}。", f"The result is {results[0]:.4g} everywhere."
    factor = _factor(values, results)
    if factor is not None and _every(pairs, lambda x: factor * x):
        return _times(factor)
    if len(values.unique()) > 1:
        offset = float((results - values).median())
        if _every(pairs, lambda x: x + offset):
            zh, en = ("大", "large") if offset > 0 else ("小", "small")
            index = ("编号从 0 开始。" if offset > 0 else "", " Indices start at 0." if offset > 0 else "") if abs(
                offset) == 1 and all(bool((value == value.round()).all()) for value, _ in pairs) else ("", "")
            return f"处处{zh}了 {abs(offset):.4g}。{index[0]}", f"Everywhere {abs(offset):.4g} too {en}.{index[1]}"
    if len(pairs) > 1 and all(int((value != 0).sum()) >= ENOUGH for value, _ in pairs):
        factors = [_factor(value.flatten(), got.flatten()) for value, got in pairs]
        if None not in factors and all(bool(_close(factor * value, got).all()) for factor, (value, got) in
                                       zip(factors, pairs, strict=True)):
            said = ", ".join(f"{factor:.4g}" for factor in factors)
            return (f"每组都差一个倍数，各组不同（{said}）：是不是少除或多乘了一个个数或系数？",
                    f"Each case is off by a factor of its own ({said}): a count or coefficient to divide by, or too "
                    "many?")
        offsets = [float((got - value).median()) for value, got in pairs]
        if all(bool(_close(value + offset, got).all()) for offset, (value, got) in zip(offsets, pairs, strict=True)):
            said = ", ".join(f"{offset:.4g}" for offset in offsets)
            return (f"每组都差一个常数，各组不同（{said}）：多加了或少加了一项。",
                    f"Each case is off by a constant of its own ({said}): a term too many or too few.")
    return None


def _factor(values: Tensor, results: Tensor) -> float | None:
    firm = values.abs() > 1e-3 * values.abs().max()
    return float((results[firm] / values[firm]).median()) if firm.any() else None


def _times(factor: float) -> Text:
    if isclose(factor, -1, rel_tol=1e-3):
        return "符号处处相反。", "The sign is reversed everywhere."
    if abs(factor) < 1e-9:
        return "结果处处是 0。", "The result is 0 everywhere."
    size, sign = abs(factor), ("，符号也相反", ", with the sign reversed") if factor < 0 else ("", "")
    why = next((text for usual, text in FACTORS.items() if isclose(size, usual, rel_tol=1e-3)), ("", ""))
    times = f"{size:.4g} times too large" if size > 1 else f"{1 / size:.4g} times too small"
    return f"处处是应得的 {size:.4g} 倍{sign[0]}。{why[0]}", f"Everywhere {times}{sign[1]}. {why[1]}".strip()


RULES: tuple[tuple[Text, Callable[[Tensor], Tensor]], ...] = (
    (("多开了一次平方根。", "A square root too many."), torch.sqrt),
    (("多平方了一次，或少开了一次平方根。", "Squared once too often, or a square root is missing."), torch.square),
    (("是应得结果的倒数。", "It is the reciprocal of what is expected."), torch.reciprocal),
    (("是应得结果的自然对数：还差一次 exp。", "It is the natural logarithm of what is expected: exp is missing."),
     torch.log),
    (("是应得结果以 2 为底的对数。", "It is the base-2 logarithm of what is expected."), torch.log2),
    (("多取了一次 exp。", "One exp too many."), torch.exp),
    (("是 1 减去应得的结果。", "It is 1 minus what is expected."), lambda x: 1 - x),
    (("丢了符号：都成了绝对值。", "The signs are lost: these are absolute values."), torch.abs),
    (("负数都成了 0。", "Negative numbers have become 0."), lambda x: x.clamp(min=0)),
    (("指数用的是 2，对数用的是 e（或反过来）：两个底数要一样。",
      "Power and logarithm have different bases, 2 and e: they must be the same."), lambda x: 2 ** x.log()),
    (("指数用的是 e，对数用的是 2：两个底数要一样。",
      "Power and logarithm have different bases, e and 2: they must be the same."), lambda x: x.log2().exp()),
)


def _rule(pairs) -> Text | None:
    values = torch.cat([value.flatten() for value, _ in pairs])
    if len(values) < 2 or len(values.unique()) == 1:
        return None
    return next((text for text, change in RULES if _every(pairs, change)), None)


def _order(pairs) -> Text | None:
    """The right numbers in other places."""
    rank = pairs[0][0].ndim
    if not rank or any(value.ndim != rank for value, _ in pairs):
        return None
    if rank == 2 and all(value.shape[0] == value.shape[1] for value, _ in pairs) and _every(pairs, lambda x: x.mT):
        return "行列颠倒了（转置）。", "Rows and columns are swapped: transposed."
    for axis in range(rank):
        if _every(pairs, lambda x, axis=axis: x.flip(axis)):
            return f"沿第 {axis} 轴的次序反了。", f"In reverse order along axis {axis}."
        for step in (1, -1):
            if _every(pairs, lambda x, axis=axis, step=step: x.roll(step, axis)):
                return f"沿第 {axis} 轴错开了一格。", f"Shifted by one along axis {axis}."
    if sum(value.numel() for value, _ in pairs) >= 2 * ENOUGH and all(
            bool(_close(value.flatten().sort().values, got.flatten().sort().values).all()) for value, got in pairs):
        return "数都对，但位置不对：次序或轴弄混了。", "The right numbers in other places: order or axes mixed up."
    return None


def _place(pairs) -> Text | None:
    """Right but for some rows, columns or signs, or but for the last."""
    wrong = [~_close(value, got) for value, got in pairs]
    number, total = sum(int(places.sum()) for places in wrong), sum(places.numel() for places in wrong)
    if total < 2 * ENOUGH:
        return None
    if all(bool(_close(value.abs(), got.abs()).all()) for value, got in pairs):
        return (f"{total} 个数里有 {number} 个符号相反，其余都对。",
                f"{number} of {total} numbers have the wrong sign; the rest is right.")
    bad = [(places, got) for places, (_, got) in zip(wrong, pairs, strict=True) if places.any()]
    if number <= total / 2 and all(bool((got[places] == 0).all()) for places, got in bad):
        return (f"{total} 个数里有 {number} 个成了 0，其余都对。",
                f"{number} of {total} numbers are 0; the rest is right.")
    for zh, en, index in _ends(bad[0][0].ndim):
        if all(places.shape[0] > 1 and not _without(places, index).any() for places, _ in bad):
            return f"只有{zh}不对，其余都对。", f"Right except {en}."
    if number <= total / 4:
        ties = (TIES if all(bool((value == value.round()).all()) for pair in pairs for value in pair) else ("", ""))
        return (f"{total} 个数里有 {number} 个不对，其余都对。{ties[0]}",
                f"{number} of {total} numbers are wrong, the rest is right. {ties[1]}".strip())
    return None


def _ends(rank: int) -> Iterator[tuple[str, str, int]]:
    if rank:
        yield "第一行" if rank > 1 else "第一个", "the first" + (" row" if rank > 1 else ""), 0
        yield "最后一行" if rank > 1 else "最后一个", "the last" + (" row" if rank > 1 else ""), -1


def _without(places: Tensor, index: int) -> Tensor:
    return places[1:] if index == 0 else places[:-1]

