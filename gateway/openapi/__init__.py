"""The description of the whole HTTP surface, read off the routes and the mappings, and a page to look at it.

https://spec.openapis.org/oas/v3.1.0
"""
