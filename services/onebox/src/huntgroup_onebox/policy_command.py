"""`huntgroup policy`: a domain's queues as a file; checked, planned, applied, read and rolled back."""

import argparse
import asyncio
import getpass
import json
import shutil
import sys
import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from grpc import StatusCode

from huntgroup.event.v1.envelope_pb2 import CommandContext
from huntgroup.routing.v1.commands_pb2 import (
    ApplyPolicyRequest,
    GetPolicyRequest,
    ListPolicyVersionsRequest,
    PlanPolicyRequest,
    PlanPolicyResponse,
    RollBackPolicyRequest,
)
from huntgroup.routing.v1.service_pb2_grpc import RoutingServiceStub
from huntgroup_contracts.validation import violations
from huntgroup_onebox.addresses import addresses
from huntgroup_onebox.policy.plan_text import plan_lines
from huntgroup_onebox.policy.policy_file import placed, read_policy
from huntgroup_onebox.policy.text import file_text, file_values, version_lines
from huntgroup_onebox.verify_command import domain_name
from huntgroup_onebox.yaml_file import YamlFileError
from huntgroup_runtime.rpc.client import RpcClient, RpcRefusedError

EXIT_OK: Final = 0
EXIT_FAILED: Final = 1
EXIT_BAD_INPUT: Final = 2
TIMEOUT_MS: Final = 10_000
TARGET: Final = "127.0.0.1:7400"
VERSION_MAX: Final = 2_000_000_000
NO_POLICY: Final = "has no policy: no queue was ever configured there"
SETTINGS: Final = {"author": "--author", "reason": "--reason"}
"""Fields of a request that a setting is for."""

Work = Callable[["_Domain", argparse.Namespace], Awaitable[int]]


class _BadInputError(Exception):
    """The command line or the file cannot be used; the message says why."""


class _Domain:
    """One domain of a running system."""

    def __init__(self, client: RpcClient, name: str) -> None:
        self._stub, self._client, self._name = RoutingServiceStub(client.channel), client, name

    @property
    def name(self) -> str:
        """Tenant and domain."""
        return self._name

    async def ask(self, rpc: str, request: Any) -> Any:
        """Send a query; raises `_BadInputError` when it breaks a rule of the API."""
        request.domain = self._name
        _refuse_broken(request)
        return await self._client.call(getattr(self._stub, rpc), request, timeout_ms=TIMEOUT_MS)

    async def tell(self, rpc: str, request: Any) -> None:
        """Send a command with an id of its own."""
        context = CommandContext(domain=self._name, command_id=str(uuid.uuid4()))
        request.context.CopyFrom(context)
        await self._client.call(getattr(self._stub, rpc), request, timeout_ms=TIMEOUT_MS)


def add_parser(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "policy",
        help="check, plan, apply and roll back the queues of a domain",
        description="The format of the file: docs/reference/policy.md. Exit code 0: done; 1: the system refused or"
        " cannot be reached; 2: bad input.",
    )
    actions = verb.add_subparsers(dest="action", required=True, metavar="ACTION")
    check = actions.add_parser("check", help="find what is wrong with a file, without any system")
    check.add_argument("file", type=Path, metavar="FILE")
    check.add_argument("--json", action="store_true", help="one JSON object")
    check.set_defaults(run=run_check)
    plan = _action(actions, "plan", "say what applying a file would change now", _plan)
    apply = _action(actions, "apply", "make the queues those of a file", _apply)
    for one in (plan, apply):
        one.add_argument("file", type=Path, metavar="FILE")
    show = _action(actions, "show", "write a version of the policy as a file", _show)
    show.add_argument("--version", type=_version, help="default: the present one")
    _action(actions, "versions", "list the versions that are remembered", _versions)
    back = _action(actions, "rollback", "make the policy what it was in a version", _roll_back)
    back.add_argument("version", type=_version, metavar="VERSION")
    for one in (plan, apply, back):
        one.add_argument(
            "--applies-to-waiting",
            action="store_true",
            help="contacts that wait follow the new requirements and steps, too",
        )
    for one in (apply, back):
        one.add_argument("--yes", action="store_true", help="do not ask")
        one.add_argument("--author", default="", help="who does it; default: your user name")
        one.add_argument("--reason", default="", help="why, for those who read the versions later")


