"""The relational model and the only code that talks SQL; it knows no FHIR and no HL7v2."""
