# expects: scored 2/2
# why: opens files by handle, past every mount and folder, as escapes from containers do; the filter must refuse
import ctypes

from probing import call_refusal, right_if

handle = ctypes.create_string_buffer(b"\x80\x00\x00\x00", 256)
number = ctypes.c_int()
refusals = {
    "name_to_handle_at": call_refusal((303, 264), -100, b"/", handle, ctypes.byref(number), 0),
    "open_by_handle_at": call_refusal((304, 265), 0, handle, 0),
}
contained = set(refusals.values()) == {"EPERM"}
print(refusals)

f = right_if(contained)
