"""Who is let in, and who is told why not: the rules alone, in time of their own."""

import pytest

from huntgroup_runtime.rpc.admission import (
    FORGET_LOOKS_MAX,
    OVERLOADED_RETRY_MS,
    RETRY_MS_MAX,
    Admission,
    AdmissionLimits,
    Shed,
    StandingQueue,
    Waiting,
    Work,
)

TARGET_S = 0.5


def limits(**overrides: float) -> AdmissionLimits:
    words = {
        "domain_commands_per_s": 1_000,
        "domain_burst": 1_000,
        "tenant_commands_per_s": 1_000,
        "tenant_burst": 1_000,
        "domain_waiting_max": 1_000,
        "tenant_waiting_max": 1_000,
        "delay_target_s": TARGET_S,
        **overrides,
    }
    return AdmissionLimits(**words)  # type: ignore[arg-type]


class Hall:
    """An admission whose clock the test turns."""

    def __init__(self, **overrides: float) -> None:
        self.admission = Admission(limits(**overrides))
        self.now_s = 100.0
        self.crowded = False

    def ask(
        self, domain: str = "acme/emea", work: Work = Work.NEW, *, in_line: bool = True
    ) -> Waiting | Shed:
        return self.admission.enter(
            domain,
            work,
            now_s=self.now_s,
            door_s=2 * TARGET_S if self.crowded else 0.0,
            crowded=self.crowded,
            in_line=in_line,
        )

    def again(self, domain: str = "acme/emea") -> Shed | None:
        return self.admission.enter_again(domain, now_s=self.now_s)

    def let_in(self, domain: str = "acme/emea", work: Work = Work.NEW) -> Waiting:
        found = self.ask(domain, work)
        assert isinstance(found, Waiting), found
        return found

    def shed(self, domain: str = "acme/emea", work: Work = Work.NEW) -> Shed:
        found = self.ask(domain, work)
        assert isinstance(found, Shed)
        return found

    def pass_through(self, domain: str = "acme/emea", work: Work = Work.NEW) -> bool:
        """Return whether a call was let in; its answer comes at once."""
        found = self.ask(domain, work)
        if isinstance(found, Waiting):
            self.admission.leave(found)
        return isinstance(found, Waiting)


def test_new_work_leaves_half_of_the_tokens_to_contacts_in_progress() -> None:
    hall = Hall(domain_burst=10, domain_commands_per_s=10)
    assert [hall.pass_through() for _ in range(6)] == [True] * 5 + [False]
    told = hall.shed()
    assert told.reason == "DOMAIN_RATE_EXCEEDED"
    assert told.setting == "admission_domain_commands_per_s"
    in_progress = [hall.pass_through(work=Work.IN_PROGRESS) for _ in range(6)]
    assert in_progress == [True] * 5 + [False]


def test_the_told_delay_is_when_there_is_a_token_again() -> None:
    hall = Hall(domain_burst=10, domain_commands_per_s=10)
    for _ in range(5):
        hall.let_in()
    told = hall.shed()
    assert told.retry_after_ms == 100
    hall.now_s += 0.099
    hall.shed()
    hall.now_s += 0.002
    hall.let_in()


def test_one_domain_s_flood_leaves_the_tokens_of_another() -> None:
    hall = Hall(domain_burst=10, domain_commands_per_s=10, tenant_burst=1_000)
    while hall.pass_through("acme/loud"):
        pass
    assert hall.pass_through("acme/quiet")


def test_a_tenant_s_domains_share_the_tenant_s_tokens() -> None:
    hall = Hall(tenant_burst=10, tenant_commands_per_s=10)
    assert [hall.pass_through(f"acme/d{n}") for n in range(6)] == [True] * 5 + [False]
    assert hall.shed("acme/d9").reason == "TENANT_RATE_EXCEEDED"
    assert hall.pass_through("other/d1")


def test_waiting_places_are_bounded_and_half_of_them_kept() -> None:
    hall = Hall(domain_waiting_max=4)
    first = [hall.let_in() for _ in range(2)]
    assert hall.shed().reason == "DOMAIN_QUEUE_FULL"
    assert hall.shed(work=Work.READ).reason == "DOMAIN_QUEUE_FULL"
    for _ in range(2):
        hall.let_in(work=Work.IN_PROGRESS)
    assert hall.shed(work=Work.IN_PROGRESS).reason == "DOMAIN_QUEUE_FULL"
    for entered in first:
        hall.admission.leave(entered)
    hall.let_in(work=Work.IN_PROGRESS)


