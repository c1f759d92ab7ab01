"""One file per message structure: how its segments group, and which records they are about.

https://hl7.org/fhir/uv/v2mappings/2024Sep/message_maps.html
"""
