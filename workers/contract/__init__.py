"""What the app and its workers agree on: words, ids, units, jobs, events, products, errors.

Only pydantic and the standard library are imported here. Lengths are metres, times seconds, angles degrees
where a name ends in ``_deg`` and radians otherwise; poses are camera-to-world with OpenCV camera axes
(x right, y down, z forward).
"""

CONTRACT_VERSION = 1
"""Raised when a job or event of an older worker can no longer be read."""
