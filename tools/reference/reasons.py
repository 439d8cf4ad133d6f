"""Which reasons a call can be refused with: followed through the code from its handler, without running it.

A function is followed into everything that it names, so a reason that only another caller of a shared function can
meet is found as well; `reasons.toml` says which these are. A name is looked up where Python would: in its module, or
where that imports it from; a method of any other object than self may be that of any class. What else a name means is
known by convention: the members of `Reason`, `RpcRefusedError(status, reason, …)`, `NotFoundError(reason, …)`, and one
arm of `decide` for each command.
"""

import ast
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from pathlib import Path

from huntgroup_runtime.rpc import errors

FRAME = "huntgroup_runtime.rpc"
HANDLERS = frozenset({"query", "unary", "unary_stream", "stream_unary", "stream_stream"})
"""The methods of `RpcApi` that name the function which serves an rpc; `command` names a command instead."""
UNNAMED_STATUS = "FAILED_PRECONDITION"
"""What `RpcApi` answers with when a service names no status for a reason."""

OF_CONTAINERS = frozenset(name for kind in (dict, list, set, str, bytes) for name in dir(kind))
"""What anything may be asked: nothing is refused by it."""

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


@dataclass(frozen=True, slots=True)
class Scope:
    """What the names of a module mean: functions as `module:name`, modules as `module:`."""

    module: str
    names: Mapping[str, str]
    owner: str = ""
    """The class around."""

    def of_self(self, name: str) -> str:
        """Return what self has by a name."""
        return f"{self.module}:{self.owner}.{name}"

    def of(self, base: ast.expr, name: str) -> str:
        """Return what something else has by a name: a module's function, or a method of whatever class."""
        module = self.names.get(base.id, "") if isinstance(base, ast.Name) else ""
        if module.endswith(":"):
            return f"{module}{name}"
        return "" if name in OF_CONTAINERS else f".{name}"


class Code:
    """The functions of one package: `module:f`, `module:C.f` and `.f` for methods, `case C` for an arm of `decide`."""

    def __init__(self, package: str, statuses: Mapping[str, str]) -> None:
        self.parts: dict[str, Part] = {}
        self._statuses = statuses
        self._texts = {name: text for name, text in vars(errors).items() if isinstance(text, str)}
        self._handlers: dict[str, list[str]] = {}
        (folder,) = import_module(package).__path__
        modules = {
            _module_name(package, path.relative_to(folder)): ast.parse(path.read_text())
            for path in sorted(Path(folder).rglob("*.py"))
        }
        for module in modules.values():
            self._texts |= dict(_constants(module))
        for name, module in modules.items():
            self._take(module, Scope(name, dict(_names(name, module, modules.keys()))))

    def refusals(self, rpc: str) -> set[Refusal]:
        """Return what a call of `rpc` can be refused with."""
        todo = list(self._handlers.get(rpc, [f"case {rpc}"]))
        if not any(name in self.parts for name in todo):
            raise ValueError(f"nothing serves {rpc}: there is no {todo}")
        found, seen = set[Refusal](), set[str]()
        while todo:
            name = todo.pop()
            if name not in self.parts and "." in name.partition(":")[2]:
                name = f".{name.rpartition('.')[2]}"  # inherited
            if name in self.parts and name not in seen:
                seen.add(name)
                found |= self.parts[name].refusals
                todo += self.parts[name].leads_to
        return found

    def _take(self, module: ast.Module, scope: Scope) -> None:
        for owner, function in _functions(module):
            within = replace(scope, owner=owner)
            part = self._read(function, within)
            names = [within.of_self(function.name), f".{function.name}"] if owner else []
            for name in names or [f"{scope.module}:{function.name}"]:
                self.parts.setdefault(name, Part()).add(part)
            if function.name == "decide" and not owner:
                self._take_arms(function, scope)
        for node in ast.walk(module):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr=kind), args=[ast.Constant(value=str(rpc)), handler]
                ) if kind in HANDLERS:
                    named = [handler, *(keyword.value for keyword in node.keywords)]
                    self._handlers[rpc] = [
                        name for each in named for name in self._read(each, scope).leads_to
                    ]
                case _:
                    pass

    def _take_arms(self, decide: Function, scope: Scope) -> None:
        for node in ast.walk(decide):
            match node:
                case ast.match_case(pattern=ast.MatchClass(cls=ast.Name(id=command)), body=body):
                    self.parts[f"case {command}"] = self._read(ast.Module(body, []), scope)
                case _:
                    pass

    def _read(self, code: ast.AST, scope: Scope) -> Part:
        part = Part()
        for node in ast.walk(code):
            match node:
                case ast.Attribute(value=ast.Name(id="Reason"), attr=reason):
                    part.refusals.add(Refusal(reason, self._statuses[reason]))
                case ast.Attribute(value=ast.Name(id="self"), attr=name):
                    part.leads_to.add(scope.of_self(name))
                case ast.Attribute(value=base, attr=name):
                    part.leads_to.add(scope.of(base, name))
                case ast.Name(id=name):
                    part.leads_to.add(scope.names.get(name, name))
                case ast.Call(func=ast.Name(id="NotFoundError"), args=[reason, *_]):
                    self._say(part, {"NOT_FOUND"}, reason)
                case ast.Call(func=ast.Name(id="RpcRefusedError"), args=[status, reason, *_]):
                    self._say(part, _statuses(status, code), reason)
                case ast.Call(func=ast.Name(id=command)):
                    part.leads_to.add(f"case {command}")
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


def _module_name(package: str, path: Path) -> str:
    steps = path.with_suffix("").parts
    return ".".join((package, *(steps[:-1] if steps[-1] == "__init__" else steps)))


def _names(name: str, module: ast.Module, modules: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield what the names of a module mean that it defines, or imports from others of the package."""
    for owner, function in _functions(module):
        if not owner:
            yield function.name, f"{name}:{function.name}"
    for node in ast.walk(module):
        if not isinstance(node, ast.ImportFrom):
            continue
        for alias in node.names:
            known, whole = alias.asname or alias.name, f"{node.module}.{alias.name}"
            if whole in modules:
                yield known, f"{whole}:"
            elif node.module in modules:
                yield known, f"{node.module}:{alias.name}"


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
