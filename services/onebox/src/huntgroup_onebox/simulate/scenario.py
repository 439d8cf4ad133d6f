"""What a scenario file may say: the types are the format, and its JSON schema is made from them.

Times are seconds (`_s`) from the beginning of the simulated time; rates are per hour. Queues, classes of contacts and
groups of agents have names of the author's own.
"""

from datetime import date
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from huntgroup_agent_state.core.values import SLOTS_MAX, UNITS_MAX
from huntgroup_routing.core.values import USUAL_CHANNEL, Channel

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]
Skill = Annotated[str, Meta(min_length=1, max_length=64)]
Seconds = Annotated[float, Meta(ge=0, le=31_536_000)]
PositiveSeconds = Annotated[float, Meta(gt=0, le=31_536_000)]
Rate = Annotated[float, Meta(ge=0, le=10_000_000)]
Share = Annotated[float, Meta(gt=0, le=1)]

AGENTS_MAX = 50_000
CONTACTS_MAX = 5_000_000
REPLICATIONS_MAX = 1_000


class _Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Names that the format does not know are refused."""


# How long something takes.


class Exponential(_Part, frozen=True, kw_only=True, tag="exponential", tag_field="kind"):
    """Memoryless: the time left never depends on the time gone."""

    mean_s: PositiveSeconds


class LogNormal(_Part, frozen=True, kw_only=True, tag="lognormal", tag_field="kind"):
    """Its logarithm is normal, as measured service times of call centres nearly are."""

    mean_s: PositiveSeconds
    """Of the time itself, not of its logarithm."""
    sigma: Annotated[float, Meta(gt=0, le=5)]
    """Standard deviation of the logarithm; 0.8 is usual for calls."""


class Deterministic(_Part, frozen=True, kw_only=True, tag="deterministic", tag_field="kind"):
    """Always the same."""

    value_s: Seconds


class Empirical(_Part, frozen=True, kw_only=True, tag="empirical", tag_field="kind"):
    """One of the given values, each as likely as the others."""

    values_s: Annotated[tuple[Seconds, ...], Meta(min_length=1, max_length=1_000_000)]


Distribution = Exponential | LogNormal | Deterministic | Empirical


# When contacts come.


class Poisson(_Part, frozen=True, kw_only=True, tag="poisson", tag_field="kind"):
    """At random, at one rate."""

    per_hour: Annotated[float, Meta(gt=0, le=10_000_000)]


class Profile(_Part, frozen=True, kw_only=True, tag="profile", tag_field="kind"):
    """At random, at a rate per interval; nobody comes after the last interval."""

    interval_s: PositiveSeconds
    per_hour: Annotated[tuple[Rate, ...], Meta(min_length=1, max_length=100_000)]


class CsvDay(_Part, frozen=True, kw_only=True, tag="csv", tag_field="kind"):
    """A day of a CSV file, as the demo's `--arrivals` takes it: wide (counts by interval) or long (one a row)."""

    file: str
    """Relative to the scenario file."""
    day: date | None = None
    """Not given: the busiest."""
    share: Share = 1.0
    """The part of the day's contacts that is of this class; drawn contact by contact."""


class FromJournal(_Part, frozen=True, kw_only=True, tag="journal", tag_field="kind"):
    """The contacts of a real log: when each was queued, how long it took, and when its customer gave up.

    A contact whose customer did not give up (it was answered, a rule sent it elsewhere, or it was to be called back)
    is as patient as the class says (not given: without end). One that was not answered, or is still live, gets the
    handling time of another of the same queue, by chance. Who came more than once comes when they came last: a
    callback when it came back, and a lost customer who was back when they were. `service` and `wrap_up` of the class
    are not needed: the journal's handling times stand for both.
    """

    directory: str
    """An embedded log, relative to the scenario file."""
    domain: str
    queue: str
    """The queue in the journal whose contacts are taken."""


Arrivals = Poisson | Profile | CsvDay | FromJournal


# Who waits for whom.


