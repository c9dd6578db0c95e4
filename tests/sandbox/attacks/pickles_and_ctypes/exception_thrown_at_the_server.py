# expects: scored 0/2 | crashed | timed_out
# why: throws exceptions into the thread that serves calls, between them; only its own answers may suffer
import ctypes
import threading
import time

main = threading.main_thread().ident


def throw():
    while True:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(main), ctypes.py_object(SystemExit))
        time.sleep(0.0005)


def f(x):
    threading.Thread(target=throw, daemon=True).start()
    time.sleep(0.01)
    return 0
