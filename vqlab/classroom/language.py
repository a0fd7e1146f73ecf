"""One notebook, two languages: the pair of texts, and the switch that hides one of them.

Chinese stands in elements with ``lang="zh"``, English in elements with ``lang="en"``. The switch is three
radio buttons and two CSS rules, without a kernel or JavaScript behind it, so it also works in exported HTML
and slides. Where it is missing (GitHub), both languages show.
"""

from html import escape

from IPython.display import display

Text = tuple[str, str]  # Chinese, English

# Unchecked radio buttons must hide nothing: every rule starts at the notebook that holds the checked one,
# for the page itself is <html lang="en">.
_SWITCH = """\
<form class="vq-lang" method="dialog" autocomplete="off" style="display:none" \
onkeydown="event.stopPropagation()" onkeypress="event.stopPropagation()">
<fieldset>
<legend>语言 · Language</legend>
<label lang="zh"><input type="radio" name="vq-lang" class="vq-lang-zh"> 中文</label>
<label lang="en"><input type="radio" name="vq-lang" class="vq-lang-en"> English</label>
<label><input type="radio" name="vq-lang" class="vq-lang-both" checked> 双语 · both</label>
</fieldset>
</form>
<p class="vq-lang-off">运行这一格，即可切换语言。· Run this cell to switch languages.</p>
<style>
.jp-Notebook:has(.vq-lang-zh:checked) [lang="en"]:not(.vq-lang *) { display: none !important; }
.jp-Notebook:has(.vq-lang-en:checked) [lang="zh"]:not(.vq-lang *) { display: none !important; }
.vq-lang-off { display: none; }
.vq-said { white-space: pre-wrap; font-family: var(--jp-code-font-family, monospace);
  font-size: var(--jp-code-font-size, 13px); }
.vq-lang { display: block !important; font-family: var(--jp-ui-font-family, sans-serif); }
.vq-lang fieldset { display: inline-flex; flex-wrap: wrap; gap: 4px 16px; margin: 2px; padding: 4px 12px 6px;
  border: 1px solid var(--jp-border-color1, #bdbdbd); border-radius: 6px; }
.vq-lang legend { padding: 0 4px; font-size: 0.85em; color: var(--jp-ui-font-color2, #616161); }
.vq-lang label { display: inline-flex; align-items: center; gap: 4px; cursor: pointer;
  color: var(--jp-ui-font-color1, #212121); }
.vq-lang input { margin: 0; accent-color: #0072b2; }
.vq-lang input:focus-visible { outline: 2px solid #0072b2; outline-offset: 2px; }
</style>
"""


class LanguageSwitch:
    """The switch 中文 · English · 双语, for the whole notebook that shows it; always prints the same.

    Args:
        more: HTML to stand beside it, in the same output.
    """

    def __init__(self, more: str = ""):
        self.more = more

    def _repr_html_(self) -> str:
        return _SWITCH + self.more

    def __repr__(self) -> str:
        return "语言 language: 中文 · English · 双语 both"


def bilingual(zh: str, en: str) -> str:
    """Return HTML with both texts, of which the switch hides one.

    >>> bilingual("码本", "codebook")
    '<span lang="zh">码本</span> <span lang="en">codebook</span>'
    """
    if zh == en:  # a number with its unit, a name: once is enough
        return escape(zh)
    return f'<span lang="zh">{escape(zh)}</span> <span lang="en">{escape(en)}</span>'


def lines(zh: str, en: str) -> str:
    """Return `bilingual` for longer texts: each language on lines of its own.

    >>> lines("码本", "codebook")
    '<div lang="zh">码本</div><div lang="en">codebook</div>'
    """
    return f'<div lang="zh">{escape(zh)}</div><div lang="en">{escape(en)}</div>'


def say(zh: str, en: str) -> None:
    """Display what a cell has found, as `print` would but in both languages, of which the switch hides one.

    The switch, which `vqlab.classroom.start` shows, also brings the letters of one width and keeps lines apart.

    Args:
        zh: one or more lines in Chinese.
        en: the same in English.
    """
    html = "".join(f'<div lang="{language}" class="vq-said">{escape(text)}</div>'
                   for language, text in (("zh", zh), ("en", en)))
    display({"text/html": html, "text/plain": f"{zh}\n{en}"}, raw=True)
