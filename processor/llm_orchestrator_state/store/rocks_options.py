"""RocksDB options, and the memory that all databases of a process share."""

from __future__ import annotations

from rocksdict import BlockBasedOptions, Cache, DBCompressionType, MemtableFactory, Options, WriteBufferManager

MIB = 1024 * 1024

FORGET_S = 24 * 3600
"""Within which what was deleted leaves the table files too: older ones are merged with those below them, in which the
deleted value is. RocksDB's own default is 30 days."""

MAX_OPEN_FILES = 128
"""Table files that one database of a worker keeps open."""


class Memory:
    """block_cache: bytes of blocks, indexes and filters kept. write_buffer: bytes not yet in a table file."""

    def __init__(self, block_cache: int = 64 * MIB, write_buffer: int = 64 * MIB) -> None:
        self._cache = Cache(block_cache)
        # no stall: a flush begins at 7/8 of it, and a worker that stopped here would miss its heartbeats
        self._write_buffers = WriteBufferManager(write_buffer, allow_stall=False)
        self._write_buffer = write_buffer

    @staticmethod
    def later_options() -> dict[str, str]:
        """Those that rocksdict sets only on an open database."""
        return {"ttl": str(FORGET_S)}

    def options(self, *, read_only: bool = False, filling: bool = False) -> Options:
        """filling: for a database that is written and not read yet. What was written is sorted when it goes to a file, by
        RocksDB's own thread, instead of at each write: that takes two thirds of a write's time.
        """
        blocks = BlockBasedOptions()
        blocks.set_block_cache(self._cache)
        # 1 % of false positives: most events of a new run ask for a key that is not there
        blocks.set_bloom_filter(10, block_based=False)
        blocks.set_cache_index_and_filter_blocks(True)
        blocks.set_pin_l0_filter_and_index_blocks_in_cache(True)
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_block_based_table_factory(blocks)
        options.set_write_buffer_manager(self._write_buffers)
        options.set_write_buffer_size(self._write_buffer // 2)
        options.set_max_total_wal_size(self._write_buffer)
        options.set_compression_type(DBCompressionType.lz4())
        options.set_max_background_jobs(2)
        # twice the default: half the rewriting during a cold restore (12 % less CPU), and a lookup's filters are cheap
        options.set_level_zero_file_num_compaction_trigger(8)
        if filling:
            options.set_memtable_factory(MemtableFactory.vector())
            options.set_allow_concurrent_memtable_write(False)  # it cannot
            # fewer and larger merges, up to just below where RocksDB stops writes
            options.set_level_zero_file_num_compaction_trigger(16)
            options.set_level_zero_slowdown_writes_trigger(32)
        # a reader beside a live worker opens every file at once: compaction unlinks them under it
        options.set_max_open_files(-1 if read_only else MAX_OPEN_FILES)
        options.set_keep_log_file_num(2)
        options.set_max_log_file_size(MIB)
        # statistics nobody reads, written by a thread that would wake an idle process
        options.set_stats_dump_period_sec(0)
        options.set_stats_persist_period_sec(0)
        return options
