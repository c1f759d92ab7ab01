package suture.interop;

import ca.uhn.hl7v2.DefaultHapiContext;
import ca.uhn.hl7v2.HL7Exception;
import ca.uhn.hl7v2.HapiContext;
import ca.uhn.hl7v2.model.AbstractSegment;
import ca.uhn.hl7v2.model.Composite;
import ca.uhn.hl7v2.model.GenericMessage;
import ca.uhn.hl7v2.model.Group;
import ca.uhn.hl7v2.model.Message;
import ca.uhn.hl7v2.model.Segment;
import ca.uhn.hl7v2.model.Structure;
import ca.uhn.hl7v2.model.Type;
import ca.uhn.hl7v2.model.Varies;
import ca.uhn.hl7v2.parser.UnexpectedSegmentBehaviourEnum;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads messages with HAPI's default validation, refuses segments that have no place in the structure, and looks at
 * what HAPI's classes know besides and its parser does not judge: what is required, what repeats, how many components
 * a datatype has.
 */
final class Strict {
    private static final HapiContext CONTEXT = context();

    private final List<String> faults = new ArrayList<>();

    private Strict() {}

    /** A context whose parser refuses what it does not expect. */
    static HapiContext context() {
        HapiContext made = new DefaultHapiContext();
        made.getParserConfiguration().setValidating(true);
        made.getParserConfiguration()
                .setUnexpectedSegmentBehaviour(UnexpectedSegmentBehaviourEnum.THROW_HL7_EXCEPTION);
        return made;
    }

    /** What HAPI says of a message: the class that it reads it as, or why it refuses it, and its faults. */
    static Map<String, Object> check(String text) {
        try {
            return described(CONTEXT.getPipeParser().parse(text));
        } catch (HL7Exception refusal) {
            Map<String, Object> told = new LinkedHashMap<>();
            told.put("refused", refusal.getMessage());
            return told;
        }
    }

    /** The class of a message that was read, and its faults. */
    static Map<String, Object> described(Message message) throws HL7Exception {
        Strict found = new Strict();
        if (message instanceof GenericMessage) {
            found.faults.add("no class for " + message.getName() + " of " + message.getVersion());
        }
        found.group(message);
        Map<String, Object> told = new LinkedHashMap<>();
        told.put("class", message.getClass().getSimpleName());
        told.put("version", message.getVersion());
        told.put("faults", found.faults);
        return told;
    }

    private void group(Group group) throws HL7Exception {
        for (String name : group.getNames()) {
            boolean there = false;
            for (Structure each : group.getAll(name)) {
                if (!each.isEmpty()) {
                    there = true;
                    structure(each);
                }
            }
            if (!there && group.isRequired(name) && !group.isChoiceElement(name)) {
                faults.add(group.getName() + " has no " + name);
            }
        }
    }

    private void structure(Structure structure) throws HL7Exception {
        if (structure instanceof Group) {
            group((Group) structure);
        } else {
            segment((Segment) structure);
        }
    }

    private void segment(Segment segment) throws HL7Exception {
        if (!(segment instanceof AbstractSegment) || segment.getName().startsWith("Z")) {
            return;
        }
        int known = segment.getNames().length;
        for (int number = 1; number <= segment.numFields(); number++) {
            String place = segment.getName() + "-" + number;
            List<Type> filled = filled(segment.getField(number));
            if (number > known) {
                tell(!filled.isEmpty(), place + " is no field");
                continue;
            }
            int most = segment.getMaxCardinality(number);
            tell(filled.isEmpty() && segment.isRequired(number), place + " is missing");
            tell(most > 0 && filled.size() > most, place + " repeats");
            for (Type each : filled) {
                type(place, each);
            }
        }
    }

    private static List<Type> filled(Type[] repetitions) throws HL7Exception {
        List<Type> found = new ArrayList<>();
        for (Type each : repetitions) {
            if (!each.isEmpty()) {
                found.add(each);
            }
        }
        return found;
    }

    private void type(String place, Type type) {
        Type inner = type instanceof Varies ? ((Varies) type).getData() : type;
        int extra = inner.getExtraComponents().numComponents();
        tell(extra > 0, place + " has more components than " + inner.getName());
        if (inner instanceof Composite) {
            int number = 0;
            for (Type component : ((Composite) inner).getComponents()) {
                type(place + "." + ++number, component);
            }
        }
    }

    private void tell(boolean wrong, String fault) {
        if (wrong && !faults.contains(fault)) {
            faults.add(fault);
        }
    }
}
