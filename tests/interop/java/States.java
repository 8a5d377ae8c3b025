import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Prints every run as a line of JSON: its id, its version, its context and its steps' outputs, with the values that are too
 * large for its state.
 *
 * Arguments: bootstrap servers, directory schemas/history, address of a registry or "-", prefix of the topics.
 */
public final class States {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int TRIES = 10;

    /** Where a record is. An offset stays right: compaction moves no record to another one. */
    private record Place(TopicPartition partition, long offset) { }

    /** The state refers to an output that is not there: the run has gone on. */
    private static final class Gone extends Exception {
        private static final long serialVersionUID = 1L;
    }

    private final KafkaConsumer<String, byte[]> consumer;
    private final Framing framing;
    private Map<String, Place> outputs = Map.of();

    private States(KafkaConsumer<String, byte[]> consumer, Framing framing) {
        this.consumer = consumer;
        this.framing = framing;
    }

    public static void main(String[] arguments) throws Exception {
        Framing framing = new Framing(Path.of(arguments[1]), arguments[2]);
        Map<String, Object> properties = Map.of(
            "bootstrap.servers", arguments[0],
            "isolation.level", "read_committed",
            "enable.auto.commit", false);
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        try (KafkaConsumer<String, byte[]> consumer =
                 new KafkaConsumer<>(properties, new StringDeserializer(), new ByteArrayDeserializer())) {
            States states = new States(consumer, framing);
            for (int tries = 1; ; tries++) {
                // the states first: what they refer to is then among the outputs, or the run has gone on
                Map<String, Place> runs = states.latest(arguments[3] + ".state");
                states.outputs = states.latest(arguments[3] + ".outputs");
                try {
                    for (Place place : runs.values()) {
                        out.println(JSON.writeValueAsString(states.resolved(place)));
                    }
                    break;
                } catch (Gone gone) {
                    if (tries == TRIES) {
                        throw gone;
                    }
                }
            }
        }
        out.flush();
    }

    /** By key, where the last record is that is no tombstone; up to the end as it is now. */
    private Map<String, Place> latest(String topic) {
        Map<String, Place> found = new TreeMap<>();
        Collection<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
            .map(known -> new TopicPartition(known.topic(), known.partition())).toList();
        consumer.assign(partitions);
        consumer.seekToBeginning(partitions);
        Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
        while (partitions.stream().anyMatch(each -> consumer.position(each) < ends.get(each))) {
            for (ConsumerRecord<String, byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                if (record.value() == null) {
                    found.remove(record.key());
                } else {
                    found.put(record.key(), new Place(new TopicPartition(topic, record.partition()), record.offset()));
                }
            }
        }
        return found;
    }

    private ObjectNode resolved(Place place) throws Exception {
        byte[] message = fetch(place);
        ByteBuffer buffer = ByteBuffer.wrap(message);
        Schema schema = framing.writtenWith(buffer);
        GenericRecord state = new GenericDatumReader<GenericRecord>(schema).read(null,
            DecoderFactory.get().binaryDecoder(message, buffer.position(), buffer.remaining(), null));
        String run = state.get("id").toString();
        ObjectNode line = JSON.createObjectNode();
        line.put("id", run).put("version", (Long) state.get("version"));
        line.set("context", value(run, state.get("context"), state.get("context_ref")));
        ObjectNode steps = line.putObject("outputs");
        for (Map.Entry<?, ?> step : ((Map<?, ?>) state.get("steps")).entrySet()) {
            GenericRecord record = (GenericRecord) step.getValue();
            steps.set(step.getKey().toString(), value(run, record.get("outputs"), record.get("outputs_ref")));
        }
        return line;
    }

    private JsonNode value(String run, Object text, Object reference) throws Exception {
        if (reference == null) {
            return text == null ? null : JSON.readTree(text.toString());
        }
        GenericRecord ref = (GenericRecord) reference;
        Place place = outputs.get(run + "/" + ref.get("n"));
        if (place == null) {
            throw new Gone();
        }
        byte[] found = fetch(place);
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(found);
        if (!ByteBuffer.wrap(digest).equals(ref.get("sha256"))) {
            throw new IOException("output " + run + "/" + ref.get("n") + " is not what the run refers to");
        }
        return JSON.readTree(found);
    }

    private byte[] fetch(Place place) throws Gone {
        consumer.assign(List.of(place.partition()));
        consumer.seek(place.partition(), place.offset());
        while (true) {
            for (ConsumerRecord<String, byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                if (record.offset() != place.offset()) {
                    throw new Gone();
                }
                return record.value();
            }
        }
    }
}