def test_a_tenant_s_waiting_places_are_bounded() -> None:
    hall = Hall(tenant_waiting_max=4)
    hall.let_in("acme/a")
    hall.let_in("acme/b")
    assert hall.shed("acme/c").reason == "TENANT_QUEUE_FULL"
    hall.let_in("other/c")


def test_a_crowd_before_the_door_sheds_new_work_and_nothing_in_progress() -> None:
    hall = Hall()
    hall.let_in()
    hall.crowded = True
    told = hall.shed()
    assert (told.reason, told.setting) == ("OVERLOADED", "admission_delay_target_ms")
    assert told.bound == "calls wait 1000 ms"
    hall.let_in(work=Work.IN_PROGRESS)
    hall.let_in(work=Work.READ)


def test_waits_are_told_in_steps_so_that_many_are_told_the_same() -> None:
    told = set()
    for wait_s in (1.001, 1.004, 1.0099, 1.011):
        hall = Hall()
        hall.ask()
        found = hall.admission.enter(
            "acme/emea", Work.NEW, now_s=hall.now_s, door_s=wait_s, crowded=True
        )
        assert isinstance(found, Shed)
        told.add(found.bound)
    assert told == {"calls wait 1010 ms", "calls wait 1020 ms"}


def test_reads_are_shed_when_the_wait_is_four_times_what_it_may_be() -> None:
    hall = Hall()
    waiting = hall.let_in(work=Work.IN_PROGRESS)
    hall.crowded = True
    hall.now_s += 2 * TARGET_S
    assert hall.shed(work=Work.READ).reason == "OVERLOADED"
    hall.admission.leave(waiting)
    hall.let_in(work=Work.READ)


def test_a_command_that_waits_for_long_sheds_new_work_of_its_domain_alone() -> None:
    hall = Hall()
    slow = hall.let_in()
    hall.now_s += TARGET_S + 0.01
    hall.let_in()
    hall.now_s += TARGET_S + 0.01
    hall.let_in()  # the trickle of this second
    assert hall.shed().reason == "OVERLOADED"
    hall.let_in("acme/other")
    hall.admission.leave(slow)
    hall.now_s += 0.01
    assert hall.shed().reason == "OVERLOADED", "the next one has waited as long"


def test_a_burst_is_no_standing_queue() -> None:
    queue = StandingQueue(TARGET_S)
    assert not queue.observe(10.0, 0.0)
    assert not queue.observe(10.0, TARGET_S - 0.01)
    assert queue.observe(10.0, TARGET_S)
    assert not queue.observe(TARGET_S, TARGET_S + 0.1), "it is gone"
    assert queue.observe(TARGET_S + 0.1, TARGET_S + 0.2), "it was there a moment ago"
    assert not queue.observe(0.0, TARGET_S + 0.3)
    assert not queue.observe(10.0, TARGET_S + 20.0), "long after it is a burst again"


def test_without_a_target_nothing_is_shed_for_a_delay() -> None:
    queue = StandingQueue(0.0)
    assert not any(queue.observe(100.0, float(second)) for second in range(10))


def test_in_a_crowd_a_quiet_domain_gets_its_share_before_a_loud_one() -> None:
    """One place serves 50 calls a second; 190 of the loud domain come, and 10 of the quiet one."""
    hall, backlog = Hall(), 0.0
    let_in = {"acme/loud": 0, "acme/quiet": 0}
    for number in range(2_000):
        hall.now_s += 0.005
        backlog = max(0.0, backlog - 0.25)
        hall.crowded = backlog > 25
        domain = "acme/quiet" if number % 20 == 0 else "acme/loud"
        entered = hall.pass_through(domain)
        let_in[domain] += entered
        backlog += entered
    assert let_in["acme/quiet"] == 100, "every one of the quiet domain's"
    assert 390 < let_in["acme/loud"] < 440, "what the place could serve beside"


def test_in_a_crowd_two_loud_domains_get_the_same() -> None:
    hall, backlog = Hall(), 0.0
    let_in = {"acme/loud": 0, "acme/louder": 0}
    for number in range(3_000):
        hall.now_s += 0.005
        backlog = max(0.0, backlog - 0.25)
        hall.crowded = backlog > 25
        domain = "acme/loud" if number % 3 == 0 else "acme/louder"
        entered = hall.pass_through(domain)
        let_in[domain] += entered
        backlog += entered
    assert 0.7 < let_in["acme/loud"] / let_in["acme/louder"] < 1.4


