"""Requirements as people write them: typed expressions over what an agent is, parsed, checked and put in one form.

What is true of an agent is routing's business; here is only how a requirement is written. It does no I/O, so cores may
import it.

    skill("billing") >= 3 and (lang in ("ar", "fa") or group == "interpreters") and not agent == "grace"

| term | true for an agent |
|---|---|
| `skill("billing")`, `skill("billing") >= 3` (also `> <= < == !=`) | who has it; at such a level (else: 0) |
| `lang == "ar"`, `lang in ("ar", "fa")`, `!=`, `not in` | who speaks it; one of them; none of them |
| `group == …`, `agent == …`, `attr("site") == …` and so on | of that group; of that id; with that attribute |

`or` binds least, then `and`, then `not`. Requirements that say the same in another order or with other signs are put in
one form with one text, so that their contacts stand in one class.
"""

import math
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

TEXT_MAX: Final = 1_000
DEPTH_MAX: Final = 20
LEVEL_MAX: Final = 100


class ExpressionError(ValueError):
    """A requirement that cannot be understood, or that says too little or too much; it names the character."""

    def __init__(self, text: str, at: int, why: str) -> None:
        super().__init__(f"character {at + 1}: {why}\n  {text}\n  {' ' * at}^")
        self.at = at
        self.why = why


@dataclass(frozen=True, slots=True)
class Skilled:
    """The level of a skill is at least this."""

    skill: str
    level: int

    def __str__(self) -> str:
        return f'skill("{self.skill}") >= {self.level}'


@dataclass(frozen=True, slots=True)
class Has:
    """One of the values is among the agent's: languages, groups, ids, or values of one attribute."""

    kind: str
    """lang, group, agent or attr."""
    values: tuple[str, ...]
    name: str = ""
    """Of the attribute."""

    def __str__(self) -> str:
        return self.said("==", "in")

    def said(self, one: str, several: str) -> str:
        """Return it with the signs for one value and for several."""
        what = f'attr("{self.name}")' if self.kind == "attr" else self.kind
        values = ", ".join(f'"{value}"' for value in self.values)
        return f"{what} {one} {values}" if len(self.values) == 1 else f"{what} {several} ({values})"


@dataclass(frozen=True, slots=True)
class Not:
    """The term is not true."""

    term: "Term"

    def __str__(self) -> str:
        match self.term:
            case Skilled(skill, level):
                return f'skill("{skill}") < {level}'
            case Has():
                return self.term.said("!=", "not in")
            case _:
                return f"not ({self.term})"


@dataclass(frozen=True, slots=True)
class AllOf:
    """All terms are true."""

    terms: tuple["Term", ...]

    def __str__(self) -> str:
        return " and ".join(
            f"({one})" if isinstance(one, AnyOf) else str(one) for one in self.terms
        )


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of the terms is true."""

    terms: tuple["Term", ...]

    def __str__(self) -> str:
        return " or ".join(str(one) for one in self.terms)


Term = Skilled | Has | Not | AllOf | AnyOf

Token = tuple[str, str, int]
"""Kind, text, and the place of its first character."""

TOKEN: Final = re.compile(
    r"""\s*(?:(?P<word>[a-z]+)|(?P<number>[0-9]+)|(?P<string>"[^"\\\n]*")"""
    r"|(?P<sign>[><=!]=|[><(),])|(?P<end>\Z)|(?P<nothing>.))",
    re.DOTALL,
)
READ_KEPT: Final = 2_048
"""So many requirements are not read again, those read last: as many as a change of a whole policy may have."""


def parse(text: str, *, accepted: bool = False) -> Term:
    """Return the one form of a requirement; raises `ExpressionError`, also where its own text would not be accepted.

    What was `accepted` once, and is written down, is read however long and deep it is.
    """
    if accepted:
        return _read_again(text)
    if len(text) > TEXT_MAX:
        raise ExpressionError(text[:60] + "…", 0, f"longer than {TEXT_MAX} characters")
    term = _read(text)
    if (form := str(term)) != text:
        _check_form(text, form)
    return term


