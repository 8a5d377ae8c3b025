import java.nio.ByteBuffer;
import java.util.UUID;

/** The last ids of events that were applied to a run, 8 bytes each, newest last. */
final class Window {
    private static final int BYTES = 8 * 32;

    /** 8 bytes that stand for an event's id: the XOR of its halves. */
    static long shortId(String eventId) {
        UUID id = UUID.fromString(eventId);
        return id.getMostSignificantBits() ^ id.getLeastSignificantBits();
    }

    static boolean remembers(ByteBuffer window, long id) {
        for (int at = window.position(); at < window.limit(); at += 8) {
            if (window.getLong(at) == id) return true;
        }
        return false;
    }

    static ByteBuffer with(ByteBuffer window, long id) {
        ByteBuffer old = window.duplicate();
        if (old.remaining() == BYTES) old.position(old.position() + 8);
        return ByteBuffer.allocate(old.remaining() + 8).put(old).putLong(id).flip();
    }
}
