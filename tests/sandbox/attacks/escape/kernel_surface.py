# expects: scored 2/2
# why: reaches for the parts of the kernel that most exploits start from; the filter must refuse each
import ctypes

from probing import call_refusal, right_if

CALLS = {
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "fanotify_init": (300, 262),
    "quotactl": (179, 60),
}
block = ctypes.create_string_buffer(256)
refusals = {name: call_refusal(numbers, 1, block, 0, 0, 0) for name, numbers in CALLS.items()}
contained = set(refusals.values()) == {"EPERM"}
print(refusals)

f = right_if(contained)
