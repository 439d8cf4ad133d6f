"""Stories of one contact through five services; the same files on SQLite in one process and on real Kafka in ten."""

import asyncio
import hashlib
import io
import wave

import pytest

from huntgroup.recording.v1 import commands_pb2 as recording_pb
from huntgroup.recording.v1.events_pb2 import RECORDING_MODE_ALL
from huntgroup.session.v1 import commands_pb2 as session_pb
from huntgroup.session.v1.events_pb2 import DIAL_OUTCOME_ANSWERED, DIAL_OUTCOME_BUSY
from huntgroup_loadtest.audio import AGENT_HZ, CUSTOMER_HZ, RATE_HZ, tone
from huntgroup_onebox.cluster_command import Cluster

from .centre import Centre, eventually


async def test_a_call_is_answered_held_ended_wrapped_up_and_counted(centre: Centre) -> None:
    await centre.queue()
    alice = await centre.agent("alice")
    await centre.call("c1")
    offer = await alice.offer()
    assert offer.contact_id == "c1"
    await centre.accept(offer, alice)
    for method, request in (
        (centre.api.session.HoldContact, session_pb.HoldContactRequest),
        (centre.api.session.RetrieveContact, session_pb.RetrieveContactRequest),
    ):
        held = request(contact_id="c1", agent_id="alice")
        assert await centre.api.command("session", method, held) is None
    await centre.end("c1", alice)
    await centre.wrap_up("c1", alice)
    await centre.contact("c1", "COMPLETED")
    await alice.in_state("READY")
    totals = await centre.totals(lambda one: one.handled == 1)
    assert (totals.offered, totals.answered, totals.abandoned) == (2, 1, 1)


async def test_the_timer_ends_a_wrap_up_that_the_agent_forgets(centre: Centre) -> None:
    await centre.queue(wrap_up_timeout_ms=300)
    alice = await centre.agent("alice")
    await centre.call("c1")
    await centre.accept(await alice.offer(), alice)
    await centre.hang_up("c1")
    await alice.in_state("READY")
    await centre.contact("c1", "COMPLETED")


async def test_a_caller_who_leaves_while_an_agent_rings_is_not_the_agents_miss(
    centre: Centre,
) -> None:
    await centre.queue()
    alice = await centre.agent("alice")
    await centre.call("c1")
    offer = await alice.offer()
    await centre.hang_up("c1")
    await alice.until(lambda: offer.offer_id in alice.withdrawn, "the withdrawal")
    await alice.in_state("READY")
    assert "NOT_RESPONDING" not in alice.states
    await centre.contact("c1", "ABANDONED")


async def test_a_declined_contact_goes_to_the_next_agent_with_its_age(centre: Centre) -> None:
    await centre.queue()
    alice, bob = await centre.agent("alice"), await centre.agent("bob")
    await centre.call("c1")
    before = await centre.contact("c1", "OFFERING")
    await centre.reject(await alice.offer(), alice)
    offer = await bob.offer()
    assert (offer.contact_id, offer.offer_id) == ("c1", "c1.2")
    after = await centre.contact("c1", "OFFERING")
    assert after.enqueued_at_ms == before.enqueued_at_ms
    await centre.accept(offer, bob)


async def test_an_agent_who_lets_it_ring_gets_nothing_more_until_they_act(centre: Centre) -> None:
    await centre.queue(ring_timeout_ms=300)
    alice = await centre.agent("alice")
    await centre.call("c1")
    await alice.offer()
    await alice.in_state("NOT_RESPONDING")
    await eventually(centre.waiting, lambda waiting: waiting == ["c1"])
    await centre.ready("alice")
    offer = await alice.offer(2)
    assert offer.offer_id == "c1.2"
    await centre.accept(offer, alice)


async def test_a_silent_desktop_loses_its_offer_and_goes_off(centre: Centre) -> None:
    await centre.queue(ring_timeout_ms=60_000)
    alice = await centre.agent("alice")
    await centre.call("c1")
    await alice.offer()
    alice.answers_heartbeats = False
    bob = await centre.agent("bob")
    offer = await bob.offer()
    assert offer.contact_id == "c1"
    await centre.accept(offer, bob)


async def test_signing_off_gives_the_ringing_contact_back(centre: Centre) -> None:
    await centre.queue()
    alice = await centre.agent("alice")
    await centre.call("c1")
    await alice.offer()
    await centre.sign_off("alice")
    await eventually(centre.waiting, lambda waiting: waiting == ["c1"])
    bob = await centre.agent("bob")
    assert (await bob.offer()).contact_id == "c1"


async def test_contacts_wait_by_priority_then_age_and_one_that_returns_keeps_its_place(
    centre: Centre,
) -> None:
    await centre.queue()
    await centre.call("first")
    await centre.call("second")
    await centre.call("urgent", priority=5)
    await eventually(centre.waiting, lambda found: found == ["urgent", "first", "second"])
    alice = await centre.agent("alice")
    offer = await alice.offer()
    assert offer.contact_id == "urgent"
    await centre.take_break("alice")
    await centre.reject(offer, alice)
    await eventually(centre.waiting, lambda found: found == ["urgent", "first", "second"])


async def test_a_break_asked_for_during_a_call_begins_when_the_work_ends(centre: Centre) -> None:
    await centre.queue()
    alice = await centre.agent("alice")
    await centre.call("c1")
    await centre.accept(await alice.offer(), alice)
    await centre.take_break("alice")
    await centre.call("c2")
    await centre.end("c1", alice)
    await centre.wrap_up("c1", alice)
    await alice.in_state("NOT_READY")
    assert await centre.waiting() == ["c2"]


