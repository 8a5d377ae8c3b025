"""A schema registry behind TLS and a password, with the settings as they are given."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("confluent_kafka.schema_registry", reason="the extra `registry` is not installed")

from llm_orchestrator_state.errors import Connection
from llm_orchestrator_state.kafka.registry import ConfluentRegistry
from llm_orchestrator_state.kafka.topics import TopicSet
from llm_orchestrator_state.settings_sources import load
from llm_orchestrator_state.wire.codec import Codec
from tests.integration.gate import certificate, gate
from tests.integration.registry import SchemaRegistry

CREDENTIALS = "worker:s:cret"


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    return certificate(tmp_path)


@pytest.fixture
def address(schema_registry: SchemaRegistry, authority: Path) -> Iterator[str]:
    with gate(schema_registry.url, authority, CREDENTIALS) as open_at:
        yield open_at


def prepared(prefix: str, tmp_path: Path, toml: str, **environ: str) -> None:
    """As a worker that starts: from a file and the environment."""
    file = tmp_path / "settings.toml"
    file.write_text(toml)
    named = {f"LLM_ORCHESTRATOR_STATE_SCHEMA_REGISTRY_{name.upper()}": value for name, value in environ.items()}
    settings = load(config=str(file), environ=named)
    assert settings.schema_registry_url
    Codec(
        ConfluentRegistry(settings.schema_registry_url, TopicSet(prefix), settings.schema_registry_properties)
    ).prepare()


def test_the_authority_is_of_the_file_and_the_password_of_the_environment(
    address: str, authority: Path, topic_prefix: str, tmp_path: Path
) -> None:
    toml = f'schema_registry_url = "{address}"\n[schema_registry_properties]\n"ssl.ca.location" = "{authority}"\n'
    prepared(topic_prefix, tmp_path, toml, properties=f"basic.auth.user.info={CREDENTIALS}")
    with_password = address.replace("//", "//worker:s%3Acret@")
    prepared(topic_prefix, tmp_path, toml, url=with_password)


def test_a_wrong_password_is_told_and_not_shown(
    address: str, authority: Path, topic_prefix: str, tmp_path: Path
) -> None:
    given = f"ssl.ca.location={authority},basic.auth.user.info=worker:wrong-one"
    with pytest.raises(Connection, match=r"refused the credentials \(HTTP 401") as raised:
        prepared(topic_prefix, tmp_path, "", url=address, properties=given)
    assert "wrong-one" not in str(raised.value)


def test_a_certificate_of_an_unknown_authority_is_told(address: str, topic_prefix: str, tmp_path: Path) -> None:
    with pytest.raises(
        Connection, match=r"CERTIFICATE_VERIFY_FAILED.*; give its authority's certificate as ssl.ca.location"
    ):
        prepared(topic_prefix, tmp_path, "", url=address)
