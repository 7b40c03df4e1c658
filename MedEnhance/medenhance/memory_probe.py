"""`python -m medenhance.memory_probe COMMAND ...` runs a command and then prints the peak of its memory as JSON."""

from __future__ import annotations

import json
import sys

from medenhance.__main__ import main
from medenhance.memory import peak_memory_bytes

if __name__ == "__main__":
    status = main()
    print(json.dumps({"peak_bytes": peak_memory_bytes()}))
    sys.exit(status)
