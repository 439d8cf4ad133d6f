"""What stands in Python source beside the code: the docstrings of constants and fields, and the headings above them."""

import ast
import inspect
import re
from collections.abc import Iterator
from typing import Any

HEADING = re.compile(r"^    # (.+)\.$")


def documented(body: ast.Module | ast.ClassDef) -> dict[str, str]:
    """Return the string below each assignment of a module or class, where there is one."""
    found = {}
    for statement, after in zip(body.body, body.body[1:], strict=False):
        match statement, after:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                found[name] = " ".join(text.split())
            case _:
                pass
    return found


def class_source(cls: type[Any]) -> ast.ClassDef:
    """Return the syntax tree of a class."""
    (node,) = ast.parse(inspect.getsource(cls)).body
    assert isinstance(node, ast.ClassDef)
    return node


def headings(cls: type[Any]) -> dict[str, str]:
    """Return the comment `# Words.` that stands above each field of a class, or above the ones before it."""
    lines = inspect.getsource(cls).splitlines()
    heading, found = "", {}
    fields = {
        node.lineno: node.target.id
        for node in class_source(cls).body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    for number, line in enumerate(lines, start=1):
        if comment := HEADING.match(line):
            heading = comment[1]
        elif number in fields:
            found[fields[number]] = heading
    return found


def raised_sentences(cls: type[Any]) -> Iterator[str]:
    """Yield what the validators of a class say when fields do not fit together."""
    for node in ast.walk(class_source(cls)):
        match node:
            case ast.Raise(exc=ast.Call(args=[ast.Constant(value=str(text))])):
                yield text
            case _:
                pass