async def test_skills_decide_who_rings(centre: Centre) -> None:
    await centre.queue("tech", required_skills=("linux",))
    alice = await centre.agent("alice")
    bob = await centre.agent("bob", skills=("linux",))
    await centre.call("c1", "tech")
    assert (await bob.offer()).contact_id == "c1"
    assert alice.offers == []


async def test_a_recorded_call_is_sealed_with_both_sides_and_its_hash(centre: Centre) -> None:
    await centre.queue()
    policy = recording_pb.SetRecordingPolicyRequest(queue_id="sales", mode=RECORDING_MODE_ALL)
    recording = centre.api.recording
    assert await centre.api.command("recording", recording.SetRecordingPolicy, policy) is None
    alice = await centre.agent("alice")
    await centre.call("c1")
    await centre.accept(await alice.offer(), alice)
    domain = centre.api.domain
    customer, agent = tone(CUSTOMER_HZ), tone(AGENT_HZ)
    hello = recording_pb.AudioHello(domain=domain, contact_id="c1", sample_rate_hz=RATE_HZ)
    chunks = [
        recording_pb.AudioChunk(offset_ms=second * 1_000, customer=customer, agent=agent)
        for second in range(3)
    ]
    requests = [recording_pb.IngestAudioRequest(hello=hello)]
    requests += [recording_pb.IngestAudioRequest(chunk=chunk) for chunk in chunks]
    answer = await recording.IngestAudio(iter(requests), timeout=20)
    assert answer.received_ms == 3_000
    await centre.end("c1", alice)
    asked = recording_pb.GetRecordingRequest(domain=domain, contact_id="c1")

    async def read() -> recording_pb.RecordingView:
        found = await centre.api.query(recording.GetRecording, asked)
        assert isinstance(found, recording_pb.GetRecordingResponse)
        return found.recording

    sealed = await eventually(read, lambda one: one.state == "SEALED")
    fetched = recording_pb.FetchRecordingRequest(domain=domain, contact_id="c1")
    data = b"".join([piece.data async for piece in recording.FetchRecording(fetched)])
    assert (len(data), hashlib.sha256(data).hexdigest()) == (sealed.length_bytes, sealed.sha256)
    with wave.open(io.BytesIO(data)) as opened:
        assert (opened.getnchannels(), opened.getframerate()) == (2, RATE_HZ)
        frames = opened.readframes(opened.getnframes())
    left = b"".join(frames[n : n + 2] for n in range(0, len(frames), 4))
    assert left.startswith(customer[:4_000])


async def test_many_calls_at_once_are_all_answered_once(centre: Centre) -> None:
    await centre.queue()
    agents = [await centre.agent(f"agent-{n}") for n in range(4)]
    calls = [f"c{n}" for n in range(24)]

    async def work(number: int) -> list[str]:
        done: list[str] = []
        for taken in range(1, 7):
            offer = await agents[number].offer(taken)
            await centre.accept(offer, agents[number])
            await centre.end(offer.contact_id, agents[number])
            await centre.wrap_up(offer.contact_id, agents[number])
            done.append(offer.contact_id)
        return done

    working = [asyncio.create_task(work(number)) for number in range(4)]
    await asyncio.gather(*(centre.call(contact_id) for contact_id in calls))
    done = [contact_id for one in await asyncio.gather(*working) for contact_id in one]
    assert sorted(done) == sorted(calls)


@pytest.mark.e2e
async def test_any_replica_answers_for_the_owner(cluster: Cluster) -> None:
    seconds = {
        service: f"127.0.0.1:{int(address.rpartition(':')[2]) + 1}"
        for service, address in cluster.file.addresses.items()
    }
    centre = Centre(cluster.file.addresses)
    other = Centre(seconds)
    other.api.domain = centre.api.domain
    try:
        await centre.queue()
        alice = await other.agent("alice")
        await other.call("c1")
        await centre.accept(await alice.offer(), alice)
        await other.end("c1", alice)
        await centre.contact("c1", "WRAPPING")
    finally:
        await centre.close()
        await other.close()


async def test_a_caller_who_hangs_up_keeps_the_place_and_is_called_back_until_they_answer(
    centre: Centre,
) -> None:
    await centre.queue(callback_attempts=2, callback_retry_ms=1_000)
    await centre.call("c1")
    await centre.call_back("c1", "+41440000000")
    await centre.call("c2")
    alice = await centre.agent("alice")
    first = await alice.offer()
    assert first.contact_id == "c1"
    await centre.dialled(first, alice, DIAL_OUTCOME_BUSY)
    second = await alice.offer(2)
    assert second.contact_id == "c2", "c1 is to be dialled later"
    bob = await centre.agent("bob")
    again = await bob.offer()
    assert (again.contact_id, again.offer_id) == ("c1", "c1.2")
    view = await centre.dialled(again, bob, DIAL_OUTCOME_ANSWERED)
    assert (view.callback.number, view.callback.dials) == ("+41440000000", 2)
    assert view.enqueued_at_ms < (await centre.contact("c2", "OFFERING")).enqueued_at_ms
    await centre.contact("c1", "CONNECTED")
    await centre.end("c1", bob)
    await centre.wrap_up("c1", bob)
    await centre.contact("c1", "COMPLETED")
    totals = await centre.totals(lambda one: one.handled == 1)
    assert (totals.offered, totals.answered, totals.overflowed) == (4, 1, 1)
    assert totals.abandoned == 1, "that was the probe"
