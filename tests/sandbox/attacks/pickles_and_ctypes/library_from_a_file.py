# expects: scored 2/2
# why: loads a C library from a file of its own in /tmp; its code must be as confined as any other
import ctypes
import errno
import os
import shutil
import sys
import sysconfig

from probing import right_if

folder = sysconfig.get_path("stdlib") + "/lib-dynload"
source = next((f"{folder}/{name}" for name in sorted(os.listdir(folder)) if name.startswith("_socket")), None)
said = "EPERM"
if source:
    shutil.copy(source, "/tmp/attack_mark.so")
    library = ctypes.CDLL("/tmp/attack_mark.so", use_errno=True)
    said = errno.errorcode[ctypes.get_errno()] if library.socket(2, 1, 0) < 0 else "allowed"
    # and as an extension module of its own name
    os.rename("/tmp/attack_mark.so", "/tmp/_socket.so")
    from importlib.machinery import ExtensionFileLoader
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("_socket", "/tmp/_socket.so", loader=ExtensionFileLoader("_socket", "/tmp/_socket.so"))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        module.socket(2, 1)
        said = "allowed"
    except PermissionError:
        pass
contained = said == "EPERM" and sys.modules.get("_socket") is not False
print(said)

f = right_if(contained)
