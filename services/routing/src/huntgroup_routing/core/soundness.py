"""Whether a policy makes sense as a whole: every fault of it, each with the way to the field that is wrong."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from huntgroup_routing.core.expressions import (
    LEVEL_MAX,
    AllOf,
    AnyOf,
    ExpressionError,
    Has,
    Not,
    Skilled,
    Term,
    leaves,
    parse,
)
from huntgroup_routing.core.faults import Fault, fault_of
from huntgroup_routing.core.messages import ConfigureQueue, QueueConfigured
from huntgroup_routing.core.overflow import (
    OverflowTrigger,
    channel_complaints,
    complaints,
    endless_text,
    endless_way,
)
from huntgroup_routing.core.policy import Terms, scorer_missing, sound_rules, wrong_with
from huntgroup_routing.core.values import (
    WAITING_MAX_DEFAULT,
    QueueId,
    RoutingStep,
    Skill,
    StepTrigger,
    Vocabulary,
)

Ask = ConfigureQueue | RoutingStep
"""What says in `required_skills` and `requirement` what is asked of agents."""


def rules_and_faults(
    queues: Sequence[ConfigureQueue],
    vocabulary: Vocabulary,
    at_ms: int,
    scorers: Collection[str] | None = None,
) -> tuple[dict[QueueId, QueueConfigured], list[Fault]]:
    """Return the rules of every queue, and every fault with the way to its field: `queues[3].steps[0].requirement`.

    The rules are complete only when there is no fault. `scorers` are those installed; None: that is not known here.
    """
    rules: dict[QueueId, QueueConfigured] = {}
    terms: Terms = {}
    faults = list(_twice(queues))
    for index, queue in enumerate(queues):
        told = [one.detail for one in wrong_with(queue, terms)]
        if not told:
            made = rules[queue.queue_id] = sound_rules(queue, at_ms, terms)
            missing = None if scorers is None else scorer_missing(made, scorers)
            told += [] if missing is None else [missing]
        told += _faults(queue, vocabulary, terms)
        faults += (f"queues[{index}].{fault}" for fault in told)
    faults += _overflow_faults(queues)
    return rules, [fault_of(told, queues) for told in faults]


def _overflow_faults(queues: Sequence[ConfigureQueue]) -> Iterator[str]:
    """Tell what is wrong with where contacts go; of a circle, once."""
    overflow = {queue.queue_id: queue.overflow for queue in queues}
    channels = {queue.queue_id: queue.channel for queue in queues}
    circles: set[frozenset[QueueId]] = set()
    for index, queue in enumerate(queues):
        told = complaints(queue.queue_id, queue.overflow, overflow)
        yield from (f"queues[{index}].{fault}" for fault in told)
        told = channel_complaints(queue.channel, queue.overflow, channels)
        yield from (f"queues[{index}].{fault}" for fault in told)
        way = endless_way(queue.queue_id, queue.overflow, overflow)
        if way and frozenset(way) not in circles:
            circles.add(frozenset(way))
            yield f"queues[{index}].{endless_text(way)}"


def _twice(queues: Sequence[ConfigureQueue]) -> Iterator[str]:
    seen = Counter[QueueId]()
    for index, queue in enumerate(queues):
        seen[queue.queue_id] += 1
        if seen[queue.queue_id] > 1:
            yield f"queues[{index}].queue_id {queue.queue_id!r} is there twice"


def _faults(queue: ConfigureQueue, vocabulary: Vocabulary, terms: Terms) -> Iterator[str]:
    yield from _ask_faults(queue, "", vocabulary, terms)
    yield from _word_faults(queue.pull_requirement, "pull_requirement", vocabulary, terms)
    for number, serving in enumerate(queue.groups):
        if vocabulary.groups and serving.group and serving.group not in vocabulary.groups:
            yield f"groups[{number}].group {serving.group!r} is not among the declared groups"
    leaves = next(
        (
            (number, rule.limit)
            for number, rule in enumerate(queue.overflow)
            if rule.trigger is OverflowTrigger.WAITED
        ),
        None,
    )
    for number, step in enumerate(queue.steps):
        yield from _ask_faults(step, f"steps[{number}].", vocabulary, terms)
        waiting_max = queue.waiting_max or WAITING_MAX_DEFAULT
        if step.trigger is StepTrigger.QUEUE_LENGTH and step.limit > waiting_max:
            yield f"steps[{number}].limit, is never come to: waiting_max is {waiting_max}"
        if leaves is not None and step.after_ms >= leaves[1]:
            gone = f"overflow[{leaves[0]}] lets contacts go after {leaves[1]}"
            yield f"steps[{number}].after_ms, is never come to: {gone}"


def _ask_faults(ask: Ask, where: str, vocabulary: Vocabulary, terms: Terms) -> Iterator[str]:
    """Tell of words that are not declared, and of what nobody can ever meet."""
    highest = _highest(vocabulary)
    for index, skill in enumerate(ask.required_skills):
        if highest and skill not in highest:
            yield f"{where}required_skills[{index}] {skill!r} is not among the declared skills"
    found = list(_word_faults(ask.requirement, f"{where}requirement", vocabulary, terms))
    yield from found
    if found or ask.requirement not in terms:
        return
    if (why := _against(ask.required_skills, ask.requirement)) is not None:
        yield f"{where}requirement, {why} together with required_skills"


def _word_faults(text: str, where: str, vocabulary: Vocabulary, terms: Terms) -> Iterator[str]:
    """Tell of words in a requirement that are not declared, and of levels beyond those declared."""
    if not text.strip() or text not in terms:
        return  # what was not understood is told already
    highest, term = _highest(vocabulary), terms[text]
    unknown = [*_unknown(term, vocabulary, highest)]
    yield from (f"{where}, {told}" for told in unknown)
    if not unknown and not _possible(term, highest):
        yield f"{where}, nobody can ever meet this: it asks for more than the highest level declared"


def _highest(vocabulary: Vocabulary) -> dict[Skill, int]:
    return {one.skill: one.highest_level or LEVEL_MAX for one in vocabulary.skills}


def _unknown(term: Term, vocabulary: Vocabulary, highest: dict[Skill, int]) -> Iterator[str]:
    for leaf in leaves(term):
        match leaf:
            case Skilled(skill, _) if highest and skill not in highest:
                yield f"skill {skill!r} is not among the declared skills"
            case Has("lang", values) if vocabulary.languages:
                for value in values:
                    if value not in vocabulary.languages:
                        yield f"language {value!r} is not among the declared languages"
            case Has("group", values) if vocabulary.groups:
                for value in values:
                    if value not in vocabulary.groups:
                        yield f"group {value!r} is not among the declared groups"
            case _:
                pass


def _possible(term: Term, highest: dict[Skill, int]) -> bool:
    """Return False when no agent can satisfy it, given the highest levels; who has less than those may exist."""
    match term:
        case Skilled(skill, level):
            return level <= highest.get(Skill(skill), LEVEL_MAX)
        case AllOf(terms):
            return all(_possible(one, highest) for one in terms)
        case AnyOf(terms):
            return any(_possible(one, highest) for one in terms)
        case Not() | Has():
            return True


def _against(skills: Sequence[Skill], requirement: str) -> str | None:
    """Return why nobody who has the skills can meet the requirement, if that is plain to see."""
    having = " and ".join(f'skill("{skill}")' for skill in skills)
    if not having or not requirement.strip():
        return None
    try:
        parse(f"{having} and ({requirement})", accepted=True)
    except ExpressionError as error:
        return error.why
    return None
