package suture.interop;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A peer that is told what to do: each line of standard input is a command with its words parted by tabs, and is
 * answered by one line of JSON.
 *
 * <pre>
 * check    MESSAGE                  what HAPI says of a message (UTF-8, in Base64)
 * send     HOST PORT CA NAME ID     send a message under a control id; CA is a PEM file, or - for no TLS
 * listen   PORT                     receive from now on
 * answer   CODE...                  how the next messages are answered; AA when none is left
 * received                          what came so far
 * </pre>
 */
public final class Main {
    private final Sender sender = new Sender();
    private final Receiver receiver = new Receiver();

    private Main() {}

    public static void main(String[] arguments) throws IOException {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        Main main = new Main();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.println(Json.of(main.obey(line.split("\t"))));
        }
        // Threads of the receiver would keep the process alive.
        System.exit(0);
    }

    private Object obey(String[] words) {
        try {
            return done(words[0], Arrays.asList(words).subList(1, words.length));
        } catch (Exception failure) {
            Map<String, Object> told = new LinkedHashMap<>();
            told.put("failure", failure.toString());
            return told;
        }
    }

    private Object done(String command, List<String> words) throws Exception {
        switch (command) {
            case "check":
                byte[] text = Base64.getDecoder().decode(words.get(0));
                return Strict.check(new String(text, StandardCharsets.UTF_8));
            case "send":
                int port = Integer.parseInt(words.get(1));
                return sender.send(words.get(0), port, words.get(2), words.get(3), words.get(4));
            case "listen":
                return receiver.listen(Integer.parseInt(words.get(0)));
            case "answer":
                return receiver.answer(words);
            case "received":
                return receiver.received();
            default:
                throw new IllegalArgumentException("no such command: " + command);
        }
    }
}
