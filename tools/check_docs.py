"""Check the Markdown pages: links lead to a file or a heading, shown commands can be run, nothing is left to fill in.

A command is one of `make` (its verb must exist) or of `huntgroup` (its arguments must be ones that the real parser
takes), also when `make VERB ARGS="…"` passes them on. It looks only at the repository and never at the network.
"""

import argparse
import io
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
FENCE = re.compile(r"^(```|~~~)(\w*).*?\n(.*?)^\1\s*$", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`[^`\n]*`")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
COMMAND = re.compile(r"`((?:make|huntgroup) [^`\n]+)`")
VERB = re.compile(r"^([a-z-]+):.*## .*$", re.MULTILINE)
PASSED_ON = re.compile(r"^([a-z-]+):.*\n\t@\$\(HUNTGROUP\) ([a-z]+) \$\(ARGS\)$", re.MULTILINE)
PLACEHOLDER = re.compile(
    r"\b(?:TODO|TBD|FIXME|XXX)\b|\blorem ipsum\b|\bcoming soon\b"
    r"|\bto be (?:measured|written|defined|decided|announced|added|filled in|done)\b",
    re.IGNORECASE,
)
EXTERNAL = re.compile(r"^[a-z][a-z0-9+.-]*:")
ASSIGNMENT = re.compile(r"[A-Z_]+=.*")
WORD = re.compile(r"[a-z-]+")
ENDS = frozenset({"|", "||", "&", "&&", ";", ">", ">>", "<", "…"})

Parse = Callable[[Sequence[str]], str]
"""Returns why `huntgroup` would not take these arguments; empty when it would."""


def main() -> int:
    """Print every broken link, every command that could not be run and every placeholder; 1 if there is one."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = Commands(makefile, huntgroup_parser())
    found = pages()
    faults = [
        f"{page.relative_to(ROOT)}: {fault}"
        for page in found
        for fault in (
            *broken_links(page),
            *commands.faults(page.read_text(encoding="utf-8")),
            *placeholders(page.read_text(encoding="utf-8")),
        )
    ]
    print(
        "\n".join([*faults, f"{len(found)} pages, {commands.seen} commands, {len(faults)} faults"])
    )
    if commands.skipped:
        print(f"{commands.skipped} commands of huntgroup were not looked at: it cannot be imported")
    return 1 if faults else 0


def pages() -> list[Path]:
    """Return the pages that git knows or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    names = sorted({name for name in listed.stdout.decode().split("\0") if name})
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def broken_links(page: Path) -> list[str]:
    """Return the links of a page that lead nowhere."""
    text = INLINE_CODE.sub("", FENCE.sub("", page.read_text(encoding="utf-8")))
    faults = []
    for target in LINK.findall(text):
        if EXTERNAL.match(target):
            continue
        path, _, anchor = target.partition("#")
        goal = (page.parent / path).resolve() if path else page
        if not goal.exists():
            faults.append(f"no such file: {target}")
        elif anchor and goal.suffix == ".md" and anchor not in anchors(goal):
            faults.append(f"no such heading: {target}")
    return faults


def placeholders(text: str) -> list[str]:
    """Return what stands where something is still to come; what is written as code is not looked at."""
    prose = INLINE_CODE.sub("", FENCE.sub("", text))
    return [f"a placeholder: {found}" for found in PLACEHOLDER.findall(prose)]


def anchors(page: Path) -> set[str]:
    """Return the anchors that a page's headings make, as the usual Markdown hosts do."""
    found: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        count = 0
        unique = slug
        while unique in found:
            count += 1
            unique = f"{slug}-{count}"
        found.add(unique)
    return found


class Commands:
    """The commands that pages show."""

    def __init__(self, makefile: str, parse: Parse | None) -> None:
        self._verbs = set(VERB.findall(makefile))
        self._passed_on = dict(PASSED_ON.findall(makefile))
        self._parse = parse
        self.seen = 0
        self.skipped = 0

    def faults(self, text: str) -> list[str]:
        """Return the commands in `text` that could not be run, and why."""
        found = []
        for words in shown_commands(text):
            self.seen += 1
            why = self._fault(words)
            if why:
                found.append(f"{shlex.join(words)}: {why}")
        return found

    def _fault(self, words: Sequence[str]) -> str:
        tool, *rest = words
        if Path(tool).name == "huntgroup":
            return self._huntgroup(rest)
        verbs = [word for word in rest if WORD.fullmatch(word)]
        unknown = set(verbs) - self._verbs
        if unknown:
            return f"no such verb: {', '.join(sorted(unknown))}"
        passed = [word.removeprefix("ARGS=") for word in rest if word.startswith("ARGS=")]
        if passed and len(verbs) == 1 and verbs[0] in self._passed_on:
            return self._huntgroup([self._passed_on[verbs[0]], *shlex.split(passed[0])])
        return ""

    def _huntgroup(self, arguments: Sequence[str]) -> str:
        if self._parse is None:
            self.skipped += 1
            return ""
        return self._parse(arguments)


def shown_commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each command of `make` or `huntgroup`: on a line of a `sh` block, or inline as code."""
    for _, language, block in FENCE.findall(text):
        if language == "sh":
            for line in block.replace("\\\n", " ").splitlines():
                yield from simple_commands(line)
    for line in COMMAND.findall(FENCE.sub("", text)):
        yield from simple_commands(line)


def simple_commands(line: str) -> Iterator[list[str]]:
    """Yield the commands of ours in a line of shell, without what stands before and after them."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:
        return  # not a whole command: a quotation goes on
    command: list[str] = []
    for word in [*words, ";"]:
        if word not in ENDS:
            if command or not ASSIGNMENT.fullmatch(word):
                command.append(word)
            continue
        if command and Path(command[0]).name in {"make", "huntgroup"}:
            yield command
        command = []


def huntgroup_parser() -> Parse | None:
    """Return what parses the arguments of `huntgroup`, or None when it cannot be imported."""
    try:
        from huntgroup_onebox.cli import parser  # noqa: PLC0415 - slow, and perhaps not there
    except ImportError:
        return None
    return lambda arguments: refused(parser(), arguments)


def refused(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> str:
    """Return why the parser takes no such arguments; empty when it does."""
    told = io.StringIO()
    try:
        with redirect_stderr(told), redirect_stdout(io.StringIO()):
            parser.parse_args(arguments)
    except SystemExit as end:
        return told.getvalue().strip().splitlines()[-1] if end.code else ""
    return ""


if __name__ == "__main__":
    sys.exit(main())
