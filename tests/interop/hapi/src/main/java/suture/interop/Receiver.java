package suture.interop;

import ca.uhn.hl7v2.AcknowledgmentCode;
import ca.uhn.hl7v2.ErrorCode;
import ca.uhn.hl7v2.HL7Exception;
import ca.uhn.hl7v2.HapiContext;
import ca.uhn.hl7v2.app.HL7Service;
import ca.uhn.hl7v2.llp.MinLowerLayerProtocol;
import ca.uhn.hl7v2.model.Message;
import ca.uhn.hl7v2.protocol.ReceivingApplication;
import ca.uhn.hl7v2.protocol.ReceivingApplicationException;
import ca.uhn.hl7v2.util.Terser;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Receives messages, reads them strictly, keeps what it read, and answers as it was told to. */
final class Receiver implements ReceivingApplication<Message> {
    private final List<Object> received = new ArrayList<>();
    private final Deque<AcknowledgmentCode> answers = new ArrayDeque<>();

    /** Receive at a port from now on; return the port. */
    int listen(int port) throws InterruptedException {
        HapiContext context = Strict.context();
        context.setLowerLayerProtocol(new MinLowerLayerProtocol(true));
        HL7Service service = context.newServer(port, false);
        service.registerApplication(this);
        service.setExceptionHandler((raw, metadata, answer, failure) -> {
            refuse(failure);
            return answer;
        });
        service.startAndWait();
        return port;
    }

    /** Answer the next messages by these codes; return how many answers wait. */
    synchronized int answer(List<String> codes) {
        codes.forEach(code -> answers.add(AcknowledgmentCode.valueOf(code)));
        return answers.size();
    }

    /** What came so far, in its order. */
    synchronized List<Object> received() {
        return new ArrayList<>(received);
    }

    private synchronized void refuse(Exception failure) {
        Map<String, Object> told = new LinkedHashMap<>();
        told.put("refused", failure.getMessage());
        received.add(told);
    }

    @Override
    public boolean canProcess(Message message) {
        return true;
    }

    @Override
    public synchronized Message processMessage(Message message, Map<String, Object> metadata)
            throws ReceivingApplicationException, HL7Exception {
        AcknowledgmentCode code = answers.isEmpty() ? AcknowledgmentCode.AA : answers.remove();
        Terser terser = new Terser(message);
        Map<String, Object> told = Strict.described(message);
        told.put("id", terser.get("/MSH-10"));
        told.put("to", terser.get("/MSH-5"));
        told.put("control", controlOf(terser));
        told.put("answered", code.name());
        received.add(told);
        HL7Exception fault = new HL7Exception("asked for", ErrorCode.APPLICATION_INTERNAL_ERROR);
        try {
            return message.generateACK(code, code == AcknowledgmentCode.AA ? null : fault);
        } catch (IOException failure) {
            throw new HL7Exception(failure);
        }
    }

    private static String controlOf(Terser terser) {
        try {
            return terser.get("/.ORC-1-1");
        } catch (HL7Exception none) {
            return null;
        }
    }
}
