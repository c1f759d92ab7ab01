"""What becomes what: FHIR elements, HL7v2 fields and columns, each told once. No I/O, no framework.

https://hl7.org/fhir/R4/resourcelist.html
"""
