# expects: crashed
# why: reads address zero; the fault is the candidate's own
import ctypes

ctypes.string_at(0)
