"""The demo dive: a survey over a made-up seabed, rendered with its truth, so that the whole line can be tried.

``make_demo`` is seeded and deterministic. The dive's pinhole and pose mathematics are its own on purpose: the
truth must not share a mistake with the code that it is held against.
"""

from workers.demo.command import main, make_demo
from workers.demo.recipe import DEMO, SMALL, SMALL_COMPLETE, DemoRecipe

__all__ = ["DEMO", "SMALL", "SMALL_COMPLETE", "DemoRecipe", "main", "make_demo"]
