"""All that computes: no Qt, no paramiko, no database; runs on the laptop and on a GPU host."""
