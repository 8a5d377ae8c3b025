"""A network that fails: a proxy in front of a broker, which advertises the proxy's port.

proxy.now(Conditions(held=BOTH))   # a cut: what is sent is not lost, but arrives when it is over, as with TCP
proxy.now(Conditions(latency_s=0.05, jitter_s=0.05))
proxy.tear(Way.RESPONSE, END_TXN)  # the next answer to one breaks off in its middle
proxy.now(CALM)
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

from llm_orchestrator_state.local.ports import LOOPBACK
from tests.faults.frames import Frame, Frames, Way

BOTH = frozenset(Way)

MOST_HELD = 1_000
"""Frames that are under way in one direction of a connection; who sends more has to wait, as TCP has it."""


class Conditions(NamedTuple):
    """Of the network between the clients and one broker.

    held: the ways on which nothing passes. apis: only frames of these requests are held, and what follows them on
    their connection; None: all. latency_s, jitter_s: of each frame, at least, and at most so much more.
    """

    held: frozenset[Way] = frozenset()
    apis: frozenset[int] | None = None
    latency_s: float = 0.0
    jitter_s: float = 0.0

    def holds(self, frame: Frame) -> bool:
        return frame.way in self.held and (self.apis is None or frame.api in self.apis)


CALM = Conditions()


class _Tear(NamedTuple):
    way: Way
    api: int | None

    def hits(self, frame: Frame) -> bool:
        return frame.way is self.way and self.api in {None, frame.api}


class _Torn(Exception):
    """A connection that is to be reset."""


_Pipe = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_Read = Callable[[asyncio.StreamReader], Awaitable[Frame]]
_UnderWay = asyncio.Queue[tuple[float, Frame] | None]
"""With the moment of the loop's clock at which each is due."""


class Proxy:
    """Its methods may be called from any thread. It serves from start() to close()."""

    def __init__(self, port: int, broker_port: int) -> None:
        self.address = f"{LOOPBACK}:{port}"
        self._port = port
        self._broker_port = broker_port
        self._conditions = CALM
        self._tear: _Tear | None = None
        self._torn = threading.Event()
        self._chance = random.Random(port)
        self._changed = asyncio.Condition()
        self._connections: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    def now(self, conditions: Conditions) -> None:
        """From now on, also for what is under way."""
        asyncio.run_coroutine_threadsafe(self._change(conditions), self._loop).result()

    def tear(self, way: Way, api: int | None = None) -> None:
        """The next such frame breaks off in its middle, and its connection is reset. api: None: whichever comes."""
        self._torn.clear()
        self._tear = _Tear(way, api)

    def torn(self, within_s: float) -> bool:
        """Whether it has happened; waits for it."""
        return self._torn.wait(within_s)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    # --- in the proxy's thread ----------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, self._port)

    async def _change(self, conditions: Conditions) -> None:
        async with self._changed:
            self._conditions = conditions
            self._changed.notify_all()

    async def _end(self) -> None:
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await asyncio.sleep(0)  # for the loop to close what they have reset

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            broker_reader, broker_writer = await asyncio.open_connection(LOOPBACK, self._broker_port)
        except (OSError, asyncio.CancelledError):  # the broker is away, or this proxy: whoever connects is told so
            writer.transport.abort()
            self._connections.discard(task)
            return
        ended = False
        try:
            await self._relay((reader, broker_writer), (broker_reader, writer))
            ended = True
        except* _Torn:
            pass
        finally:
            if not ended:
                _reset(writer)
                _reset(broker_writer)
            self._connections.discard(task)

    async def _relay(self, requests: _Pipe, responses: _Pipe) -> None:
        """Until both ways have come to their end, and what was sent on them has arrived."""
        frames = Frames()
        async with asyncio.TaskGroup() as ways:
            ways.create_task(self._pass(frames.request, *requests))
            ways.create_task(self._pass(frames.response, *responses))
        for _, writer in (requests, responses):
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _pass(self, read: _Read, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One way of a connection, until its sender ends it: what was sent before arrives, however late."""
        under_way: _UnderWay = asyncio.Queue(MOST_HELD)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._collect(read, reader, under_way))
                both.create_task(self._deliver(under_way, writer))
        except* OSError:  # its receiver is gone; the other way may have something to deliver yet
            pass

    async def _collect(self, read: _Read, reader: asyncio.StreamReader, under_way: _UnderWay) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                frame = await read(reader)
                await under_way.put((self._due(), frame))
        await under_way.put(None)

    def _due(self) -> float:
        found = self._conditions
        return self._loop.time() + found.latency_s + self._chance.random() * found.jitter_s

    async def _deliver(self, under_way: _UnderWay, writer: asyncio.StreamWriter) -> None:
        while item := await under_way.get():
            due, frame = item
            if (wait_s := due - self._loop.time()) > 0:
                await asyncio.sleep(wait_s)
            if self._conditions.holds(frame):
                await self._let_through(frame)
            if self._tear and self._tear.hits(frame):
                self._tear = None
                writer.write(frame.data[: len(frame.data) // 2])
                await writer.drain()
                self._torn.set()
                raise _Torn
            writer.write(frame.data)
            await writer.drain()
        writer.write_eof()

    async def _let_through(self, frame: Frame) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: not self._conditions.holds(frame))


def _reset(writer: asyncio.StreamWriter) -> None:
    """RST instead of FIN: linger 0 (socket(7))."""
    connection = writer.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
