"""What hides an answer until its question is answered: a `<details>` element, and the rules that obey it.

A closed one hides every output that follows it in its cell, and what the text below says up to the next heading: the
conclusion. No kernel and no widget is needed to open it, so it also
works in exported HTML. Where the rules are missing (GitHub), what stands inside it is still folded.
"""

from hashlib import sha256

from vqlab.classroom.language import Text, bilingual

# An error is never hidden. Exported HTML shows folded code, so there the code that holds the reason waits, too.
STYLE = """\
<style>
.jp-OutputArea-child:has(details.vq-answer:not([open])) ~ .jp-OutputArea-child:not(:has([data-mime-type$=".error"],
  [data-mime-type$=".stderr"])) { display: none !important; }
.jp-Cell:has(details.vq-answer:not([open])) + .jp-MarkdownCell .jp-RenderedMarkdown
  > :not(:is(h1, h2, h3)):not(:is(h1, h2, h3) ~ *) { display: none !important; }
body.jp-Notebook .jp-Cell:has(details.vq-reason:not([open])) .jp-Cell-inputWrapper { display: none !important; }
details.vq-answer > summary { display: inline-block; margin: 2px; padding: 2px 12px; cursor: pointer;
  border: 1px solid var(--jp-border-color1, #bdbdbd); border-radius: 6px; color: var(--jp-ui-font-color1, #212121);
  font-family: var(--jp-ui-font-family, sans-serif); }
details.vq-answer > summary::before { content: "▸ "; }
details.vq-answer[open] > summary::before { content: "▾ "; }
details.vq-answer[open] > summary .vq-closed { display: none; }
details.vq-answer > summary:focus-visible { outline: 2px solid #0072b2; outline-offset: 2px; }
/* below an open one of its own cell, a second line to click would be too much */
.jp-OutputArea-child:has(details.vq-answer) ~ .jp-OutputArea-child details.vq-reason[open] > summary {
  display: none; }
</style>
"""
_SHOWN = ("答案", "Answer")
_HOW = ("（提交预测就会打开；也可以点这里，直接看答案）",
        "(opens once you commit your prediction; or click here: show me)")


def answer_key(question: Text) -> str:
    """Return the class that all answers to one question bear: the same in every run.

    >>> answer_key(("谁会赢？", "Who wins?"))
    'vq-to-e6c0f363'
    """
    return f"vq-to-{sha256('·'.join(question).encode()).hexdigest()[:8]}"


def answer_html(question: Text, reason: str = "", *, shown: bool = False) -> str:
    """Return the element that hides what follows it in its cell, and ``reason`` within it, until it is opened.

    Args:
        question: (Chinese, English); opening one answer opens all answers to this question in the notebook.
        reason: HTML.
        shown: open from the start.
    """
    key = answer_key(question)
    together = ("if (this.open) for (const answer of (this.closest('.jp-Notebook') || document)"
                f".querySelectorAll('details.{key}')) answer.open = true")
    return (f'<details class="vq-answer {key}{" vq-reason" if reason else ""}" ontoggle="{together}"'
            f'{" open" if shown else ""}><summary><strong>{bilingual(*_SHOWN)}</strong> '
            f'<span class="vq-closed">{bilingual(*_HOW)}</span></summary>{reason}</details>')