class Queue(_Part, frozen=True, kw_only=True):
    """A queue, as `ConfigureQueue` makes it."""

    channel: Channel | None = Channel.VOICE
    """That of its contacts; null: it takes others, too, and who comes here is VOICE."""
    required_skills: tuple[Skill, ...] = ()
    ring_timeout_s: PositiveSeconds = 20.0
    service_level_threshold_s: PositiveSeconds = 20.0
    waiting_max: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    """Contacts are turned away while so many wait or ring; 0: 10,000, as in the service itself."""
    policy: dict[str, Any] = field(default_factory=dict)
    """Every other field of routing's `ConfigureQueue`, by its name."""

    @property
    def contact_channel(self) -> Channel:
        """That of the contacts that come to it."""
        return self.channel or USUAL_CHANNEL


class ContactClass(_Part, frozen=True, kw_only=True):
    """Contacts of one kind."""

    queue: Name
    arrivals: Arrivals
    service: Distribution | None = None
    """From answer to the end of the conversation. Needed, except with arrivals from a journal."""
    wrap_up: Distribution | None = None
    """After it; the agent is not free yet."""
    patience: Distribution | None = None
    """A customer who has waited for so long leaves; not given: never."""
    priority: Annotated[int, Meta(ge=0, le=1_000)] = 0
    required_skills: tuple[Skill, ...] = ()
    """On top of the queue's."""


class AgentGroup(_Part, frozen=True, kw_only=True):
    """Agents who are alike."""

    count: Annotated[int, Meta(ge=1, le=AGENTS_MAX)]
    skills: tuple[Skill, ...] = ()
    slots: dict[Channel, Annotated[int, Meta(ge=1, le=SLOTS_MAX)]] = field(
        default_factory=lambda: {Channel.VOICE: 1}
    )
    """How many contacts of a channel at once; not given: one call."""
    capacity_units: Annotated[int, Meta(ge=0, le=UNITS_MAX)] = 0
    """What contacts of all channels may cost together; 0: channels share nothing."""
    costs: dict[Channel, Annotated[int, Meta(ge=1, le=UNITS_MAX)]] = field(default_factory=dict)
    """What a contact of a channel costs, where channels share units; not given: 1."""
    interrupts: dict[Channel, tuple[Channel, ...]] = field(default_factory=dict)
    """By channel, those whose contacts do not keep one of it away."""
    from_s: Seconds = 0.0
    until_s: PositiveSeconds | None = None
    """The shift; a contact that is being served at its end is served to its end. Not given: until all is over."""
    answer_after: Distribution | None = None
    """From the offer to its acceptance; not given: at once."""
    speed: Annotated[float, Meta(gt=0, le=100)] = 1.0
    """Service and wrap-up times are divided by it."""
    profile: dict[str, Any] = field(default_factory=dict)
    """Every other field of routing's `ObserveAgentSignedOn`, by its name."""


class Run(_Part, frozen=True, kw_only=True):
    """How long each replication is. At least one of `contacts` and `until_s`; what is reached first ends it."""

    contacts: Annotated[int, Meta(ge=1, le=CONTACTS_MAX)] | None = None
    """So many contacts come, those of the warm-up included."""
    until_s: PositiveSeconds | None = None
    """Nobody comes from then on; who is there is served."""
    warm_up_contacts: Annotated[int, Meta(ge=0, le=CONTACTS_MAX)] = 0
    """The first so many contacts, and the time until then, are not counted."""


class Scenario(_Part, frozen=True, kw_only=True):
    """One centre, and what comes to it."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    about: str = ""
    seed: int = 1
    replications: Annotated[int, Meta(ge=1, le=REPLICATIONS_MAX)] = 5
    """Independent runs, each with chance of its own. Confidence intervals need two or more."""
    confidence: Annotated[float, Meta(gt=0.5, lt=1)] = 0.95
    run: Run
    waiting_max: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    """Contacts are turned away while so many wait or ring in all queues together; 0: no such limit."""
    policy: str | None = None
    """The file of a policy, relative to the scenario: its queues instead of `queues`, and the words agents may have."""
    queues: Annotated[dict[Name, Queue], Meta(max_length=5_000)] = field(default_factory=dict)
    classes: Annotated[dict[Name, ContactClass], Meta(min_length=1, max_length=5_000)]
    agents: Annotated[dict[Name, AgentGroup], Meta(min_length=1, max_length=5_000)]
