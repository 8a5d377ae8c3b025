import java.util.Properties;
import llm.orchestrator.state.TransitionEvent;
import llm.orchestrator.state.WorkflowState;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.Stores;

/**
 * The processor as one writes it with Kafka Streams: groupByKey, aggregate into a RocksDB store with its changelog, and
 * every changed state to a topic; exactly once. Configured by environment variables, ended by SIGTERM.
 */
public final class Peer {
    private static volatile boolean began;

    public static void main(String[] arguments) {
        KafkaStreams streams = new KafkaStreams(topology(), properties());
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.ERROR) Runtime.getRuntime().halt(1);
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            // a group without members can be deleted
            streams.close(CloseOptions.groupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP));
            Runtime.getRuntime().halt(0);
        }));
        streams.start();
    }

    private static Topology topology() {
        RecordSerde<TransitionEvent> events = new RecordSerde<>(TransitionEvent.getClassSchema());
        RecordSerde<WorkflowState> states = new RecordSerde<>(WorkflowState.getClassSchema());
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(given("EVENTS"), Consumed.with(Serdes.String(), events))
            .groupByKey()
            .<WorkflowState>aggregate(() -> null, (runId, event, state) -> applied(event, state),
                Materialized.<String, WorkflowState>as(Stores.persistentKeyValueStore("runs"))
                    .withKeySerde(Serdes.String())
                    .withValueSerde(states))
            .toStream()
            .to(given("STATES"), Produced.with(Serdes.String(), states));
        return builder.build();
    }

    private static WorkflowState applied(TransitionEvent event, WorkflowState state) {
        if (!began) {
            began = true;
            // System.nanoTime() is the clock of Python's perf_counter(), CLOCK_MONOTONIC
            System.out.println("{\"what\":\"began\",\"at\":" + System.nanoTime() / 1e9 + "}");
        }
        return Fold.apply(event, state);
    }

    private static Properties properties() {
        Properties all = new Properties();
        all.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, given("BOOTSTRAP"));
        all.put(StreamsConfig.APPLICATION_ID_CONFIG, given("GROUP"));
        all.put(StreamsConfig.STATE_DIR_CONFIG, given("DIRECTORY"));
        all.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        all.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, given("WORKERS"));
        all.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, given("COMMIT_MS"));
        // a thread that waits for events does not commit meanwhile: the default, 100, would be the least latency
        all.put(StreamsConfig.POLL_MS_CONFIG, Math.min(100, Long.parseLong(given("COMMIT_MS"))));
        all.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, given("CACHE_BYTES"));
        all.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");
        all.put(StreamsConfig.producerPrefix("compression.type"), given("COMPRESSION"));
        return all;
    }

    private static String given(String name) {
        String value = System.getenv("PEER_" + name);
        if (value == null) throw new IllegalArgumentException("PEER_" + name + " is not set");
        return value;
    }
}
