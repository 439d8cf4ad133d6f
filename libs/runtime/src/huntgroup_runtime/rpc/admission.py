"""Who is let in when not everybody can be: decided before any work is done, by rules that a caller can be told.

Pure: time is handed in, nothing waits, nothing is random. For each domain and each tenant there is a token bucket and a
bound on commands that wait for their answer; half of both is kept for contacts in progress. Beside these fixed bounds a
standing queue, however it comes about, sheds new work: what waited longer than a target for longer than an interval is
more than a burst (the rule of CoDel, Nichols and Jacobson 2012). While one stands, new work is still taken from domains
that had less than an equal share of the last seconds, so that a noisy one cannot shut its neighbours out.
"""

import enum
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from huntgroup_eventlog.application import NEW_SHARE
from huntgroup_runtime.rpc import errors

READ_PATIENCE: Final = 4
"""Reads are shed at so many times the delay at which new work is."""
RECENT_S: Final = 10.0
"""After a standing queue has gone, the next one is believed at once for so long."""
TRICKLE_PER_S, TRICKLE_PART = 1, 10
"""While a queue stands, a tenth of what was let in in the second before is let in all the same, one at least."""
OVERLOADED_RETRY_MS: Final = 1_000
RETRY_MS_MIN, RETRY_MS_MAX = 50, 5_000
TOLD_STEP_MS: Final = 10
"""Times are told in such steps: what is told to many is then the same for many, and its answer made once."""
ACCOUNTS_MAX: Final = 10_000
"""Domains, and tenants, of which buckets are kept."""
FORGET_LOOKS_MAX: Final = 8
"""Accounts that are looked at to make room for one more."""
_MILLIS: Final = 1_000


