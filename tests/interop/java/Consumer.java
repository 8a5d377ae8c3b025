import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.io.JsonEncoder;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Reads topics from their start to their end and prints each record as a line of JSON, its value in Avro's JSON encoding.
 *
 * Arguments: bootstrap servers, directory schemas/history, address of a registry or "-", topics.
 */
public final class Consumer {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(String[] arguments) throws Exception {
        Framing framing = new Framing(Path.of(arguments[1]), arguments[2]);
        List<String> topics = Arrays.asList(arguments).subList(3, arguments.length);
        Map<String, Object> properties = Map.of(
            "bootstrap.servers", arguments[0],
            "isolation.level", "read_committed", // Java's default is read_uncommitted
            "enable.auto.commit", false);
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        try (KafkaConsumer<String, byte[]> consumer =
                 new KafkaConsumer<>(properties, new StringDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = topics.stream().flatMap(topic -> consumer.partitionsFor(topic).stream())
                .map(known -> new TopicPartition(known.topic(), known.partition())).toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            // by position: control records end a transaction, and are no records for a reader
            Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
            while (partitions.stream().anyMatch(each -> consumer.position(each) < ends.get(each))) {
                for (ConsumerRecord<String, byte[]> record : consumer.poll(Duration.ofMillis(100))) {
                    out.println(asJson(record, framing));
                }
            }
        }
        out.flush();
    }

    private static String asJson(ConsumerRecord<String, byte[]> record, Framing framing) throws Exception {
        ObjectNode line = JSON.createObjectNode();
        line.put("topic", record.topic()).put("partition", record.partition()).put("offset", record.offset());
        line.put("key", record.key());
        ObjectNode headers = line.putObject("headers");
        for (Header header : record.headers()) {
            headers.put(header.key(), new String(header.value(), StandardCharsets.UTF_8));
        }
        line.set("value", record.value() == null ? null : JSON.readTree(decoded(record.value(), framing)));
        return JSON.writeValueAsString(line);
    }

    private static byte[] decoded(byte[] message, Framing framing) throws Exception {
        ByteBuffer buffer = ByteBuffer.wrap(message);
        Schema schema = framing.writtenWith(buffer);
        Object datum = new GenericDatumReader<>(schema).read(null,
            DecoderFactory.get().binaryDecoder(message, buffer.position(), buffer.remaining(), null));
        ByteArrayOutputStream json = new ByteArrayOutputStream();
        JsonEncoder encoder = EncoderFactory.get().jsonEncoder(schema, json);
        new GenericDatumWriter<>(schema).write(datum, encoder);
        encoder.flush();
        return json.toByteArray();
    }
}
