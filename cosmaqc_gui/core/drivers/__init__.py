"""How jobs reach a machine: four verbs, one test suite for all of them."""
