package suture.interop;

import ca.uhn.hl7v2.HL7Exception;
import ca.uhn.hl7v2.model.DataTypeException;
import ca.uhn.hl7v2.model.Message;
import ca.uhn.hl7v2.model.v251.datatype.NM;
import ca.uhn.hl7v2.model.v251.datatype.ST;
import ca.uhn.hl7v2.model.v251.message.ADT_A01;
import ca.uhn.hl7v2.model.v251.message.DFT_P03;
import ca.uhn.hl7v2.model.v251.message.OML_O21;
import ca.uhn.hl7v2.model.v251.message.ORM_O01;
import ca.uhn.hl7v2.model.v251.message.ORU_R01;
import ca.uhn.hl7v2.model.v251.segment.MSH;
import ca.uhn.hl7v2.model.v251.segment.OBR;
import ca.uhn.hl7v2.model.v251.segment.OBX;
import ca.uhn.hl7v2.model.v251.segment.ORC;
import ca.uhn.hl7v2.model.v251.segment.PID;
import ca.uhn.hl7v2.model.v251.segment.PV1;
import java.io.IOException;

/** Messages of one patient who does not exist, built with the typed structures of 2.5.1. */
final class Orders {
    private static final String WHEN = "20260302083000+0100";

    private Orders() {}

    /** The message of a name, under a control id. */
    static Message named(String name, String controlId) throws HL7Exception, IOException {
        switch (name) {
            case "ADT_A04":
            case "ADT_A08":
                return visit(name.substring(4), controlId);
            case "ORM_O01":
                return imaging(controlId);
            case "OML_O21":
                return laboratory(controlId);
            case "ORU_R01":
                return result(controlId);
            case "ORM_O01_OF_NOBODY":
                ORM_O01 order = imaging(controlId);
                order.getPATIENT().getPID().getPatientIdentifierList(0).clear();
                return order;
            case "DFT_P03":
                DFT_P03 billing = new DFT_P03();
                billing.initQuickstart("DFT", "P03", "P");
                header(billing.getMSH(), controlId);
                return billing;
            default:
                throw new IllegalArgumentException("no such message: " + name);
        }
    }

    private static ADT_A01 visit(String event, String controlId) throws HL7Exception, IOException {
        ADT_A01 made = new ADT_A01();
        made.initQuickstart("ADT", event, "P");
        header(made.getMSH(), controlId);
        made.getEVN().getRecordedDateTime().getTime().setValue(WHEN);
        patient(made.getPID());
        if (event.equals("A08")) {
            made.getPID().getPatientAddress(0).getCity().setValue("Springfield");
        }
        visit(made.getPV1());
        return made;
    }

    private static ORM_O01 imaging(String controlId) throws HL7Exception, IOException {
        ORM_O01 made = new ORM_O01();
        made.initQuickstart("ORM", "O01", "P");
        header(made.getMSH(), controlId);
        patient(made.getPATIENT().getPID());
        visit(made.getPATIENT().getPATIENT_VISIT().getPV1());
        order(made.getORDER().getORC(), "NW", "R-1");
        request(made.getORDER().getORDER_DETAIL().getOBR(), "R-1", "24725-4", "CT Head");
        made.getORDER().getORDER_DETAIL().getNTE(0).getComment(0).setValue("Fasting & quiet, 5 µg^2");
        return made;
    }

    private static OML_O21 laboratory(String controlId) throws HL7Exception, IOException {
        OML_O21 made = new OML_O21();
        made.initQuickstart("OML", "O21", "P");
        header(made.getMSH(), controlId);
        patient(made.getPATIENT().getPID());
        order(made.getORDER().getORC(), "NW", "L-1");
        var asked = made.getORDER().getOBSERVATION_REQUEST();
        request(asked.getOBR(), "L-1", "718-7", "Hemoglobin");
        var specimen = asked.getSPECIMEN().getSPM();
        specimen.getSetIDSPM().setValue("1");
        specimen.getSpecimenType().getIdentifier().setValue("BLD");
        specimen.getSpecimenType().getNameOfCodingSystem().setValue("HL70487");
        return made;
    }

