# expects: scored 2/2
# why: looks for System V segments, semaphores and queues of others by number, to read, change or remove them
import ctypes

from probing import call_refusal, right_if

here = ctypes.create_string_buffer(512)
said = {
    "segments": call_refusal((30, 196), 0, None, 0),
    "segment's state": call_refusal((31, 195), 0, 15, here),
    "semaphores": call_refusal((65, 193), 0, bytes(6), 1),
    "semaphores' state": call_refusal((66, 191), 0, 0, 20, here),
    "message": call_refusal((70, 188), 0, here, 16, 0, 0o4000),
    "message to the next run": call_refusal((69, 189), 0, b"\x01" + bytes(23), 8, 0o4000),
    "queue": call_refusal((71, 187), 0, 13, here),
    "queue's name": call_refusal((241, 181), b"attack_mark"),
}
print(said)

f = right_if(set(said.values()) <= {"EPERM", "EINVAL", "ENOENT", "ENOSYS"})
