import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;

/** Which schema a message was written with: by its fingerprint among the shipped ones, or by its id in a registry. */
final class Framing {
    private final Map<Long, Schema> shipped = new HashMap<>();
    private final Map<Integer, Schema> registered = new HashMap<>();
    private final String registry;

    /** history: the directory schemas/history; registry: an address, or "-". */
    Framing(Path history, String registry) throws IOException {
        this.registry = registry;
        try (Stream<Path> files = Files.walk(history)) {
            for (Path file : (Iterable<Path>) files.filter(path -> path.toString().endsWith(".avsc"))::iterator) {
                Schema schema = parse(Files.readString(file));
                shipped.put(SchemaNormalization.parsingFingerprint64(schema), schema);
            }
        }
    }

    static Schema parse(String text) {
        return new Schema.Parser().parse(text);
    }

    /** What a message begins with in Avro's single-object encoding. */
    static byte[] singleObject(Schema schema) {
        return ByteBuffer.allocate(10).order(ByteOrder.LITTLE_ENDIAN).put((byte) 0xC3).put((byte) 0x01)
            .putLong(SchemaNormalization.parsingFingerprint64(schema)).array();
    }

    /** What a message begins with where a registry has the schema under this id. */
    static byte[] confluent(int id) {
        return ByteBuffer.allocate(5).put((byte) 0).putInt(id).array();
    }

    /** The schema of the message; the buffer is then at the datum. */
    Schema writtenWith(ByteBuffer message) throws IOException, InterruptedException {
        if (message.get() == 0) {
            int id = message.getInt();
            if (!registered.containsKey(id)) {
                registered.put(id, fetch(id));
            }
            return registered.get(id);
        }
        if (message.get() != 0x01) {
            throw new IOException("neither single-object nor Confluent framing");
        }
        long fingerprint = message.order(ByteOrder.LITTLE_ENDIAN).getLong();
        if (!shipped.containsKey(fingerprint)) {
            throw new IOException("no shipped schema has the fingerprint " + Long.toHexString(fingerprint));
        }
        return shipped.get(fingerprint);
    }

    private Schema fetch(int id) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(registry + "/schemas/ids/" + id)).build();
        String body = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body();
        return parse(new ObjectMapper().readTree(body).get("schema").asText());
    }
}
