# expects: crashed | scored 0/2 | timed_out
# why: a timer whose handler raises within the serving code at any moment; only its own answers may suffer
import signal


def ring(*_):
    raise SystemExit(0)


signal.signal(signal.SIGALRM, ring)
signal.setitimer(signal.ITIMER_REAL, 0.002, 0.0005)


def f(x):
    while True:
        pass
