"""Check the Markdown pages: relative links lead to a file, anchors to a heading, `make` verbs exist.

It looks only at what is in the repository and never at the network.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`[^`\n]*`")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
MAKE = re.compile(r"(?:`|^\s*\$?\s*)make ([a-z][a-z-]*)", re.MULTILINE)
EXTERNAL = re.compile(r"^[a-z][a-z0-9+.-]*:")


def main() -> int:
    """Print every broken link and unknown verb; 1 if there is one."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.md"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    names = sorted({name for name in listed.stdout.decode().split("\0") if name})
    pages = [ROOT / name for name in names if (ROOT / name).is_file()]
    verbs = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    faults = [
        fault for page in pages for fault in (*broken_links(page), *unknown_verbs(page, verbs))
    ]
    print("\n".join([*faults, f"{len(pages)} pages, {len(faults)} faults"]))
    return 1 if faults else 0


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
            faults.append(f"{page.relative_to(ROOT)}: no such file: {target}")
        elif anchor and goal.suffix == ".md" and anchor not in anchors(goal):
            faults.append(f"{page.relative_to(ROOT)}: no such heading: {target}")
    return faults


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


def unknown_verbs(page: Path, verbs: set[str]) -> list[str]:
    """Return the `make` verbs that a page names and the Makefile does not have."""
    named = MAKE.findall(page.read_text(encoding="utf-8"))
    return [
        f"{page.relative_to(ROOT)}: no such verb: make {verb}"
        for verb in sorted(set(named) - verbs)
    ]


if __name__ == "__main__":
    sys.exit(main())
