"""The words of an HTML text, in one pass over it.

A parser that builds the tree needs minutes for tags nested ten thousand deep, and anybody can send such a mail. Nothing
here looks back: the time is that of the text's length, whatever is in it. What comes out is text and shown as text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

MAX_HTML = 1_000_000
"""Characters that are read; a mail with its pictures inside can be longer, its words are not."""

_NAME = re.compile(r"<(/?)([a-zA-Z][^\s/>]{0,30})", re.ASCII)
_REST = re.compile(r"""(?:[^>=]++|=\s*+"[^"]*+"|=\s*+'[^']*+'|=)*+>""", re.ASCII)
"""To the end of a tag: a > between quotes is part of a value."""
_BLOCKS = frozenset({"p", "div", "li", "tr", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "pre"})
_CELLS = frozenset({"td", "th"})
_HIDDEN = {name: re.compile(rf"</{name}", re.IGNORECASE) for name in ("script", "style", "template", "title")}
_BLANK_LINES = re.compile(r"\n{3,}")


def html_to_text(markup: str) -> str:
    """The words of an HTML text: blocks on lines of their own, scripts and styles gone, entities as characters.

    A tag or comment that never ends takes the rest with it, as in a browser.
    """
    words = html.unescape("".join(_pieces(markup[:MAX_HTML]))).replace("\xa0", " ")
    return _BLANK_LINES.sub("\n\n", "\n".join(line.strip() for line in words.split("\n"))).strip()


def _pieces(text: str) -> Iterator[str]:
    at = 0
    new_line = True
    while (start := text.find("<", at)) >= 0:
        words = text[at:start]
        new_line = new_line and not words.strip()
        yield words
        tag = _NAME.match(text, start)
        if tag is not None:
            closed, name = bool(tag[1]), tag[2].lower()
            mark = _mark(name, closed, new_line)
            new_line = new_line or mark == "\n"
            yield mark
            end = _end_of_tag(text, tag.end(), "" if closed else name)
        elif text[start + 1 : start + 2] in ("!", "?", "/"):
            end = _end_of_note(text, start)
        else:
            yield "<"
            new_line, end = False, start + 1
        if end < 0:
            return
        at = end
    yield text[at:]


def _mark(name: str, closed: bool, new_line: bool) -> str:
    """What a tag puts between the words: a block that begins within a line ends it, for not all are closed."""
    if name == "br" or (name in _BLOCKS and (closed or not new_line)):
        return "\n"
    return " " if closed and name in _CELLS else ""


def _end_of_tag(text: str, at: int, opened: str) -> int:
    """Where the text goes on behind a tag, and behind what a hidden element holds; -1 where it does not."""
    rest = _REST.match(text, at)
    if rest is None:
        return -1
    if opened in _HIDDEN:
        closing = _HIDDEN[opened].search(text, rest.end())
        return closing.start() if closing else -1
    return rest.end()


def _end_of_note(text: str, start: int) -> int:
    """Where the text goes on behind a comment, a doctype or the like; -1 where it does not."""
    mark = "-->" if text.startswith("<!--", start) else ">"
    end = text.find(mark, start + 2)
    return end + len(mark) if end >= 0 else -1
