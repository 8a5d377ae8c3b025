"""Settings of topics that are there, changed as an operator changes them."""

from __future__ import annotations

from confluent_kafka.admin import (  # type: ignore[attr-defined] # the binding's package has no __all__
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)

from llm_orchestrator_state.kafka.admin import Admin


def alter(admin: Admin, topic: str, **settings: str) -> None:
    """settings: by their Kafka names, with _ for each dot. Raises KafkaException."""
    resource = ConfigResource(
        ConfigResource.Type.TOPIC,
        topic,
        incremental_configs=[
            ConfigEntry(name.replace("_", "."), value, incremental_operation=AlterConfigOpType.SET)
            for name, value in settings.items()
        ],
    )
    for future in admin.client.incremental_alter_configs([resource]).values():
        future.result()
