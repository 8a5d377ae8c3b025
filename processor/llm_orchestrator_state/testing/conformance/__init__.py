"""What every state store must do, as tests that run against any."""

from .checkpoints import Checkpoints
from .concurrency import Concurrency
from .deleting import Deleting
from .lists import Lists
from .loading import Loading
from .saving import Saving
from .values import Values

__all__ = ["StateStoreConformance"]


class StateStoreConformance(Saving, Loading, Values, Lists, Checkpoints, Deleting, Concurrency):
    """Tests of a StateStore, for pytest; each a sentence. Give a fixture ``store``, and they run::

        class TestMyStore(StateStoreConformance):
            @pytest.fixture
            def store(self):
                with MyStore() as store:
                    yield store

    One store may serve all of them, and may hold other runs: each test makes runs of its own, and deletes only what was
    updated before 1980. An asynchronous store goes through ``blocking()``. For messages that show values, call
    ``pytest.register_assert_rewrite("llm_orchestrator_state.testing.conformance")`` before this is imported.
    """
