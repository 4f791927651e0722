"""A process with a name of its own that idles until SIGUSR1, then burns one processor."""

import ctypes
import signal
import sys

ctypes.CDLL(None).prctl(15, sys.argv[1].encode(), 0, 0, 0)  # PR_SET_NAME
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
print("named", flush=True)
signal.sigwait({signal.SIGUSR1})
while True:
    pass