class Work(enum.StrEnum):
    """What a call is to the contact centre; the contract declares it for each rpc (`huntgroup.event.v1.work`)."""

    NEW = "new"
    """It brings work in, or can wait: shed first."""
    READ = "read"
    """It changes nothing."""
    IN_PROGRESS = "in-progress"
    """It serves contacts and agents that are here already: taken as long as anything is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionLimits:
    """The bounds of one service in one process."""

    domain_commands_per_s: int
    domain_burst: int
    tenant_commands_per_s: int
    tenant_burst: int
    domain_waiting_max: int
    tenant_waiting_max: int
    delay_target_s: float
    """0: nothing is shed for a delay."""
    accounts_max: int = ACCOUNTS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Shed:
    """Why a call is not let in."""

    reason: str
    bound: str
    """What was reached, with its number, for people."""
    setting: str
    """The setting that says so; empty for a fixed bound."""
    retry_after_ms: int


class StandingQueue:
    """Tells a queue that stands from one that passes."""

    def __init__(self, target_s: float) -> None:
        self._target_s = target_s
        self._above_since_s: float | None = None
        self._standing_s = float("-inf")
        """When it stood last."""

    def observe(self, delay_s: float, now_s: float) -> bool:
        """Return whether a queue stands, given how long calls wait at `now_s`."""
        if not self._target_s or delay_s <= self._target_s:
            self._above_since_s = None
            return False
        if self._above_since_s is None:
            self._above_since_s = now_s
        lately = now_s - self._standing_s <= RECENT_S
        if lately or now_s - self._above_since_s >= self._target_s:
            self._standing_s = now_s
            return True
        return False


class Bucket:
    """Tokens that come back at a steady rate, up to a burst; full at first."""

    __slots__ = ("_at_s", "_level", "_per_s", "burst")

    def __init__(self, per_s: int, burst: int, now_s: float) -> None:
        self.burst = burst
        self._per_s = per_s
        self._level = float(burst)
        self._at_s = now_s

    def missing(self, work: Work, now_s: float) -> float:
        """Return how many tokens there must be more for one to be taken; 0: it may be taken."""
        passed_s = max(0.0, now_s - self._at_s)
        self._level = min(float(self.burst), self._level + passed_s * self._per_s)
        self._at_s = now_s
        kept = 0.0 if work is Work.IN_PROGRESS else self.burst * (1 - NEW_SHARE)
        return max(0.0, kept + 1 - self._level)

    def take(self) -> None:
        """Take one."""
        self._level -= 1

    def wait_ms(self, missing: float) -> int:
        """Return after how long so many tokens will have come back."""
        return min(RETRY_MS_MAX, max(RETRY_MS_MIN, _in_steps(missing / self._per_s * _MILLIS)))

    def is_full(self, now_s: float) -> bool:
        """Return whether it is as a new one would be."""
        return self._level + (now_s - self._at_s) * self._per_s >= self.burst


@dataclass(slots=True)
class Waiting:
    """A command that was let in and has no answer yet."""

    domain: str
    since_s: float
    over: bool = False


@dataclass(slots=True)
class _Account:
    """One domain, or one tenant."""

    bucket: Bucket
    queue: StandingQueue
    waiting: int = 0
    oldest: deque[Waiting] = field(default_factory=deque)

    def age_s(self, now_s: float) -> float:
        """Return how long the command that came first has waited."""
        return now_s - self.oldest[0].since_s if self.oldest else 0.0


class Shares:
    """How much new work of whom was let in, in this second and the one before."""

    def __init__(self) -> None:
        self._second = 0
        self._now: dict[str, int] = {}
        self._before: dict[str, int] = {}
        self._total, self._total_before = 0, 0
        self._domains = 0
        self._asked, self._asked_before = 0, 0

    def ask(self, domain: str, now_s: float) -> bool:
        """Return whether the domain is let in although a queue stands.

        It is when it had less than an equal share among all that asked lately, and also when next to nobody was let in
        this second: if calls wait without any new work, it is not new work that they wait for.
        """
        self._turn(int(now_s))
        self._asked += 1
        if domain not in self._now:
            self._now[domain] = 0
            self._domains += domain not in self._before
        had = self._now[domain] + self._before.get(domain, 0)
        trickle = max(TRICKLE_PER_S, self._total_before // TRICKLE_PART)
        return had * self._domains < self._total or self._total - self._total_before < trickle

    def let_in(self, domain: str) -> None:
        """Count one that was let in, after `ask`."""
        self._now[domain] += 1
        self._total += 1

    def retry_ms(self) -> int:
        """Return when to come again: a second, and as many times that as there are callers for each one let in."""
        asked = self._asked + self._asked_before
        per_one = max(1, asked) / max(1, self._total)
        return min(RETRY_MS_MAX, _in_steps(per_one * OVERLOADED_RETRY_MS))

    def _turn(self, second: int) -> None:
        if second <= self._second:
            return
        one_on = second == self._second + 1
        self._before, self._now = (self._now if one_on else {}), {}
        self._asked_before, self._asked = (self._asked if one_on else 0), 0
        self._second = second
        self._domains = len(self._before)
        self._total = self._total_before = sum(self._before.values())


class Admission:
    """Decides for one service of one process. Calls that it lets in are told to `leave`."""

    def __init__(self, limits: AdmissionLimits) -> None:
        self.limits = limits
        self.waiting = 0
        """Commands that were let in and have no answer yet."""
        self._domains: OrderedDict[str, _Account] = OrderedDict()
        self._tenants: OrderedDict[str, _Account] = OrderedDict()
        self._shares = Shares()

    def enter(
        self,
        domain: str,
        work: Work,
        *,
        now_s: float,
        door_s: float,
        crowded: bool,
        in_line: bool = True,
    ) -> Waiting | Shed:
        """Let a call in, or say why not.

        `door_s` is how long calls wait before this is asked, and `crowded` whether a queue stands there. How long a
        call that is not `in_line` has been under way says nothing about how long others wait.
        """
        limits = self.limits
        one = self._account(self._domains, domain, now_s)
        tenant = self._account(self._tenants, tenant_of(domain), now_s)
        if one is None or tenant is None:
            return _accounts_full(limits)
        small = work is Work.NEW and self._shares.ask(domain, now_s)
        shed = (
            (None if small else self._delayed(one, work, now_s, door_s=door_s, crowded=crowded))
            or _full(one, tenant, work, limits)
            or _too_quick(one, tenant, work, limits, now_s)
        )
        if shed is not None:
            return shed
        if work is Work.NEW:
            self._shares.let_in(domain)
        entered = Waiting(domain, now_s)
        one.bucket.take()
        tenant.bucket.take()
        if in_line:
            one.oldest.append(entered)
        for account in (one, tenant):
            account.waiting += 1
        self.waiting += 1
        return entered

    def enter_again(self, domain: str, *, now_s: float) -> Shed | None:
        """Let a call in that repeats one which was carried out, or say why not.

        Its answer is there, and to refuse it would leave its caller in doubt; so only a token of its tenant is asked
        for, of those for contacts in progress. Nothing waits for it, so nobody is to `leave`.
        """
        tenant = self._account(self._tenants, tenant_of(domain), now_s)
        if tenant is None:
            return _accounts_full(self.limits)
        missing = tenant.bucket.missing(Work.IN_PROGRESS, now_s)
        if missing > 0:
            return _rate_exceeded(tenant, "tenant", self.limits.tenant_commands_per_s, missing)
        tenant.bucket.take()
        return None

    def leave(self, entered: Waiting) -> None:
        """Note that a call that was let in has been answered, or given up."""
        entered.over = True
        self.waiting -= 1
        one = self._domains[entered.domain]
        one.waiting -= 1
        while one.oldest and one.oldest[0].over:
            one.oldest.popleft()
        self._tenants[tenant_of(entered.domain)].waiting -= 1

    def _delayed(
        self, one: _Account, work: Work, now_s: float, *, door_s: float, crowded: bool
    ) -> Shed | None:
        age_s = one.age_s(now_s)
        stands = one.queue.observe(age_s, now_s) or crowded
        delay_s = door_s + age_s
        patience_s = self.limits.delay_target_s * READ_PATIENCE
        if work is Work.IN_PROGRESS or not stands or (work is Work.READ and delay_s < patience_s):
            return None
        return Shed(
            reason=errors.OVERLOADED,
            bound=f"calls wait {_in_steps(delay_s * _MILLIS)} ms",
            setting="admission_delay_target_ms",
            retry_after_ms=self._shares.retry_ms(),
        )

    def _account(
        self, accounts: OrderedDict[str, _Account], name: str, now_s: float
    ) -> _Account | None:
        """Return the account; None when no room can be made for a new one."""
        found = accounts.get(name)
        if found is not None:
            accounts.move_to_end(name)
            return found
        limits = self.limits
        if len(accounts) >= limits.accounts_max and not _forget_one(accounts, now_s):
            return None
        domain = accounts is self._domains
        per_s = limits.domain_commands_per_s if domain else limits.tenant_commands_per_s
        burst = limits.domain_burst if domain else limits.tenant_burst
        made = accounts[name] = _Account(
            Bucket(per_s, burst, now_s), StandingQueue(limits.delay_target_s)
        )
        return made


def _forget_one(accounts: OrderedDict[str, _Account], now_s: float) -> bool:
    """Make room; False when none of those that were used longest ago can be forgotten without harm.

    Only a few are looked at, so that a flood of made-up names costs little. Those with calls under way are in use,
    whenever they came, and go behind: one call that waits for long must not keep all others' accounts.
    """
    for name in list(islice(accounts, FORGET_LOOKS_MAX)):
        account = accounts[name]
        if account.waiting:
            accounts.move_to_end(name)
        elif account.bucket.is_full(now_s):
            # Without anybody waiting it is as good as a new one.
            del accounts[name]
            return True
    return False


def tenant_of(domain: str) -> str:
    """Return the tenant of `tenant/domain`."""
    return domain.partition("/")[0]


def _in_steps(ms: float) -> int:
    return -(-round(ms) // TOLD_STEP_MS) * TOLD_STEP_MS


def _full(one: _Account, tenant: _Account, work: Work, limits: AdmissionLimits) -> Shed | None:
    share = 1.0 if work is Work.IN_PROGRESS else NEW_SHARE
    for account, whose, most in (
        (one, "domain", limits.domain_waiting_max),
        (tenant, "tenant", limits.tenant_waiting_max),
    ):
        if account.waiting >= most * share:
            return Shed(
                reason=errors.DOMAIN_QUEUE_FULL if account is one else errors.TENANT_QUEUE_FULL,
                bound=f"{account.waiting} of the {whose}'s commands wait, of at most {most}",
                setting=f"admission_{whose}_waiting_max",
                retry_after_ms=OVERLOADED_RETRY_MS,
            )
    return None


def _too_quick(
    one: _Account, tenant: _Account, work: Work, limits: AdmissionLimits, now_s: float
) -> Shed | None:
    for account, whose, per_s in (
        (one, "domain", limits.domain_commands_per_s),
        (tenant, "tenant", limits.tenant_commands_per_s),
    ):
        missing = account.bucket.missing(work, now_s)
        if missing > 0:
            return _rate_exceeded(account, whose, per_s, missing)
    return None


def _rate_exceeded(account: _Account, whose: str, per_s: int, missing: float) -> Shed:
    domain = whose == "domain"
    return Shed(
        reason=errors.DOMAIN_RATE_EXCEEDED if domain else errors.TENANT_RATE_EXCEEDED,
        bound=f"the {whose} sends more than {per_s} commands per second",
        setting=f"admission_{whose}_commands_per_s",
        retry_after_ms=account.bucket.wait_ms(missing),
    )


def _accounts_full(limits: AdmissionLimits) -> Shed:
    return Shed(
        reason=errors.OVERLOADED,
        bound=f"more than {limits.accounts_max} domains or tenants call at once",
        setting="",
        retry_after_ms=OVERLOADED_RETRY_MS,
    )
