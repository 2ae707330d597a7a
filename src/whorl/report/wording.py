"""Numbers and names as words: formats, hostile text made visible, findings in plain language."""

from __future__ import annotations

import math
import unicodedata

from markupsafe import Markup

from whorl.records import Interval

MISSING = "\N{EM DASH}"
SPACE = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Arabic and Indic file names need the two joiners to read right.
JOINERS = {"\u200c", "\u200d"}


def visible(value: object) -> object:
    """Return text with every control, format or broken character replaced by a visible sign."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return "".join(map(_sign, value)) if any(map(_is_hidden, value)) else value


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in HIDDEN and character not in JOINERS


def _sign(character: str) -> str:
    if not _is_hidden(character):
        return character
    if character == "\n":
        return "\N{SYMBOL FOR NEWLINE}"
    if ord(character) < 32:
        return chr(0x2400 + ord(character))
    return f"\N{LEFT-POINTING ANGLE BRACKET}U+{ord(character):04X}\N{RIGHT-POINTING ANGLE BRACKET}"


def shorten(text: str, length: int) -> str:
    """Return visible text cut to a length with an ellipsis."""
    shown = str(visible(text))
    return shown if len(shown) <= length else shown[: length - 1].rstrip() + "…"


def number(value: float, digits: int = 3) -> str:
    """Return a decimal with a true minus sign, or a dash where there is none."""
    if not math.isfinite(value):
        return MISSING
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def whole(value: int) -> str:
    """Return a count with thousands marked."""
    return f"{value:,}"


def percent(value: float) -> str:
    """Return a share as a percentage with one decimal."""
    return f"{number(100 * value, 1)}{SPACE}%" if math.isfinite(value) else MISSING


def chance_of(value: float) -> str:
    """Return a p-value: three decimals, never 0."""
    if not math.isfinite(value):
        return MISSING
    return "<" + SPACE + "0.001" if value < 0.001 else number(value)


def interval(value: Interval) -> str:
    """Return an estimate with its interval in brackets."""
    return f"{number(value.estimate)} [{number(value.low)}, {number(value.high)}]"


def interval_percent(value: Interval) -> str:
    """Return a share with its interval, in percent."""
    low, high = number(100 * value.low, 1), number(100 * value.high, 1)
    return f"{percent(value.estimate)} [{low}, {high}]"


def detectable(auc: float) -> str:
    """Say what the smallest leak was that the audit could have noticed."""
    if not math.isfinite(auc) or auc >= 1:
        return (
            "The smallest AUC this audit could have detected: none. With so few pictures even a "
            "complete leak could have gone unnoticed."
        )
    return (
        f"The smallest AUC this audit could have detected: {number(auc)}. That is an attack which "
        f"ranks a member picture above a holdout picture {percent(auc)} of the time, where guessing "
        f"gives {percent(0.5)}. Four such audits in five would have noticed it; "
        "a weaker leak may have gone unseen."
    )


def noticeable(auc: float) -> str:
    """Say the same in a line."""
    if not math.isfinite(auc) or auc >= 1:
        return (
            "The smallest AUC this audit could have detected: none. Even a complete leak could go unnoticed."
        )
    return (
        f"The smallest AUC this audit could have detected: {number(auc)}. A weaker leak may have gone unseen."
    )


def rarity(share: float, holdout: int) -> str:
    """Say how many holdout pictures score as high as an exposed one."""
    if not math.isfinite(share):
        return "Rarity among holdout pictures not known"
    if holdout < 1:
        return f"{percent(share)} of holdout pictures score this high"
    hits = round(share * holdout)
    if hits == 0:
        return f"None of the {whole(holdout)} holdout pictures scores this high"
    if hits * 10 <= holdout or hits == 1:
        return f"1 in {whole(round(holdout / hits))} holdout pictures scores this high"
    return f"{whole(hits)} of {whole(holdout)} holdout pictures score this high"


def pictures_counted(count: int) -> str:
    """Return a count of pictures with the right noun."""
    return f"{whole(count)} picture" if count == 1 else f"{whole(count)} pictures"
