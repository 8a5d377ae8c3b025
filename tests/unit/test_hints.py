"""Commands in messages lead to where the command that tells them worked."""

from __future__ import annotations

import pytest

from llm_orchestrator_state.hints import command, repeating
from llm_orchestrator_state.kafka.problems import create_command


def test_a_command_is_plain_where_nothing_was_given_by_flag() -> None:
    assert command("rejections", "list") == "llm-orchestrator-state rejections list"


def test_a_command_repeats_where_by_flag_the_last_of_each_and_nothing_secret() -> None:
    flags = [
        ("bootstrap_servers", "b:1"), ("properties", "sasl.password=x"), ("topic_prefix", "old"), ("topic_prefix", "demo-1"),
        ("schema_registry_url", "http://user:secret@registry"), ("group", "g"),
    ]  # fmt: skip
    with repeating(flags, "my settings.toml"):
        assert command("worker") == (
            "llm-orchestrator-state worker --config 'my settings.toml' --topic-prefix demo-1 --group g "
            "--bootstrap-servers b:1"
        )


def test_a_flag_that_the_command_has_itself_is_not_repeated() -> None:
    with repeating([("topic_prefix", "demo-1"), ("bootstrap_servers", "b:1")], None):
        assert create_command("other", "--checkpoints", "off") == (
            "llm-orchestrator-state topics create --topic-prefix other --checkpoints off --bootstrap-servers b:1"
        )


def test_nothing_is_repeated_after_the_command_line_has_ended() -> None:
    with pytest.raises(ValueError, match="over"), repeating([("topic_prefix", "demo-1")], None):
        raise ValueError("over")
    assert command("list") == "llm-orchestrator-state list"
