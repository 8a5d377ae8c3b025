"""The synchronous publisher: deliveries, back-pressure, failures and its end."""

from __future__ import annotations

import os
from threading import Barrier, Thread
from uuid import UUID, uuid4

import pytest
from confluent_kafka import KafkaError
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

import llm_orchestrator_state
from llm_orchestrator_state import Publisher
from llm_orchestrator_state.client.publishing.outbox import MAX_UNTOLD, Outbox
from llm_orchestrator_state.errors import Closed, Configuration, Connection, InvalidState, TimedOut
from llm_orchestrator_state.model import StepStarted, TransitionEvent
from tests.unit.publishing import Script

RUN = UUID("5e4b1c52-3c1e-4b11-9a63-111111111111")
PATIENCE_S = 30.0


def an_event(run_id: UUID = RUN) -> TransitionEvent:
    return TransitionEvent(run_id=run_id, transition=StepStarted(step_id="a", attempt=1))


def test_a_delivery_says_where_its_event_is() -> None:
    with Publisher(transport=Script()) as publisher:
        publisher.publish(an_event())
        event = an_event()
        delivery = publisher.publish(event)
        assert (delivery.event_id, delivery.run_id) == (str(event.event_id), str(RUN))
        assert delivery.result(PATIENCE_S) == (str(event.event_id), str(RUN), 0, 1)
        assert delivery.done()
        assert delivery.result() == delivery.result(0)


def test_a_delivery_that_takes_longer_than_one_waits_is_told_and_goes_on() -> None:
    transport = Script(held=True)
    with Publisher(transport=transport) as publisher:
        delivery = publisher.publish(an_event())
        assert not delivery.done()
        with pytest.raises(TimedOut, match=r"within 0\.01 s, and is still being tried"):
            delivery.result(0.01)
        with pytest.raises(TimedOut, match="1 events are not delivered"):
            publisher.flush(0.01)
        transport.go.set()
        assert delivery.result(PATIENCE_S).offset == 0


def test_a_full_queue_is_waited_for() -> None:
    transport = Script(room=2)
    with Publisher(transport=transport) as publisher:
        deliveries = [publisher.publish(an_event()) for _ in range(20)]
    assert transport.refused
    assert [delivery.result(0).offset for delivery in deliveries] == list(range(20))


