"""For the tests of programs that publish events, read states, or keep them in a store; and for new stores' own tests.

The whole pipeline in memory: the same fold and the same codecs as the processor's, and no broker::

    pipeline = InMemoryPipeline()
    pipeline.publish(event)                    # a TransitionEvent, or a line of the JSON lines form as a dict
    assert pipeline.state(event.run_id).status == "pending"

A program that is given its publisher is tested with one of the pipeline's::

    with pipeline.publisher() as publisher:
        program(publisher)
"""

from .blocking import blocking, event_loop
from .conformance import StateStoreConformance
from .pipeline import AsyncInMemoryReader, InMemoryPipeline, RejectedEvent
from .stores import AsyncInMemoryStateStore, InMemoryStateStore

__all__ = [
    "AsyncInMemoryReader",
    "AsyncInMemoryStateStore",
    "InMemoryPipeline",
    "InMemoryStateStore",
    "RejectedEvent",
    "StateStoreConformance",
    "blocking",
    "event_loop",
]