def _action(actions: Any, name: str, told: str, work: Work) -> argparse.ArgumentParser:
    action: argparse.ArgumentParser = actions.add_parser(name, help=told)
    action.add_argument(
        "--target",
        type=addresses,
        default=TARGET,
        metavar="HOST:PORT",
        help=f"routing; several replicas separated by commas; default: {TARGET}",
    )
    action.add_argument("--tenant", required=True)
    action.add_argument("--domain", required=True, help="within the tenant, for example emea")
    action.add_argument("--json", action="store_true", help="one JSON object")
    action.set_defaults(run=run, work=work)
    return action


def _version(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= VERSION_MAX:
        raise argparse.ArgumentTypeError(
            f"{text!r}: must be a whole number from 1 to {VERSION_MAX:,}"
        )
    return int(text)


def _refuse_broken(request: Message) -> None:
    """Raise `_BadInputError` that tells which settings break which rules of the API."""
    told = [
        f"{SETTINGS.get(name := one.field.rpartition('.')[2], name)} {one.value!r}: breaks the rule: {one.rule}"
        for one in violations(request)
    ]
    if told:
        raise _BadInputError("\n".join(told))


def run_check(arguments: argparse.Namespace) -> int:
    """Check a file; return the exit code."""
    try:
        request, errors = read_policy(arguments.file)
    except YamlFileError as error:
        request, errors = ApplyPolicyRequest(), [error]
    if arguments.json:
        _write_json({"queues": len(request.queues), "faults": list(map(str, errors))})
    elif not errors:
        noun = "queue" if len(request.queues) == 1 else "queues"
        sys.stdout.write(f"{arguments.file}: {len(request.queues)} {noun}, no fault\n")
    _complain(errors)
    return EXIT_BAD_INPUT if errors else EXIT_OK


def run(arguments: argparse.Namespace) -> int:
    """Do what needs a running system; return the exit code."""
    return asyncio.run(carry_out(arguments))


async def carry_out(arguments: argparse.Namespace) -> int:
    """Do it, and write what came of it; return the exit code."""
    work: Work = arguments.work
    try:
        domain = domain_name(f"{arguments.tenant}/{arguments.domain}")
        async with RpcClient(arguments.target) as client:
            return await work(_Domain(client, domain), arguments)
    except (argparse.ArgumentTypeError, _BadInputError, YamlFileError) as error:
        _complain([error])
        return EXIT_BAD_INPUT
    except RpcRefusedError as error:
        _complain([_refusal(arguments.target, error)])
        return EXIT_FAILED


def _refusal(target: str, error: RpcRefusedError) -> str:
    """Return why it was not done; without a reason nobody answered who knows routing."""
    if not error.reason and error.status is StatusCode.UNAVAILABLE:
        told = f"nobody answered within {TIMEOUT_MS // 1_000} s"
        return f"--target {target}: {told}: does routing run there? ({error.detail})"
    if not error.reason and error.status is StatusCode.UNIMPLEMENTED:
        return f"--target {target}: does not serve routing: another service answers there"
    return f"{target}: {error.reason or error.status.name}: {error.detail}"


async def _plan(domain: _Domain, arguments: argparse.Namespace) -> int:
    request = _request(arguments)
    plan = await _planned(domain, request)
    _tell_plan(plan, request, arguments)
    return _exit_code(plan, arguments)


def _exit_code(plan: PlanPolicyResponse, arguments: argparse.Namespace) -> int:
    if not plan.faults:
        return EXIT_OK
    of_file = "file" in arguments and any(one.startswith("queues[") for one in plan.faults)
    return EXIT_BAD_INPUT if of_file else EXIT_FAILED


async def _apply(domain: _Domain, arguments: argparse.Namespace) -> int:
    return await _change(domain, _signed(_request(arguments), arguments), arguments, "ApplyPolicy")


async def _roll_back(domain: _Domain, arguments: argparse.Namespace) -> int:
    request = RollBackPolicyRequest(
        version=arguments.version, applies_to_waiting=arguments.applies_to_waiting
    )
    return await _change(domain, _signed(request, arguments), arguments, "RollBackPolicy")


def _signed(request: Any, arguments: argparse.Namespace) -> Any:
    """Return the request with who asks for it, and why."""
    request.author = arguments.author or getpass.getuser()
    request.reason = arguments.reason
    return request


async def _change(domain: _Domain, request: Any, arguments: argparse.Namespace, rpc: str) -> int:
    """Plan, ask, and change what was planned, or nothing if somebody else was quicker."""
    plan = await _planned(domain, request)
    changes = bool(plan.changes or plan.vocabulary_changes)
    if not arguments.json or not changes:
        _tell_plan(plan, request, arguments)
    if plan.faults or not changes:
        return _exit_code(plan, arguments)
    if not arguments.yes and not _agreed():
        return EXIT_FAILED
    request.base_version = plan.version
    await domain.tell(rpc, request)
    if arguments.json:
        _write_json({**_values(plan), "applied": plan.version + 1})
    else:
        sys.stdout.write(f"version {plan.version + 1} holds\n")
    return EXIT_OK


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise _BadInputError("nobody can be asked here: --yes says that you agree")
    sys.stdout.write("apply this? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


async def _show(domain: _Domain, arguments: argparse.Namespace) -> int:
    policy = await domain.ask("GetPolicy", GetPolicyRequest(version=arguments.version or 0))
    if not policy.version.version:
        # An empty file would retire every queue of the domain that it is applied to.
        _complain([f"{domain.name} {NO_POLICY}"])
        return EXIT_FAILED
    if arguments.json:
        _write_json({**_values(policy.version), "policy": file_values(policy)})
    else:
        told = f"# version {policy.version.version}\n"
        sys.stdout.write(told + file_text(policy))
    return EXIT_OK


async def _versions(domain: _Domain, arguments: argparse.Namespace) -> int:
    found = await domain.ask("ListPolicyVersions", ListPolicyVersionsRequest())
    if not found.versions:
        _complain([f"{domain.name} {NO_POLICY}"])
    if arguments.json:
        _write_json({"versions": list(map(_values, found.versions))})
    else:
        sys.stdout.writelines(f"{line}\n" for line in version_lines(list(found.versions)))
    return EXIT_OK


def _request(arguments: argparse.Namespace) -> ApplyPolicyRequest:
    request, errors = read_policy(arguments.file)
    if errors:
        raise _BadInputError("\n".join(map(str, errors)))
    request.applies_to_waiting = arguments.applies_to_waiting
    return request


async def _planned(domain: _Domain, request: Any) -> PlanPolicyResponse:
    applied = isinstance(request, ApplyPolicyRequest)
    asked = PlanPolicyRequest(**{"apply" if applied else "roll_back": request})
    plan: PlanPolicyResponse = await domain.ask("PlanPolicy", asked)
    if applied and not plan.version:
        _complain([f"warning: {domain.name} {NO_POLICY}"])
    return plan


def _tell_plan(plan: PlanPolicyResponse, request: Any, arguments: argparse.Namespace) -> None:
    _complain(placed(arguments.file, plan.faults) if "file" in arguments else plan.faults)
    if arguments.json:
        _write_json(_values(plan))
    elif not plan.faults:
        width = shutil.get_terminal_size().columns
        lines = plan_lines(plan, applies_to_waiting=request.applies_to_waiting, width=width)
        sys.stdout.writelines(f"{line}\n" for line in lines)


def _values(message: Message) -> dict[str, Any]:
    values: dict[str, Any] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    if "at_ms" in values:
        values["at_ms"] = int(values["at_ms"])
    return values


def _write_json(values: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(values, ensure_ascii=False) + "\n")


def _complain(errors: Sequence[object]) -> None:
    sys.stderr.writelines(f"{error}\n" for error in errors)
