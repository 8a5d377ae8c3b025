import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Publishes events, one a line of standard input in Avro's JSON encoding; prints partition and offset of each.
 *
 * Arguments: bootstrap servers, topic, schema file, id of the schema in a registry or "-".
 */
public final class Publisher {
    public static void main(String[] arguments) throws Exception {
        Schema schema = Framing.parse(Files.readString(Path.of(arguments[2])));
        byte[] header = arguments[3].equals("-")
            ? Framing.singleObject(schema) : Framing.confluent(Integer.parseInt(arguments[3]));
        GenericDatumReader<GenericRecord> json = new GenericDatumReader<>(schema);
        GenericDatumWriter<GenericRecord> avro = new GenericDatumWriter<>(schema);
        // no partitioner is set: Java's default is murmur2 of the key
        Map<String, Object> properties = Map.of("bootstrap.servers", arguments[0], "acks", "all");
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        try (KafkaProducer<String, byte[]> producer =
                 new KafkaProducer<>(properties, new StringSerializer(), new ByteArraySerializer())) {
            for (String line; (line = lines.readLine()) != null; ) {
                GenericRecord event = json.read(null, DecoderFactory.get().jsonDecoder(schema, line));
                ByteArrayOutputStream value = new ByteArrayOutputStream();
                value.write(header);
                BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(value, null);
                avro.write(event, encoder);
                encoder.flush();
                String run = event.get("run_id").toString();
                RecordMetadata at = producer.send(new ProducerRecord<>(arguments[1], run, value.toByteArray())).get();
                System.out.println(at.partition() + " " + at.offset());
            }
        }
    }
}
