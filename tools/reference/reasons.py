"""Which reasons a call can be refused with: followed through the code from its handler, without running it.

A function is followed into everything that it names, so a reason that only another caller of a shared function can
meet is found as well; `reasons.toml` says which these are. What a name means is known by convention: the members of
`Reason`, `RpcRefusedError(status, reason, …)`, `NotFoundError(reason, …)`, and one arm of `decide` for each command.
"""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path

from huntgroup_runtime.rpc import errors

FRAME = "huntgroup_runtime.rpc"
HANDLERS = frozenset({"query", "unary", "unary_stream", "stream_unary", "stream_stream"})
"""The methods of `RpcApi` that name the function which serves an rpc; `command` names a command instead."""
UNNAMED_STATUS = "FAILED_PRECONDITION"
"""What `RpcApi` answers with when a service names no status for a reason."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True, order=True)
class Refusal:
    """A reason and the status that it comes with."""

    reason: str
    status: str


@dataclass(slots=True)
class Part:
    """What a piece of code says by itself, and the names that it leads to."""

    refusals: set[Refusal] = field(default_factory=set)
    leads_to: set[str] = field(default_factory=set)

    def add(self, other: "Part") -> None:
        """Say what `other` says, too."""
        self.refusals |= other.refusals
        self.leads_to |= other.leads_to


class Code:
    """The functions of one package: `f`, `C.f` for what is called on self, `case C` for an arm of `decide`."""

    def __init__(self, package: str, statuses: Mapping[str, str]) -> None:
        self.parts: dict[str, Part] = {}
        self._statuses = statuses
        self._texts = {name: text for name, text in vars(errors).items() if isinstance(text, str)}
        self._handlers: dict[str, list[str]] = {}
        (folder,) = import_module(package).__path__
        modules = [ast.parse(path.read_text()) for path in sorted(Path(folder).rglob("*.py"))]
        for module in modules:
            self._texts |= dict(_constants(module))
        for module in modules:
            self._take(module)

    def refusals(self, rpc: str) -> set[Refusal]:
        """Return what a call of `rpc` can be refused with."""
        todo = list(self._handlers.get(rpc, [f"case {rpc}"]))
        if not any(name in self.parts for name in todo):
            raise ValueError(f"nothing serves {rpc}: there is no {todo}")
        found, seen = set[Refusal](), set[str]()
        while todo:
            name = todo.pop()
            if name in self.parts and name not in seen:
                seen.add(name)
                found |= self.parts[name].refusals
                todo += self.parts[name].leads_to
        return found

    def _take(self, module: ast.Module) -> None:
        for owner, function in _functions(module):
            part = self._read(function, owner)
            for name in (function.name, f"{owner}.{function.name}"):
                self.parts.setdefault(name, Part()).add(part)
            if function.name == "decide" and not owner:
                self._take_arms(function)
        for node in ast.walk(module):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr=kind), args=[ast.Constant(value=str(rpc)), handler]
                ) if kind in HANDLERS:
                    named = [handler, *(keyword.value for keyword in node.keywords)]
                    self._handlers[rpc] = [_last_name(each) for each in named]
                case _:
                    pass

    def _take_arms(self, decide: Function) -> None:
        for node in ast.walk(decide):
            match node:
                case ast.match_case(pattern=ast.MatchClass(cls=ast.Name(id=command)), body=body):
                    self.parts[f"case {command}"] = self._read(ast.Module(body, []), "")
                case _:
                    pass

    def _read(self, code: ast.AST, owner: str) -> Part:
        part = Part()
        for node in ast.walk(code):
            match node:
                case ast.Attribute(value=ast.Name(id="Reason"), attr=reason):
                    part.refusals.add(Refusal(reason, self._statuses[reason]))
                case ast.Attribute(value=ast.Name(id="self"), attr=name):
                    part.leads_to.add(f"{owner}.{name}")
                case ast.Attribute(attr=name):
                    part.leads_to.add(name)
                case ast.Name(id=name):
                    part.leads_to |= {name, f"case {name}"}
                case ast.Call(func=ast.Name(id="NotFoundError"), args=[reason, *_]):
                    self._say(part, {"NOT_FOUND"}, reason)
                case ast.Call(func=ast.Name(id="RpcRefusedError"), args=[status, reason, *_]):
                    self._say(part, _statuses(status, code), reason)
                case _:
                    pass
        return part

    def _say(self, part: Part, statuses: set[str], reason: ast.expr) -> None:
        text = reason.value if isinstance(reason, ast.Constant) else None
        text = text or self._texts.get(_last_name(reason))
        part.refusals |= {Refusal(str(text), status) for status in statuses if text}


@cache
def code_of(service: str) -> Code:
    """Return the code of a service."""
    package = f"huntgroup_{service.replace('-', '_')}"
    return Code(package, statuses_of(service))


def statuses_of(service: str) -> dict[str, str]:
    """Return the status of each member of a service's `Reason`."""
    package = f"huntgroup_{service.replace('-', '_')}"
    mapped = import_module(f"{package}.adapters.mapping").STATUSES
    members = import_module(f"{package}.core.messages").Reason
    return {str(one): mapped[one].name if one in mapped else UNNAMED_STATUS for one in members}


@cache
def frame_refusals() -> frozenset[Refusal]:
    """Return what any call of any service can be refused with."""
    parts = Code(FRAME, {}).parts.values()
    shed = {Refusal(reason, "RESOURCE_EXHAUSTED") for reason in errors.SHED}
    return frozenset(refusal for part in parts for refusal in part.refusals) | shed


def _functions(node: ast.AST, owner: str = "") -> Iterator[tuple[str, Function]]:
    """Yield every function with the class it is in."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield owner, child
        yield from _functions(child, child.name if isinstance(child, ast.ClassDef) else owner)


def _constants(module: ast.Module) -> Iterator[tuple[str, str]]:
    for node in module.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=str(text))):
                yield name, text
            case _:
                pass


def _statuses(status: ast.expr, code: ast.AST) -> set[str]:
    """Return the names of the status, also when the code around it gives it a name of its own first."""
    match status:
        case ast.Attribute(value=ast.Name(id="StatusCode") | ast.Attribute(attr="StatusCode")):
            return {status.attr}
        case ast.Name(id=name):
            return {
                found
                for node in ast.walk(code)
                if isinstance(node, ast.Assign) and _last_name(node.targets[0]) == name
                for found in _statuses(node.value, ast.Module([], []))
            }
        case _:
            return set()


def _last_name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""
