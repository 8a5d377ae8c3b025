"""For the tests of programs that publish events, read states, or keep them in a store; and for new stores' own tests.

The whole pipeline in memory: the same fold and the same codecs as the processor's, and no broker::

    pipeline = InMemoryPipeline()
    pipeline.publish(event)                    # a TransitionEvent, or a line of the JSON lines form as a dict
    assert pipeline.state(event.run_id).status == "pending"

A program that is given its publisher and reader is tested with those of the pipeline::

    with pipeline.publisher() as publisher, pipeline.reader() as reader:
        program(publisher, reader)
"""

from .blocking import blocking, event_loop
from .conformance import StateStoreConformance
from .log import RejectedEvent
from .pipeline import InMemoryPipeline
from .stores import AsyncInMemoryStateStore, InMemoryStateStore

__all__ = [
    "AsyncInMemoryStateStore",
    "InMemoryPipeline",
    "InMemoryStateStore",
    "RejectedEvent",
    "StateStoreConformance",
    "blocking",
    "event_loop",
]
