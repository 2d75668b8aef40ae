"""Boxes in the colours of an overlay, and the legend that says what these mean."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torchatlas.views.drawing.overlay import Colouring

PAPERS = {"light": "#ffffff", "paper": "#ffffff", "dark": "#0d1117"}
INKS = {"light": "#1f2328", "paper": "#000000", "dark": "#e6edf3"}
NUMBER_HUES = {"light": "#0072b2", "paper": "#0072b2", "dark": "#3d9ad6"}
NOTHING = {"light": "#d0d7de", "paper": "#8a8f96", "dark": "#323b46"}
# Okabe and Ito's hues, which colour-blind people can tell apart.
WORD_HUES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#64748b")

STEPS = 5
LEGEND_WIDTH, SWATCH, LINE, MARGIN = 190, 34, 16, 14

OUTLINED = re.compile(r'(<rect [^>]*) fill="#\w+" stroke="#\w+"')
BAR = re.compile(r'(<path d="[^"]*") fill="#\w+"(?=/>)')
WRITTEN = re.compile(r'(<text [^>]*) fill="#\w+"')
SIZED = re.compile(r'width="([\d.]+)" height="([\d.]+)"')


def tinted(svg: str, groups: list[dict[str, Any]], colouring: Colouring, theme: str) -> str:
    """Colour every closed box, those that failed apart, and put the legend below the picture.

    Args:
        svg: as the engine writes it, an element ``g`` for each group of the scene.
        groups: of the scene.
        colouring: what is said of the boxes.
        theme: that of the picture.
    """
    return _with_legend(recoloured(svg, groups, colouring, theme), colouring, theme)


def recoloured(svg: str, groups: list[dict[str, Any]], colouring: Colouring, theme: str) -> str:
    """As `tinted`, without a legend."""
    head, *parts = svg.removesuffix("</svg>\n").split("<g>")
    painted = [head]
    for part, group in zip(parts, groups, strict=True):
        tokens = {str(shape.get("fill")).partition(".")[0] for shape in group["shapes"]}
        plain = group["kind"] == "box" and not tokens & {"end", "error"}
        painted.append(_recoloured(part, group["key"], colouring, theme) if plain else part)
    return "<g>".join(painted)


def _recoloured(part: str, key: str, colouring: Colouring, theme: str) -> str:
    fill, line, bar = tint(colouring.said.get(key), colouring, theme)
    outlined = OUTLINED.sub(rf'\1 fill="{fill}" stroke="{line}"', part)
    # Small print is grey, which would not stand out on a colour.
    return BAR.sub(rf'\1 fill="{bar}"', WRITTEN.sub(rf'\1 fill="{INKS[theme]}"', outlined), count=1)


def tint(one: float | str | None, colouring: Colouring, theme: str) -> tuple[str, str, str]:
    """Fill, outline and bar; strong enough to be told apart, light enough to be written on."""
    paper = PAPERS[theme]
    if one is None:
        return paper, NOTHING[theme], NOTHING[theme]
    if isinstance(one, str):
        hue = colouring.hues.get(one) or WORD_HUES[colouring.words.index(one) % len(WORD_HUES)]
        return mix(paper, hue, 0.28), mix(paper, hue, 0.7), hue
    return _number_tint(colouring.share(one), theme)


def samples(colouring: Colouring, theme: str) -> dict[str, tuple[str, str, str]]:
    """The words that occur, or the least and the greatest number, in their colours."""
    if colouring.words or not colouring.numbers:
        return {word: tint(word, colouring, theme) for word in colouring.words}
    return {said: tint(end, colouring, theme) for said, end in zip(colouring.ends, colouring.range, strict=True)}


def _number_tint(share: float, theme: str) -> tuple[str, str, str]:
    paper, hue = PAPERS[theme], NUMBER_HUES[theme]
    return (
        mix(paper, hue, 0.03 + share * 0.5),
        mix(paper, hue, 0.35 + share * 0.45),
        mix(paper, hue, 0.2 + share * 0.8),
    )


def mix(one: str, other: str, share: float) -> str:
    """The colour that far on the way from one to another, both as #rrggbb."""
    parts = ((int(one[at : at + 2], 16), int(other[at : at + 2], 16)) for at in (1, 3, 5))
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in parts)


def _with_legend(svg: str, colouring: Colouring, theme: str) -> str:
    """Make the picture higher by the legend, and wider where that is the wider one."""
    found = SIZED.search(svg)
    if found is None:
        raise ValueError("the engine's SVG says no size")
    old_width, old_height = float(found[1]), float(found[2])
    lines = _legend(colouring, theme, old_height + MARGIN)
    width = max(old_width, LEGEND_WIDTH + 2 * MARGIN)
    height = old_height + LINE * (1 + max(2, len(colouring.words))) + 2 * MARGIN
    sized = svg.replace(found[0], f'width="{width:g}" height="{height:g}"', 2)
    sized = sized.replace(f'viewBox="0 0 {found[1]} {found[2]}"', f'viewBox="0 0 {width:g} {height:g}"', 1)
    return f"{sized}<g>{''.join(lines)}</g>\n</svg>\n"


def _legend(colouring: Colouring, theme: str, top: float) -> list[str]:
    lines = [_text(MARGIN, top + 10, colouring.name, theme, ' font-weight="bold"')]
    if not colouring.words and colouring.logarithmic:
        lines.append(_text(MARGIN + SWATCH * STEPS, top + 10, "logarithmic", theme, ' text-anchor="end"'))
    if colouring.words:
        for place, word in enumerate(colouring.words):
            y = top + LINE * (place + 1)
            lines += [_swatch(MARGIN, y, tint(word, colouring, theme)), _text(MARGIN + SWATCH + 8, y + 9, word, theme)]
    elif colouring.numbers:
        for step in range(STEPS):
            lines.append(_swatch(MARGIN + SWATCH * step, top + LINE, _number_tint(step / (STEPS - 1), theme)))
        least, greatest = colouring.ends
        lines.append(_text(MARGIN, top + 2 * LINE + 9, least, theme))
        lines.append(_text(MARGIN + SWATCH * STEPS, top + 2 * LINE + 9, greatest, theme, ' text-anchor="end"'))
    else:
        lines.append(_text(MARGIN, top + LINE + 10, "no closed box has any", theme))
    return lines


def swatch(x: float, y: float, word: str, colouring: Colouring, theme: str) -> str:
    """A sample of the colour that says a word."""
    return _swatch(x, y, tint(word, colouring, theme))


def _swatch(x: float, y: float, tint: tuple[str, str, str]) -> str:
    fill, line, _ = tint
    return f'<rect x="{x:g}" y="{y:g}" width="{SWATCH}" height="11" rx="0" fill="{fill}" stroke="{line}"/>'


def _text(x: float, y: float, said: str, theme: str, more: str = "") -> str:
    kept = "".join(sign if sign.isprintable() else " " for sign in said[:40])
    return f'<text x="{x:g}" y="{y:g}" font-size="10"{more} fill="{INKS[theme]}">{escape(kept)}</text>'
