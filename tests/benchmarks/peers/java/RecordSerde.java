import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.specific.SpecificDatumReader;
import org.apache.avro.specific.SpecificDatumWriter;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serializer;

/** Avro single-object encoding of one record type. Encoders and decoders are kept, one for each thread. */
final class RecordSerde<T extends SpecificRecord> implements Serde<T> {
    private static final int FIRST_SIZE = 8192;

    private final Schema schema;
    private final byte[] header;

    RecordSerde(Schema schema) {
        this.schema = schema;
        header = ByteBuffer.allocate(10).order(ByteOrder.LITTLE_ENDIAN)
            .put((byte) 0xC3).put((byte) 0x01)
            .putLong(SchemaNormalization.parsingFingerprint64(schema))
            .array();
    }

    private static final class Output {
        final ByteArrayOutputStream bytes = new ByteArrayOutputStream(FIRST_SIZE);
        final BinaryEncoder encoder = EncoderFactory.get().binaryEncoder(bytes, null);
    }

    @Override
    public Serializer<T> serializer() {
        SpecificDatumWriter<T> writer = new SpecificDatumWriter<>(schema);
        ThreadLocal<Output> outputs = ThreadLocal.withInitial(Output::new);
        return (topic, record) -> {
            if (record == null) return null;
            Output output = outputs.get();
            output.bytes.reset();
            output.bytes.writeBytes(header);
            try {
                writer.write(record, output.encoder);
                output.encoder.flush();
            } catch (IOException failure) {
                throw new UncheckedIOException(failure);
            }
            return output.bytes.toByteArray();
        };
    }

    @Override
    public Deserializer<T> deserializer() {
        SpecificDatumReader<T> reader = new SpecificDatumReader<>(schema);
        ThreadLocal<BinaryDecoder> decoders = new ThreadLocal<>();
        return (topic, message) -> {
            if (message == null) return null;
            int length = message.length - header.length;
            BinaryDecoder decoder = DecoderFactory.get().binaryDecoder(message, header.length, length, decoders.get());
            decoders.set(decoder);
            try {
                return reader.read(null, decoder);
            } catch (IOException failure) {
                throw new UncheckedIOException(failure);
            }
        };
    }
}
