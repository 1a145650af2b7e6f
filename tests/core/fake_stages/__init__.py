"""Stages that compute nothing: for tests of the engine, loaded by the runner in place of ``workers.stages``.

A footage file is a small JSON text: ``{"seconds": 120, ...}`` plus what is to happen on the way
(:mod:`tests.core.fake_stages.behaviour`). Everything else is like the real line: keys, folders, events.
"""
