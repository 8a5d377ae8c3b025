"""Brokers whose clients come through a network that fails, while the brokers themselves are connected well."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from llm_orchestrator_state.local.ports import free_ports
from tests.cluster import KafkaCluster
from tests.faults.proxy import Proxy

PROXIED = "PROXIED"


class ProxiedCluster(KafkaCluster):
    """bootstrap is past the proxies: for the test itself. Whoever comes by `proxied` is told the proxies' addresses."""

    def __init__(self, directory: Path, size: int = 1) -> None:
        self.proxies: list[Proxy] = []
        super().__init__(directory, size, listeners={PROXIED: "PLAINTEXT"})

    @property
    def proxied(self) -> str:
        return ",".join(proxy.address for proxy in self.proxies)

    def _advertised(self, listener: str, number: int) -> str:
        [port] = free_ports(1)
        proxy = Proxy(port, self._more[listener][number])
        self.proxies.append(proxy)
        return proxy.address

    def __enter__(self) -> Self:
        for proxy in self.proxies:
            proxy.start()
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        for proxy in self.proxies:
            proxy.close()
