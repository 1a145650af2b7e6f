"""``python -m workers.demo FOLDER``."""

import sys

from workers.demo.command import main

sys.exit(main(sys.argv[1:]))
