"""Reading a handle by its sound, where it spells the contact's name otherwise."""

from __future__ import annotations

from connector.domain.matching.alignment import NOTHING, STRONG, Alignment
from connector.domain.matching.names import PET, NameForms
from connector.domain.matching.similarity import alike
from connector.domain.matching.sounds import has_vowels, sounds, vowels_too
from connector.domain.matching.view import ProfileView, core_of

_ALIKE = 0.7
"""A spelling less like the contact's than this is another name with the same consonants."""


def as_heard(view: ProfileView, forms: NameForms, reading: Alignment) -> Alignment:
    """A reading by consonants, where the spelling leaves letters over and the consonants are all the contact's."""
    letters = view.handle.letters
    if not view.heard or reading.pattern in STRONG or (reading.last and not reading.left):
        return reading
    parts = heard_in(forms, (view.heard,)).get(view.heard)
    if parts is None:
        return reading
    core, name = core_of(letters), "".join(parts)
    at = letters.find(core)
    marks = [mark - at for mark in view.handle.starts if at < mark < at + len(core)]
    if len(marks) == 1 and (sounds(core[: marks[0]]), sounds(core[marks[0] :])) != tuple(map(sounds, parts)):
        return reading
    if has_vowels(name) and alike(core, name) < _ALIKE:
        return reading
    gaps = (letters[:at], "", letters[at + len(core) :])
    pattern = "spelt" if vowels_too(core) == vowels_too(name) else "heard"
    return NOTHING._replace(pattern=pattern, first=core, gaps=gaps, first_at=at)


def heard_in(forms: NameForms, asked: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    """Those of the consonants asked for that are first and last name in either order, and the two as they are spelt."""
    firsts = [form for form, kind in forms.firsts[:4] if kind < PET and sounds(form)]
    lasts = [form for form, _ in forms.lasts[:2] if sounds(form)]
    pairs = [pair for first in firsts for last in lasts for pair in ((first, last), (last, first))]
    # Where two words meet a consonant may sound otherwise; the rest of the second must be there.
    near = [pair for pair in pairs if any(each.endswith(sounds(pair[1])[1:]) for each in asked)]
    return {heard: pair for pair in near if (heard := sounds("".join(pair))) in asked}