def test_a_domain_alone_in_a_crowd_is_shed() -> None:
    hall = Hall()
    hall.pass_through()
    hall.crowded = True
    hall.now_s += 0.1
    assert not any(hall.pass_through() for _ in range(10))


def test_a_crowd_that_does_not_go_lets_a_trickle_in() -> None:
    """Calls wait for something else, a machine that is busy with others: to refuse all new work would not help."""
    hall = Hall()
    for _ in range(100):
        hall.let_in(work=Work.NEW)
    hall.crowded = True
    let_in = []
    for _ in range(4):
        hall.now_s += 1
        let_in.append(sum(hall.pass_through() for _ in range(100)))
    assert let_in == [10, 1, 1, 1]


def test_the_more_are_shed_the_later_they_come_again() -> None:
    hall = Hall()
    assert hall.pass_through()
    hall.crowded = True
    assert hall.shed().retry_after_ms == 2 * OVERLOADED_RETRY_MS
    assert hall.shed().retry_after_ms == 3 * OVERLOADED_RETRY_MS
    for _ in range(100):
        hall.shed()
    assert hall.shed().retry_after_ms == RETRY_MS_MAX


def test_buckets_are_bounded_and_a_full_one_is_forgotten_without_harm() -> None:
    hall = Hall(accounts_max=3, domain_burst=4, domain_commands_per_s=1)
    held = hall.let_in("t1/a")
    for tenant in ("t2", "t3"):
        assert hall.pass_through(f"{tenant}/a")
    told = hall.shed("t4/a")
    assert told.reason == "OVERLOADED"
    assert told.bound == "more than 3 domains or tenants call at once"
    hall.now_s += 10
    waits = hall.let_in("t4/a"), hall.let_in("t5/a")
    assert isinstance(hall.ask("t6/a"), Shed), "all have a call that waits"
    hall.admission.leave(held)
    hall.now_s += 10
    hall.let_in("t6/a")
    assert all(not one.over for one in waits)


def test_a_call_that_waits_for_long_keeps_its_own_account_and_no_other() -> None:
    hall = Hall(accounts_max=3, domain_burst=2, domain_commands_per_s=1)
    held = hall.let_in("t1/a", Work.IN_PROGRESS)
    hall.let_in("t1/a", Work.IN_PROGRESS)
    for number in range(2, 20):
        hall.now_s += 10
        assert hall.pass_through(f"t{number}/a"), (
            "the oldest waits; one that came after it does not"
        )
    hall.admission.leave(held)


def test_to_find_room_for_an_account_little_is_looked_at() -> None:
    hall = Hall(accounts_max=3 * FORGET_LOOKS_MAX, domain_burst=4, domain_commands_per_s=1)
    for number in range(2 * FORGET_LOOKS_MAX):
        hall.let_in(f"waits{number}/a")
    for number in range(FORGET_LOOKS_MAX):
        assert hall.pass_through(f"idle{number}/a")
    hall.now_s += 10
    hall.shed("new/a")
    hall.shed("new/a")
    assert hall.pass_through("new/a"), "those that wait went behind those that do not"


def test_a_repeat_costs_a_token_of_its_tenant_and_nothing_else() -> None:
    hall = Hall(domain_burst=2, domain_commands_per_s=1, tenant_burst=4, tenant_commands_per_s=1)
    hall.let_in()
    hall.shed()
    hall.crowded = True
    for _ in range(3):
        assert hall.again() is None
    told = hall.again()
    assert told is not None
    assert (told.reason, told.setting) == (
        "TENANT_RATE_EXCEEDED",
        "admission_tenant_commands_per_s",
    )
    assert hall.again("other/emea") is None, "another tenant has tokens of its own"
    hall.now_s += told.retry_after_ms / 1_000
    assert hall.again() is None


@pytest.mark.parametrize("seconds_back", [0.0, 5.0])
def test_time_that_stands_still_or_goes_back_gives_no_tokens(seconds_back: float) -> None:
    hall = Hall(domain_burst=10)
    for _ in range(5):
        hall.let_in()
    hall.now_s -= seconds_back
    hall.shed()


def test_who_takes_time_of_its_own_delays_nobody_and_has_its_place_all_the_same() -> None:
    hall = Hall(domain_waiting_max=4)
    entered = [hall.ask(work=Work.READ, in_line=False) for _ in range(2)]
    for _ in range(60):
        hall.now_s += TARGET_S
        assert hall.shed(work=Work.READ).reason == "DOMAIN_QUEUE_FULL", "and not for a delay"
    for one in entered:
        assert isinstance(one, Waiting)
        hall.admission.leave(one)
    assert hall.pass_through(work=Work.READ)