def test_many_threads_each_get_their_own_delivery() -> None:
    threads = 16
    together = Barrier(threads)
    wrong: list[int] = []

    def save(number: int) -> None:
        together.wait()
        for _ in range(50):
            event = an_event(UUID(int=number))
            if publisher.publish(event).result(PATIENCE_S)[:2] != (str(event.event_id), str(UUID(int=number))):
                wrong.append(number)

    with Publisher(transport=Script()) as publisher:
        running = [Thread(target=save, args=(number,)) for number in range(threads)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join(PATIENCE_S)
    assert not wrong
    assert not any(thread.is_alive() for thread in running)


# --- failures ---------------------------------------------------------------------------------------------------------


def failing(code: int = KafkaError._MSG_TIMED_OUT) -> Publisher:
    return Publisher(transport=Script(code=code))


def fail_at_once(publisher: Publisher) -> None:
    """With an event on its way, or one that has failed."""
    publisher.publish(an_event())
    publisher._outbox.poll(0)
    print(1 / 0)


def test_a_failed_delivery_raises_when_it_is_asked_and_then_no_more() -> None:
    with failing() as publisher:
        delivery = publisher.publish(an_event())
        with pytest.raises(Connection, match=f"event {delivery.event_id} .* publish it again"):
            delivery.result(PATIENCE_S)
        publisher.flush()


def test_a_failed_delivery_that_nobody_asked_for_raises_at_flush() -> None:
    with failing() as publisher:
        publisher.publish(an_event())
        publisher.publish(an_event())
        with pytest.raises(Connection, match="2 events were not delivered; the first: event"):
            publisher.flush()
        publisher.flush()


def test_a_failed_delivery_that_nobody_was_told_raises_at_the_end() -> None:
    publisher = failing()
    with pytest.raises(Connection, match="was not delivered"), publisher:
        publisher.publish(an_event())
    with pytest.raises(Closed):
        publisher.flush()


def test_a_failed_delivery_is_a_note_to_the_exception_that_leaves_the_block() -> None:
    with pytest.raises(ZeroDivisionError) as left, failing() as publisher:
        fail_at_once(publisher)
    assert any("was not delivered" in note for note in left.value.__notes__)


def test_a_handle_says_nothing_more_behind_a_gap_in_its_runs_log() -> None:
    with failing() as publisher:
        run = publisher.workflow("triage")
        run.__enter__()
        publisher._outbox.poll(0)
        with pytest.raises(Connection):
            run.pause()
        other = publisher.workflow("triage")
        other.__enter__()
        with pytest.raises(Connection, match="4 events"):
            publisher.flush()


def test_an_exception_is_not_hidden_by_a_failure_to_publish_it() -> None:
    with failing() as publisher:
        with pytest.raises(ZeroDivisionError) as left, publisher.workflow("triage"):
            fail_at_once(publisher)
        assert any("could not be published" in note for note in left.value.__notes__)
        with pytest.raises(Connection):
            publisher.flush()


def test_an_event_that_the_broker_finds_too_large_is_an_invalid_state() -> None:
    with failing(KafkaError.MSG_SIZE_TOO_LARGE) as publisher:
        delivery = publisher.publish(an_event())
        with pytest.raises(InvalidState, match="keep large values elsewhere"):
            delivery.result(PATIENCE_S)


# --- its end ----------------------------------------------------------------------------------------------------------


def test_after_its_end_a_publisher_says_so() -> None:
    transport = Script()
    with Publisher(transport=transport) as publisher:
        run = publisher.attach(RUN)
    assert transport.closed
    for use in (lambda: publisher.publish(an_event()), publisher.flush, publisher.__enter__, run.pause):
        with pytest.raises(Closed, match="make another"):
            use()
    publisher.close()


def test_a_publisher_needs_no_with_block() -> None:
    transport = Script()
    publisher = Publisher(transport=transport)
    publisher.publish(an_event())
    publisher.close()
    assert transport.pending() == 0
    assert transport.closed


def test_a_publisher_that_was_never_used_is_closed_without_a_connection() -> None:
    publisher = Publisher("127.0.0.1:1")
    publisher.close()
    with pytest.raises(Closed):
        publisher.publish(an_event())


def test_an_exception_gives_up_what_cannot_be_delivered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm_orchestrator_state.client.publishing.publisher.CLOSING_TIMEOUT_S", 0.01)
    with pytest.raises(ZeroDivisionError) as left, Publisher(transport=Script(held=True)) as publisher:
        fail_at_once(publisher)
    assert any("was not delivered" in note for note in left.value.__notes__)


def test_what_nobody_closes_is_delivered_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    transport = Script()
    publisher = Publisher(transport=transport)
    publisher.publish(an_event())
    publisher._outbox._abandon()
    assert transport.pending() == 0
    assert transport.closed
    assert not caplog.records


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_is_told_to_make_its_own() -> None:
    with Publisher(transport=Script()) as publisher:
        publisher.publish(an_event()).result(PATIENCE_S)
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            try:
                publisher.publish(an_event())
            except Closed as closed:
                os.write(writing, str(closed).encode())
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as said:
            assert "make one in each process, after the fork" in said.read()
        os.waitpid(child, 0)
        publisher.publish(an_event()).result(PATIENCE_S)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_that_leaves_the_block_waits_for_nothing_of_its_parent() -> None:
    def leave(publisher: Publisher) -> None:
        with publisher:
            publisher.publish(an_event())
            if not os.fork():
                raise ZeroDivisionError
            transport.go.set()

    transport = Script(held=True)
    parent = os.getpid()
    try:
        leave(Publisher(transport=transport))
    except ZeroDivisionError as left:
        os._exit(7 if not hasattr(left, "__notes__") and not transport.closed else 1)
    finally:
        if os.getpid() != parent:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 7


# --- arguments --------------------------------------------------------------------------------------------------------


def test_a_publisher_needs_an_address_or_a_transport_and_not_both() -> None:
    with pytest.raises(Configuration, match="bootstrap_servers"):
        Publisher()
    with pytest.raises(Configuration, match="one of them"):
        Publisher("127.0.0.1:1", transport=Script())
    with pytest.raises(Configuration, match="schema_registry_mode is 'lookpu'; expected one of register, lookup"):
        Publisher("127.0.0.1:1", schema_registry_url="http://127.0.0.1:1", schema_registry_mode="lookpu")  # type: ignore[arg-type]
    with pytest.raises(Configuration, match="prefix"):
        Publisher("127.0.0.1:1", topic_prefix="no spaces")


def test_without_a_broker_there_is_an_error_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm_orchestrator_state.kafka.admin.Admin.__init__.__defaults__", (None, 0.2))
    with pytest.raises(Connection, match=r"no Kafka broker answered at 127\.0\.0\.1:1 within 0\.2 s"):
        Publisher("127.0.0.1:1").publish(an_event())
    with pytest.raises(Connection), Publisher("127.0.0.1:1"):
        pytest.fail("nothing is published without a broker")


def test_what_cannot_be_a_property_is_refused_before_anything_is_connected() -> None:
    with pytest.raises(Configuration, match="all publishers must agree"):
        Publisher("127.0.0.1:1", properties={"partitioner": "consistent"})
    with pytest.raises(Configuration, match="bootstrap_servers is empty"):
        Publisher("")
    with pytest.raises(Configuration, match="bootstrap_servers is a list; expected one text"):
        Publisher(["127.0.0.1:1"])  # type: ignore[arg-type]


# --- tracing ----------------------------------------------------------------------------------------------------------


def test_the_current_span_goes_with_the_event() -> None:
    transport = Script()
    span = NonRecordingSpan(
        SpanContext(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, is_remote=False, trace_flags=TraceFlags(1))
    )
    with Publisher(transport=transport) as publisher:
        publisher.publish(an_event())
        with trace.use_span(span):
            publisher.publish(an_event())
    assert [headers for _, _, headers in transport.sent] == [
        None,
        [("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")],
    ]


# --- names ------------------------------------------------------------------------------------------------------------


def test_public_names_are_exported_and_others_are_not() -> None:
    assert (
        set(llm_orchestrator_state.__all__) <= set(llm_orchestrator_state.EXPORTS) <= set(dir(llm_orchestrator_state))
    )
    for name in llm_orchestrator_state.__all__:
        assert getattr(llm_orchestrator_state, name).__name__ == name
    with pytest.raises(AttributeError, match="Publischer"):
        llm_orchestrator_state.Publischer  # noqa: B018


def test_the_outbox_tells_its_first_failure_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with failing() as publisher:
        for _ in range(3):
            publisher.publish(an_event())
        with pytest.raises(Connection):
            publisher.flush()
    assert len(caplog.records) == 1
    assert caplog.records[0].name == Outbox.__module__


def test_a_publisher_whose_failures_nobody_asks_for_tells_of_them_before_they_fill_the_memory() -> None:
    publisher = failing(KafkaError._MSG_TIMED_OUT)

    def go_on() -> None:
        for _ in range(MAX_UNTOLD + 1_000):
            publisher.publish(an_event(uuid4()))

    with pytest.raises(Connection, match=r"^10\d\d\d events were not delivered; the first: event "):
        go_on()
    assert len(publisher._outbox._untold) < 1_000