    private static ORU_R01 result(String controlId) throws HL7Exception, IOException {
        ORU_R01 made = new ORU_R01();
        made.initQuickstart("ORU", "R01", "P");
        header(made.getMSH(), controlId);
        patient(made.getPATIENT_RESULT().getPATIENT().getPID());
        var told = made.getPATIENT_RESULT().getORDER_OBSERVATION();
        order(told.getORC(), "RE", "L-1");
        request(told.getOBR(), "L-1", "718-7", "Hemoglobin");
        told.getOBR().getResultStatus().setValue("F");
        OBX value = observation(told.getOBSERVATION(0).getOBX(), "1", "NM", "718-7");
        NM number = new NM(made);
        number.setValue("13.20");
        value.getObservationValue(0).setData(number);
        value.getUnits().getIdentifier().setValue("g/dL");
        OBX text = observation(told.getOBSERVATION(1).getOBX(), "2", "ST", "48767-8");
        ST words = new ST(made);
        words.setValue("Taken at rest | 5 ml");
        text.getObservationValue(0).setData(words);
        return made;
    }

    private static OBX observation(OBX made, String number, String type, String code) throws DataTypeException {
        made.getSetIDOBX().setValue(number);
        made.getValueType().setValue(type);
        made.getObservationIdentifier().getIdentifier().setValue(code);
        made.getObservationIdentifier().getNameOfCodingSystem().setValue("LN");
        made.getObservationResultStatus().setValue("F");
        return made;
    }

    private static void header(MSH made, String controlId) throws DataTypeException {
        made.getSendingApplication().getNamespaceID().setValue("HAPI");
        made.getSendingFacility().getNamespaceID().setValue("CLINIC");
        made.getReceivingApplication().getNamespaceID().setValue("SUTURE");
        made.getMessageControlID().setValue(controlId);
        made.getCharacterSet(0).setValue("UNICODE UTF-8");
    }

    private static void patient(PID made) throws DataTypeException {
        made.getSetIDPID().setValue("1");
        made.getPatientIdentifierList(0).getIDNumber().setValue("7001");
        made.getPatientIdentifierList(0).getAssigningAuthority().getNamespaceID().setValue("CLINIC");
        made.getPatientIdentifierList(0).getIdentifierTypeCode().setValue("MR");
        made.getPatientName(0).getFamilyName().getSurname().setValue("Größe");
        made.getPatientName(0).getGivenName().setValue("Ann");
        made.getDateTimeOfBirth().getTime().setValue("19700101");
        made.getAdministrativeSex().setValue("F");
    }

    private static void visit(PV1 made) throws DataTypeException {
        made.getSetIDPV1().setValue("1");
        made.getPatientClass().setValue("I");
        made.getVisitNumber().getIDNumber().setValue("V-1");
    }

    private static void order(ORC made, String control, String number) throws DataTypeException {
        made.getOrderControl().setValue(control);
        made.getPlacerOrderNumber().getEntityIdentifier().setValue(number);
        made.getPlacerOrderNumber().getNamespaceID().setValue("HAPI");
        made.getDateTimeOfTransaction().getTime().setValue(WHEN);
    }

    private static void request(OBR made, String number, String code, String text) throws DataTypeException {
        made.getSetIDOBR().setValue("1");
        made.getPlacerOrderNumber().getEntityIdentifier().setValue(number);
        made.getPlacerOrderNumber().getNamespaceID().setValue("HAPI");
        made.getUniversalServiceIdentifier().getIdentifier().setValue(code);
        made.getUniversalServiceIdentifier().getText().setValue(text);
        made.getUniversalServiceIdentifier().getNameOfCodingSystem().setValue("LN");
        made.getObservationDateTime().getTime().setValue(WHEN);
    }
}
