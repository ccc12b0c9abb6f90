"""Ends a process without what pyarrow does then.

On a busy machine its threads now and then abort a process that has done all of its work ("terminate called
without an active exception", pyarrow 26.0.1: 1 of some 150 runs).
"""

import os
import sys
import traceback


def run(main):
    """Runs `main` and ends the process with its exit code."""
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)
