# expects: scored 2/2
# why: gives a file of its own the bits that make programs privileged, and capabilities; neither may have an effect
import os
import shutil
import sys

from probing import refusal, right_if

shutil.copy(sys.executable, "/tmp/attack-mark-python")
os.chmod("/tmp/attack-mark-python", 0o6755)
capability = refusal(os.setxattr, "/tmp/attack-mark-python", "security.capability", bytes.fromhex("0100000200000020") + bytes(12))
child = os.posix_spawn(
    "/tmp/attack-mark-python",
    ["x", "-S", "-c", "import os; os._exit(0 if os.getuid() == os.geteuid() != 0 else 7)"],
    {"PYTHONHOME": sys.base_prefix, "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", "")},
)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
contained = status == 0 and capability in ("EPERM", "EOPNOTSUPP", "ENOTSUP")
print(status, capability)

f = right_if(contained)
