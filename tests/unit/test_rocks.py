from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rocksdict import WriteBatch

from llm_orchestrator_state.errors import CorruptStore, ForeignStore, StateDirectory, StoreLocked
from llm_orchestrator_state.store import rocks, rocks_options
from llm_orchestrator_state.store.interface import Positions, Store, Stores
from llm_orchestrator_state.store.rocks import RocksStore, RocksStores
from llm_orchestrator_state.store.rocks_failures import as_state_error
from llm_orchestrator_state.store.slots import claim_slot

HERE = ("cluster-1", "topic-1")
AT = Positions(input=7, state=9, level_at=1_700_000_000.5)


@pytest.fixture
def stores(tmp_path: Path) -> RocksStores:
    return RocksStores(tmp_path, "llm.events", HERE)


def write(store: Store, *changes: tuple[bytes, bytes | None], at: Positions = AT) -> None:
    store.write(changes, at)


def files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def in_another_process(code: str) -> subprocess.CompletedProcess[str]:
    """Runs ``code`` and ends without closing anything, as a SIGKILL does."""
    return subprocess.run(
        [sys.executable, "-c", f"{code}\nimport os; os._exit(0)"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )


SETUP = """
from pathlib import Path
from llm_orchestrator_state.store.interface import Positions
from llm_orchestrator_state.store.rocks import RocksStores
from llm_orchestrator_state.store.slots import claim_slot
stores = RocksStores(Path({directory!r}), "llm.events", ("cluster-1", "topic-1"))
"""


@pytest.fixture
def other_worker(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """A process that runs code on the same state directory, says so, and stays."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-uc", SETUP.format(directory=str(tmp_path)) + code + "\nimport sys; sys.stdin.read()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_is_what_the_engine_needs(stores: RocksStores) -> None:
    as_stores: Stores = stores
    store: Store = as_stores.open(0)
    assert isinstance(store, RocksStore)
    store.close()


def test_a_new_store_has_no_positions_and_no_states(stores: RocksStores) -> None:
    store = stores.open(0)
    assert store.positions() is None
    assert list(store.items()) == []
    assert store.get_many([b"a", b"b"]) == [None, None]
    assert store.get_many([]) == []
    store.close()


@pytest.mark.parametrize("positions", [AT, AT._replace(input=None)])
def test_a_batch_and_its_positions_are_there_after_reopening(stores: RocksStores, positions: Positions) -> None:
    store = stores.open(3)
    write(store, (b"b", b"2"), (b"a", b"1"), (b"c", b""), (b"b", None), at=positions)
    store.close()
    again = stores.open(3)
    assert again.positions() == positions
    assert again.get_many([b"c", b"b", b"a"]) == [b"", None, b"1"]
    assert list(again.items()) == [(b"a", b"1"), (b"c", b"")]
    again.close()


def test_partitions_do_not_see_each_other(stores: RocksStores) -> None:
    first, second = stores.open(0), stores.open(1)
    write(first, (b"a", b"1"))
    assert second.get_many([b"a"]) == [None]
    assert second.positions() is None
    first.close()
    second.close()


def test_a_write_survives_the_death_of_the_process(tmp_path: Path, stores: RocksStores) -> None:
    in_another_process(
        SETUP.format(directory=str(tmp_path)) + 'stores.open(0).write([(b"a", b"1")], Positions(1, 2, 3.0))'
    )
    store = stores.open(0)
    assert store.get_many([b"a"]) == [b"1"]
    assert store.positions() == Positions(1, 2, 3.0)
    store.close()


def test_the_state_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    state_dir = tmp_path / "var" / "state"
    RocksStores(state_dir, "llm.events", HERE).open(0).close()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (state_dir.parent, state_dir, state_dir / "llm.events")] == [
        0o700
    ] * 3


def test_a_store_open_in_this_process_is_locked(stores: RocksStores) -> None:
    store = stores.open(0)
    with pytest.raises(StoreLocked):
        stores.open(0)
    store.close()
    stores.open(0).close()


def test_a_store_open_in_another_process_is_locked_until_that_ends(
    stores: RocksStores, other_worker: Callable[[str], subprocess.Popen[str]]
) -> None:
    process = other_worker('store = stores.open(0); store.write([(b"a", b"1")], Positions(1, 2, 3.0)); print("ready")')
    with pytest.raises(StoreLocked):
        stores.open(0)
    with pytest.raises(StoreLocked):
        stores.clear(0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    store = stores.open(0)
    assert store.get_many([b"a"]) == [b"1"]
    store.close()


@pytest.mark.parametrize("foreign", [("cluster-2", "topic-1"), ("cluster-1", "topic-2")])
def test_a_store_of_another_cluster_or_topic_is_refused_and_not_touched(
    tmp_path: Path, stores: RocksStores, foreign: tuple[str, str]
) -> None:
    store = stores.open(0)
    write(store, (b"a", b"1"))
    store.close()
    before = files(tmp_path)
    theirs = RocksStores(tmp_path, "llm.events", foreign)
    with pytest.raises(ForeignStore, match="another state directory"):
        theirs.open(0)
    with pytest.raises(ForeignStore):
        theirs.open_read_only(0)
    assert files(tmp_path) == before


def damage(path: Path, pattern: str) -> None:
    """Overwrite the middle of the largest of these files."""
    size, file = max((file.stat().st_size, file) for file in path.glob(pattern))
    with file.open("r+b") as opened:
        opened.seek(max(0, size // 2 - 50))
        opened.write(b"\xff" * 100)


def filled(stores: RocksStores, count: int = 20_000) -> Path:
    """Opened twice: the second time RocksDB puts the write-ahead log into a table file."""
    store = stores.open(0)
    write(store, *((b"%08d" % number, os.urandom(100)) for number in range(count)))
    store.close()
    stores.open(0).close()
    return stores.path(0)


def test_a_new_store_that_is_filled_without_the_log_has_the_last_value_of_each_key_when_it_is_read(
    stores: RocksStores,
) -> None:
    store = stores.open(0)
    for number in range(3):
        changes = [(b"%d" % key, None if (key + number) % 3 == 0 else b"%d" % number) for key in range(9)]
        store.write(changes, Positions(None, number, 0.0), logged=False)
    expected = [None if (key + 2) % 3 == 0 else b"2" for key in range(9)]
    assert store.get_many([b"%d" % key for key in range(9)]) == expected
    store.write([(b"3", b"logged")], Positions(None, 9, 0.0))
    store.close()
    store = stores.open(0)
    assert store.positions() == Positions(None, 9, 0.0)
    expected[3] = b"logged"
    assert dict(store.items()) == {b"%d" % key: value for key, value in enumerate(expected) if value is not None}
    store.close()


def test_of_a_store_whose_filling_is_broken_off_there_is_a_beginning(tmp_path: Path) -> None:
    """States and positions together, as far as they were in files when its process was killed."""
    in_another_process(f"""
import os
from pathlib import Path
from llm_orchestrator_state.store.interface import Positions
from llm_orchestrator_state.store.rocks import RocksStores
from llm_orchestrator_state.store.rocks_options import MIB, Memory
store = RocksStores(Path({str(tmp_path)!r}), "llm.events", {HERE}, Memory(MIB, MIB)).open(0)
for n in range(200):
    changes = [(b"%d" % (n * 100 + key), os.urandom(200)) for key in range(100)]
    store.write(changes, Positions(None, (n + 1) * 100, 0.0), logged=False)
""")
    store = RocksStores(tmp_path, "llm.events", HERE).open(0)
    positions = store.positions()
    assert positions is not None
    assert positions.state > 0
    assert {int(key) for key, _ in store.items()} == set(range(positions.state))
    store.close()


def test_a_damaged_manifest_is_corruption_and_the_store_is_moved_aside(stores: RocksStores) -> None:
    path = filled(stores, 10)
    damage(path, "MANIFEST-*")
    with pytest.raises(CorruptStore):
        stores.open(0)
    stores.clear(0)
    store = stores.open(0)
    assert store.positions() is None
    store.close()
    assert [aside.name.split("-")[0] for aside in path.parent.iterdir() if aside != path] == ["0.corrupt"]


def test_a_damaged_block_is_corruption_when_it_is_read(stores: RocksStores) -> None:
    path = filled(stores)
    damage(path, "*.sst")
    store = stores.open(0)
    with pytest.raises(CorruptStore):
        store.get_many([b"%08d" % number for number in range(20_000)])
    store.close()
    stores.clear(0)
    assert list(path.parent.glob("0.corrupt-*"))


def test_iteration_does_not_end_silently_at_a_damaged_block(stores: RocksStores) -> None:
    damage(filled(stores), "*.sst")
    store = stores.open(0)
    with pytest.raises(CorruptStore):
        list(store.items())
    store.close()


def test_a_store_that_is_no_longer_wanted_is_removed(stores: RocksStores) -> None:
    path = filled(stores, 10)
    stores.clear(0)
    assert list(path.parent.iterdir()) == []
    stores.clear(0)


def test_a_state_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateDirectory, match="is not a directory; use another directory, or"):
        RocksStores(tmp_path / "file", "llm.events", HERE).open(0)


def test_a_store_whose_manifest_is_missing_is_damaged(stores: RocksStores) -> None:
    path = filled(stores, 10)
    for manifest in path.glob("MANIFEST-*"):
        manifest.unlink()
    with pytest.raises(CorruptStore):
        stores.open(0)


@pytest.mark.parametrize(
    "text",
    [
        "IO error: While open a file for random read: /s/0/000012.sst: Too many open files",
        "IO error: No such file or directory: While opening a file for sequentially reading: /s/0/000012.log: No such file",
        "IO error: No space left on device: While appending to file: /s/0/000012.log: No space left on device",
        "IO error: Input/output error: While pread offset 0: /s/0/MANIFEST-000013: Input/output error",
    ],
)
def test_what_may_pass_is_not_called_corruption(text: str) -> None:
    failure = as_state_error(Exception(text), Path("/s/0"))
    assert not isinstance(failure, CorruptStore | StoreLocked | ForeignStore)
    assert ("make space" in str(failure)) == ("No space" in text)


def test_a_store_of_another_format_is_refused(stores: RocksStores) -> None:
    from rocksdict import Options, Rdict

    filled(stores, 10)
    database = Rdict(str(stores.path(0)), Options(raw_mode=True))
    database[b"m/format"] = b"2"
    database.close()
    with pytest.raises(StateDirectory, match="format b'2'"):
        stores.open(0)


def test_table_options_are_kept_on_reopening(stores: RocksStores) -> None:
    filled(stores, 10)
    stores.open(0).close()
    newest = max(stores.path(0).glob("OPTIONS-*"))
    assert "filter_policy=bloomfilter" in newest.read_text()
    assert "cache_index_and_filter_blocks=true" in newest.read_text()


def test_a_live_workers_store_can_be_read_while_it_writes(
    stores: RocksStores, other_worker: Callable[[str], subprocess.Popen[str]]
) -> None:
    """States and positions of each view belong together: every batch writes one number everywhere."""
    other_worker("""
import itertools, os, threading
store = stores.open(0)
def loop():
    for n in itertools.count():
        value = b"%d" % n
        changes = [(b"%04d" % k, value.ljust(2000, b".")) for k in range(500)]
        store.write(changes, Positions(n, n, 0.0))
        if n == 0:
            print("ready")
threading.Thread(target=loop, daemon=True).start()
""")
    seen: set[int] = set()
    began = time.monotonic()
    while time.monotonic() - began < 4 or len(seen) <= 3:
        assert time.monotonic() - began < 60
        view = stores.open_read_only(0)
        assert view
        positions = view.positions()
        assert positions
        states = list(view.items())
        assert len(states) == 500
        assert {int(value.rstrip(b".")) for _, value in states} == {positions.state}
        seen.add(positions.state)
        view.close()


def test_reading_only_refuses_to_write_and_tells_what_is_not_there(stores: RocksStores) -> None:
    assert stores.open_read_only(0) is None
    filled(stores, 1)
    view = stores.open_read_only(0)
    assert view
    with pytest.raises(StateDirectory):
        write(view, (b"a", b"1"))
    view.close()


def test_workers_of_a_host_have_different_slots_and_a_dead_ones_is_free_again(
    tmp_path: Path, other_worker: Callable[[str], subprocess.Popen[str]]
) -> None:
    code = f"assert claim_slot(Path({str(tmp_path)!r})).number == {{}}; print('ready')"
    first = other_worker(code.format(0))
    other_worker(code.format(1))
    assert claim_slot(tmp_path).number == 2
    assert claim_slot(tmp_path).number == 3
    first.kill()
    first.wait()
    assert claim_slot(tmp_path).number == 0


def test_positions_are_json(stores: RocksStores) -> None:
    """So that they can be read with RocksDB's own tools."""
    store = stores.open(0)
    write(store)
    assert json.loads(store._get(b"m/positions") or b"") == [7, 9, 1_700_000_000.5, None]
    store.close()


def test_the_positions_of_a_store_from_before_values_went_out_are_read(stores: RocksStores) -> None:
    store = stores.open(0)
    batch = WriteBatch(raw_mode=True)
    batch.put(b"m/positions", b"[7,9,1700000000.5]")
    store._write(batch)
    assert store.positions() == Positions(7, 9, 1_700_000_000.5, None)
    store.close()


def test_contexts_are_kept_beside_the_states_and_are_none_of_them(stores: RocksStores) -> None:
    store = stores.open(0)
    store.write([(b"run", b"state")], AT, [(b"run/1", b"{}"), (b"run/2", b"[]")])
    assert (store.context(b"run/1"), store.context(b"run/2"), store.context(b"run")) == (b"{}", b"[]", None)
    assert (list(store.items()), store.get_many([b"run/1"])) == ([(b"run", b"state")], [None])
    store.write([(b"run", None)], AT, [(b"run/1", None)])
    assert (store.context(b"run/1"), store.context(b"run/2"), list(store.items())) == (None, b"[]", [])
    store.close()


# --- what was deleted ---------------------------------------------------------------------------------------------------

MARKER = b"bQ7xLw2ZkT9vRj4NcY8mHd3P"
"""LZ4 leaves it as it is: nothing in it occurs twice."""


def holding(directory: Path) -> list[str]:
    return [name for name, content in files(directory).items() if MARKER in content]


def test_a_deleted_value_leaves_the_files_within_the_time_that_is_promised(
    tmp_path: Path, stores: RocksStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rocks_options, "FORGET_S", 1)
    monkeypatch.setattr(rocks, "TIDY_S", 0)
    store = stores.open(0)
    others = [(b"run-%03d" % n, os.urandom(200)) for n in range(500)]
    write(store, *others, (b"run-250-forgotten", MARKER))
    store._database.compact_range(None, None)
    write(store, *others)
    assert holding(tmp_path) != []
    write(store, (b"run-250-forgotten", None))
    deadline = time.monotonic() + 30
    at, notes = AT, 0
    while holding(tmp_path):
        assert time.monotonic() < deadline
        if notes < 4:  # eight files would be merged for their number
            notes += 1
            at = at._replace(level_at=at.level_at + 1)
            write(store, at=at)
        time.sleep(1.1)  # RocksDB counts a file's age in seconds
    assert store.get_many([b"run-250"]) == [others[250][1]]
    store.close()


def test_what_was_moved_aside_goes_after_a_week(
    tmp_path: Path, stores: RocksStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rocks, "TIDY_S", 0)
    now = int(time.time())
    old, young, anothers = (tmp_path / "llm.events" / name for name in
                            (f"0.corrupt-{now - 8 * 86_400}", f"0.corrupt-{now - 86_400}", f"1.corrupt-{now - 8 * 86_400}"))  # fmt: skip
    for directory in (old, young, anothers):
        directory.mkdir(parents=True)
        (directory / "000001.sst").write_bytes(MARKER)
    store = stores.open(0)
    for _ in range(2):
        write(store)
    assert [directory.exists() for directory in (old, young, anothers)] == [False, True, True]
    store.close()
