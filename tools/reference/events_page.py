"""docs/reference/events.md: every public event."""

from collections.abc import Iterator

from huntgroup_contracts.registry import SERVICES, classes_of, topic_events
from huntgroup_onebox.event_lines import PERSONAL
from tools.reference.contracts import Contracts, EnumType, Message, package_of
from tools.reference.fields import rows_of
from tools.reference.markdown import code, listed, page, sentence, table

INTRODUCTION = """Every accepted event of a service is published on its topic `huntgroup.<service>.events.v1`, as one
record: the value is the event's protobuf message alone, what goes round it are headers ([topics.md](topics.md)).

The same holds for every event here:

- **Key**: the routing domain, `tenant/domain`.
- **Order**: the events of one service in one domain are numbered by `ce_sequence`, from 1, without gaps, in the order
  in which they were decided. Nothing is said about the order of two domains or of two services.
- **Delivery**: at least once. Take only the number that follows the last one you took.
- **`at_ms`**: log time of the decision, the same as `ce_time`. It never goes back within a domain of a service.
- **Types**: fields may be added to a message, and values to an enum. A change that readers could not survive is a new
  event type (`….v2`)."""


def events_page(contracts: Contracts) -> str:
    """Return the page."""
    return page(
        "Events",
        [INTRODUCTION, personal_data()],
        *(service_section(contracts, service) for service in SERVICES),
    )


def personal_data() -> str:
    """Return which fields speak of people."""
    names = sorted(name.split(".v1.")[1] for name in PERSONAL)
    return f"Personal data, hidden by `huntgroup events` unless asked for: {listed(names)}."


def service_section(contracts: Contracts, service: str) -> Iterator[str]:
    """Yield the events and the enums of a service."""
    package = package_of(service)
    events = list(contracts.events_of(package))
    if [one.event_type for one in events] != list(classes_of(service)):
        raise ValueError(f"{package}: the generated code has other events; run make proto")
    yield f"## {service}"
    yield f"Topic `{topic_events(service)}`, messages in `{package}`, {len(events)} events."
    yield table(
        ("event", "when"),
        ((f"[{one.name}](#{one.name.lower()})", sentence(one.comment)) for one in events),
    )
    for event in events:
        yield from event_section(contracts, event)
    yield f"### Values in {service}"
    yield "The value 0, `…_UNSPECIFIED`, is never written."
    yield table(
        ("enum", "values", "meaning"),
        (
            (
                code(enum.full_name.removeprefix(f"{package}.")),
                listed(enum.values),
                meaning_of(enum),
            )
            for enum in contracts.enums_of(package)
        ),
    )


def event_section(contracts: Contracts, event: Message) -> Iterator[str]:
    """Yield one event."""
    yield f"### {event.name}"
    yield f"`{event.event_type}`: {sentence(event.comment)}"
    yield table(
        ("field", "type", "meaning"),
        (
            (code(row.path), row.kind, sentence(row.meaning))
            for row in rows_of(contracts, event.full_name)
            if row.path != "at_ms"
        ),
    )


def meaning_of(enum: EnumType) -> str:
    """Return what an enum and its values mean, as far as it is said."""
    values = (f"{code(name)}: {sentence(text)}" for name, text in enum.values.items() if text)
    return " ".join([sentence(enum.comment), *values]).strip()
