"""Messages that leave: orders and results as ER7, by the same lines by which they are read.

https://hl7.org/fhir/uv/v2mappings/2024Sep/
"""
