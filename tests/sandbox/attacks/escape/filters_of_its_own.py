# expects: scored 2/2
# why: adds system call filters, whose actions can write to the machine's log at every call; the filter must refuse
import ctypes

from probing import call_refusal, right_if

PR_SET_SECCOMP = 22
log_all = ctypes.create_string_buffer(b"\x06\x00\x00\x00\x00\x00\xfc\x7f", 8)
program = (ctypes.c_uint64 * 2)(1, ctypes.addressof(log_all))
refusals = {
    "seccomp strict": call_refusal((317, 277), 0, 0, None),
    "seccomp filter": call_refusal((317, 277), 1, 2, program),
    "prctl strict": call_refusal((157, 167), PR_SET_SECCOMP, 1, None, 0, 0),
    "prctl filter": call_refusal((157, 167), PR_SET_SECCOMP, 2, program, 0, 0),
}
contained = set(refusals.values()) == {"EPERM"}
print(refusals)

f = right_if(contained)
