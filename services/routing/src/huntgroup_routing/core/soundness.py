"""Whether a policy makes sense as a whole: every fault of it, each with the way to the field that is wrong."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

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
    may_be_endless,
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


@dataclass(frozen=True, slots=True)
class Words:
    """What texts mean in one decision, and which words they may use: of a kind of which none is declared, any."""

    terms: Terms
    highest: Mapping[Skill, int]
    """By skill, the highest level."""
    languages: frozenset[str]
    groups: frozenset[str]
    told: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By text, what was found wrong with it: many queues and steps say the same."""

    @classmethod
    def of(cls, vocabulary: Vocabulary, terms: Terms) -> "Words":
        """Return those that are declared."""
        return cls(
            terms,
            {one.skill: one.highest_level or LEVEL_MAX for one in vocabulary.skills},
            frozenset(vocabulary.languages),
            frozenset(vocabulary.groups),
        )

    def wrong_in(self, text: str) -> tuple[str, ...]:
        """Return which words in a requirement are not declared, or that it asks for levels beyond those declared."""
        told = self.told.get(text)
        if told is None:
            # What was not understood is told already.
            term = self.terms[text].term if text.strip() and text in self.terms else None
            told = self.told[text] = () if term is None else tuple(_word_faults(term, self))
        return told


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
    words = Words.of(vocabulary, terms)
    faults = list(_twice(queues))
    for index, queue in enumerate(queues):
        told = [one.detail for one in wrong_with(queue, terms)]
        if not told:
            made = rules[queue.queue_id] = sound_rules(queue, at_ms, terms)
            missing = None if scorers is None else scorer_missing(made, scorers)
            told += [] if missing is None else [missing]
        told += _faults(queue, words)
        faults += (f"queues[{index}].{fault}" for fault in told)
    faults += _overflow_faults(queues)
    return rules, [fault_of(told, queues) for told in faults]


def _overflow_faults(queues: Sequence[ConfigureQueue]) -> Iterator[str]:
    """Tell what is wrong with where contacts go; of a circle, once."""
    overflow = {queue.queue_id: queue.overflow for queue in queues}
    channels = {queue.queue_id: queue.channel for queue in queues}
    circles: set[frozenset[QueueId]] = set()
    # To look at the ways from each queue is much for a policy of many: mostly none of them is endless.
    looks = len(overflow) < len(queues) or may_be_endless(overflow)
    for index, queue in enumerate(queues):
        told = complaints(queue.queue_id, queue.overflow, overflow)
        yield from (f"queues[{index}].{fault}" for fault in told)
        told = channel_complaints(queue.channel, queue.overflow, channels)
        yield from (f"queues[{index}].{fault}" for fault in told)
        way = endless_way(queue.queue_id, queue.overflow, overflow) if looks else ()
        if way and frozenset(way) not in circles:
            circles.add(frozenset(way))
            yield f"queues[{index}].{endless_text(way)}"


def _twice(queues: Sequence[ConfigureQueue]) -> Iterator[str]:
    seen = Counter[QueueId]()
    for index, queue in enumerate(queues):
        seen[queue.queue_id] += 1
        if seen[queue.queue_id] > 1:
            yield f"queues[{index}].queue_id {queue.queue_id!r} is there twice"


def _faults(queue: ConfigureQueue, words: Words) -> Iterator[str]:
    yield from _ask_faults(queue, "", words)
    for told in words.wrong_in(queue.pull_requirement):
        yield f"pull_requirement, {told}"
    for number, serving in enumerate(queue.groups):
        if words.groups and serving.group and serving.group not in words.groups:
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
        yield from _ask_faults(step, f"steps[{number}].", words)
        waiting_max = queue.waiting_max or WAITING_MAX_DEFAULT
        if step.trigger is StepTrigger.QUEUE_LENGTH and step.limit > waiting_max:
            yield f"steps[{number}].limit, is never come to: waiting_max is {waiting_max}"
        if leaves is not None and step.after_ms >= leaves[1]:
            gone = f"overflow[{leaves[0]}] lets contacts go after {leaves[1]}"
            yield f"steps[{number}].after_ms, is never come to: {gone}"


def _ask_faults(ask: Ask, where: str, words: Words) -> Iterator[str]:
    """Tell of words that are not declared, and of what nobody can ever meet."""
    for index, skill in enumerate(ask.required_skills):
        if words.highest and skill not in words.highest:
            yield f"{where}required_skills[{index}] {skill!r} is not among the declared skills"
    found = words.wrong_in(ask.requirement)
    for told in found:
        yield f"{where}requirement, {told}"
    if found or not ask.required_skills or ask.requirement not in words.terms:
        return
    if (why := _against(ask.required_skills, ask.requirement)) is not None:
        yield f"{where}requirement, {why} together with required_skills"


def _word_faults(term: Term, words: Words) -> Iterator[str]:
    unknown = [*_unknown(term, words)]
    yield from unknown
    if not unknown and words.highest and not _possible(term, words.highest):
        yield "nobody can ever meet this: it asks for more than the highest level declared"


def _unknown(term: Term, words: Words) -> Iterator[str]:
    for leaf in leaves(term):
        match leaf:
            case Skilled(skill, _) if words.highest and skill not in words.highest:
                yield f"skill {skill!r} is not among the declared skills"
            case Has("lang", values) if words.languages:
                for value in values:
                    if value not in words.languages:
                        yield f"language {value!r} is not among the declared languages"
            case Has("group", values) if words.groups:
                for value in values:
                    if value not in words.groups:
                        yield f"group {value!r} is not among the declared groups"
            case _:
                pass


def _possible(term: Term, highest: Mapping[Skill, int]) -> bool:
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
