#!/usr/bin/env bash
# KAFKA_HEAP_OPTS, KAFKA_LOG4J_OPTS and KAFKA_OPTS mean what they mean to Kafka's own script.
exec java ${KAFKA_HEAP_OPTS:--Xmx256M} -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    ${KAFKA_LOG4J_OPTS:--Dlog4j2.configurationFile=/etc/kafka/docker/log4j2.yaml} $KAFKA_OPTS \
    -cp '/opt/kafka/libs/*' "$@"
