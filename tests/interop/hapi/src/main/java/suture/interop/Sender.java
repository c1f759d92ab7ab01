package suture.interop;

import ca.uhn.hl7v2.HL7Exception;
import ca.uhn.hl7v2.HapiContext;
import ca.uhn.hl7v2.app.Connection;
import ca.uhn.hl7v2.llp.MinLowerLayerProtocol;
import ca.uhn.hl7v2.model.Message;
import ca.uhn.hl7v2.model.Segment;
import ca.uhn.hl7v2.model.Structure;
import ca.uhn.hl7v2.util.Terser;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Sends messages over connections that stay open, and reads the acknowledgements strictly. */
final class Sender {
    private static final int PATIENCE_SECONDS = 20;

    private final Map<String, Connection> open = new HashMap<>();

    /** Send a message; return what its acknowledgement says, and what is wrong with that. */
    Map<String, Object> send(String host, int port, String ca, String name, String controlId) throws Exception {
        Connection connection = connection(host, port, ca);
        Message answer = connection.getInitiator().sendAndReceive(Orders.named(name, controlId));
        Map<String, Object> told = Strict.described(answer);
        Terser terser = new Terser(answer);
        told.put("type", type(terser));
        told.put("code", terser.get("/MSA-1"));
        told.put("of", terser.get("/MSA-2"));
        told.put("to", terser.get("/MSH-5") + "|" + terser.get("/MSH-6"));
        told.put("errors", errors(answer));
        return told;
    }

    private Connection connection(String host, int port, String ca) throws Exception {
        String key = host + ":" + port;
        Connection found = open.get(key);
        if (found == null || !found.isOpen()) {
            boolean tls = !"-".equals(ca);
            HapiContext context = Strict.context();
            context.setLowerLayerProtocol(new MinLowerLayerProtocol(true));
            if (tls) {
                context.setSocketFactory(new Trust(Path.of(ca)));
            }
            found = context.newClient(host, port, tls);
            found.getInitiator().setTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS);
            open.put(key, found);
        }
        return found;
    }

    private static String type(Terser terser) throws HL7Exception {
        List<String> parts = new ArrayList<>();
        for (int component = 1; component <= 3; component++) {
            parts.add(terser.get("/MSH-9-" + component));
        }
        return String.join("^", parts);
    }

    private static List<Object> errors(Message answer) throws HL7Exception {
        List<Object> found = new ArrayList<>();
        for (Structure each : answer.getAll("ERR")) {
            Segment error = (Segment) each;
            if (!error.isEmpty()) {
                Map<String, Object> told = new LinkedHashMap<>();
                told.put("place", error.getField(2, 0).encode());
                told.put("condition", Terser.get(error, 3, 0, 1, 1));
                told.put("severity", Terser.get(error, 4, 0, 1, 1));
                found.add(told);
            }
        }
        return found;
    }
}