def _check_form(text: str, form: str) -> None:
    """Refuse a requirement whose one form could not be written again: it may be longer and deeper than the text."""
    if len(form) > TEXT_MAX:
        why = f"longer than {TEXT_MAX} characters in its one form, which has {len(form)}"
        raise ExpressionError(text, 0, why)
    try:
        _read(form)
    except ExpressionError as error:
        raise ExpressionError(text, 0, f"{error.why} in its one form") from None


@lru_cache(maxsize=READ_KEPT)
def _read(text: str) -> Term:
    """Return what a text says; terms never change, so whoever reads the same shares them."""
    return _Parser(text, DEPTH_MAX).whole()


def _read_again(text: str) -> Term:
    """Return what a text says that was accepted once: mostly just now."""
    if len(text) <= TEXT_MAX:
        with suppress(ExpressionError):
            return _read(text)
    return _Parser(text, math.inf).whole()


@lru_cache(maxsize=1_024)
def one_form(text: str, *, accepted: bool = False) -> str:
    """Return the text of the one form of a requirement, nothing for nothing; raises `ExpressionError` as `parse`."""
    return str(parse(text, accepted=accepted)) if text.strip() else ""


def both(one: Term | None, other: Term | None) -> Term | None:
    """Return what is true where two terms are, whether or not anybody can meet it; None is no term."""
    if one is None or other is None:
        return one or other
    return _joined(AllOf, [one, other])


def leaves(term: Term) -> Iterator[Skilled | Has]:
    """Yield the terms that hold no others."""
    match term:
        case Skilled() | Has():
            yield term
        case Not(one):
            yield from leaves(one)
        case AllOf(terms) | AnyOf(terms):
            for one in terms:
                yield from leaves(one)


class _Parser:
    """Precedence climbing over tokens; every complaint knows its place."""

    def __init__(self, text: str, depth_max: float) -> None:
        self._text = text
        self._depth_max = depth_max
        self._tokens = list(self._tokenise())
        self._index = 0
        self._depth = 0

    def whole(self) -> Term:
        term = self._any()
        kind, said, at = self._next()
        if kind != "end":
            raise self._error(at, f"{said!r} is one too many: `and` or `or` joins two terms")
        return term

    def _tokenise(self) -> Iterator[Token]:
        for found in TOKEN.finditer(self._text):
            kind = str(found.lastgroup)
            said, at = found[kind], found.start(kind)
            if kind == "nothing":
                why = (
                    "this string has no end, or a backslash"
                    if said == '"'
                    else f"{said!r} begins nothing"
                )
                raise self._error(at, why)
            if kind == "end":
                break
            yield kind, said, at
        yield "end", "the end", len(self._text)

    def _error(self, at: int, why: str) -> ExpressionError:
        return ExpressionError(self._text, at, why)

    def _peek(self) -> str:
        return self._tokens[self._index][1]

    def _next(self) -> Token:
        token = self._tokens[self._index]
        if token[0] != "end":
            self._index += 1
        return token

    def _expect(self, said: str, why: str) -> None:
        kind, found, at = self._next()
        if found != said or kind == "string":
            raise self._error(at, f"{why}, not {found}")

    def _any(self) -> Term:
        terms = [self._all()]
        while self._peek() == "or":
            self._next()
            terms.append(self._all())
        return _joined(AnyOf, terms)

    def _all(self) -> Term:
        at = self._tokens[self._index][2]
        terms = [self._not()]
        while self._peek() == "and":
            self._next()
            terms.append(self._not())
        term = _joined(AllOf, terms)
        why = _impossible(term)
        if why:
            raise self._error(at, why)
        return term

    def _not(self) -> Term:
        if self._peek() != "not":
            return self._primary()
        self._deeper()
        self._next()
        term = _negated(self._not())
        self._depth -= 1
        return term

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > self._depth_max:
            raise self._error(self._tokens[self._index][2], f"nested deeper than {DEPTH_MAX}")

    def _primary(self) -> Term:
        kind, said, at = self._next()
        if said == "(" and kind == "sign":
            self._deeper()
            term = self._any()
            self._expect(")", "`)` closes what was opened")
            self._depth -= 1
            return term
        match said:
            case "skill":
                return self._skill(self._name("skill"))
            case "lang" | "group" | "agent" if kind == "word":
                return self._has(said, "")
            case "attr":
                return self._has("attr", self._name("attr"))
            case _:
                known = "skill(…), lang, group, agent, attr(…), `not` or `(`"
                raise self._error(at, f"{said} is no term: {known} comes here")

    def _name(self, what: str) -> str:
        self._expect("(", f'{what} names one in brackets, as {what}("billing")')
        name = self._string()
        self._expect(")", "`)` closes what was opened")
        return name

    def _string(self) -> str:
        kind, said, at = self._next()
        if kind != "string":
            raise self._error(at, f'a string in quotes comes here, as "ar", not {said}')
        if said == '""':
            raise self._error(at, "an empty string is nobody's")
        return said[1:-1]

    def _skill(self, skill: str) -> Term:
        sign = self._peek()
        if sign not in (">=", ">", "<=", "<", "==", "!="):
            return Skilled(skill, 1)
        self._next()
        kind, said, at = self._next()
        if kind != "number" or int(said) > LEVEL_MAX:
            raise self._error(at, f"a level is a number from 0 to {LEVEL_MAX}, not {said}")
        level = int(said)
        low, high = _levels(sign, level)
        if sign == "!=":
            return _negated(_between(skill, level, level))
        if low > high:
            raise self._error(at, "no level can ever be so")
        if (low, high) == (0, LEVEL_MAX):
            raise self._error(at, "every level is so: leave the term out")
        return _between(skill, low, high)

    def _has(self, kind: str, name: str) -> Term:
        _, sign, at = self._next()
        negated = sign in ("!=", "not")
        if sign == "not":
            _, sign, at = self._next()
        if sign in ("==", "!="):
            values = [self._string()]
        elif sign == "in":
            self._expect("(", 'a list comes here, as ("ar", "fa")')
            values = [self._string()]
            while self._peek() == ",":
                self._next()
                values.append(self._string())
            self._expect(")", "`,` or `)` comes here")
        else:
            raise self._error(at, f"== != in or `not in` comes after {kind}, not {sign}")
        term = Has(kind, tuple(sorted(set(values))), name)
        return Not(term) if negated else term


def _levels(sign: str, level: int) -> tuple[int, int]:
    """Return the lowest and the highest level that a sign lets pass."""
    match sign:
        case ">=":
            return level, LEVEL_MAX
        case ">":
            return level + 1, LEVEL_MAX
        case "<=":
            return 0, level
        case "<":
            return 0, level - 1
        case _:
            return level, level


def _between(skill: str, low: int, high: int) -> Term:
    terms: list[Term] = [Skilled(skill, low)] if low > 0 else []
    if high < LEVEL_MAX:
        terms.append(Not(Skilled(skill, high + 1)))
    return _joined(AllOf, terms)


def _negated(term: Term) -> Term:
    return term.term if isinstance(term, Not) else Not(term)


def _joined(kind: type[AllOf] | type[AnyOf], terms: list[Term]) -> Term:
    """Return terms as one: those within of the same kind taken out, each once, in the order of their texts."""
    if len(terms) == 1:
        return terms[0]
    flat = (inner for one in terms for inner in (one.terms if isinstance(one, kind) else (one,)))
    once = {str(one): one for one in flat}
    if len(once) == 1:
        return next(iter(once.values()))
    return kind(tuple(once[text] for text in sorted(once)))


def _impossible(term: Term) -> str:
    """Return why a conjunction can never be true, if that is plain to see; else nothing."""
    if not isinstance(term, AllOf):
        return ""
    least: dict[str, int] = {}
    agents: set[str] | None = None
    for one in term.terms:
        if isinstance(one, Skilled):
            least[one.skill] = max(one.level, least.get(one.skill, 0))
        elif isinstance(one, Has) and one.kind == "agent":
            agents = set(one.values) if agents is None else agents & set(one.values)
        if isinstance(one, Not) and one.term in term.terms:
            return f"nobody can ever meet this: {one.term} is asked for and ruled out"
    for one in term.terms:
        match one:
            case Not(Skilled(skill, level)) if least.get(skill, 0) >= level:
                return f'nobody can ever meet this: skill("{skill}") at least {least[skill]} and below {level}'
            case _:
                pass
    if agents is not None and not agents:
        return "nobody can ever meet this: no agent has two ids"
    return ""
