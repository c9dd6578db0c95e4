# expects: scored 2/2
# why: leaves a file in every folder that there is; only /tmp takes it
import errno
import os

said = {}
for folder, folders, _ in os.walk("/"):
    try:
        with open(f"{folder}/attack-mark", "w") as file:
            file.write("x")
        said[folder] = "written"
    except OSError as error:
        said[folder] = errno.errorcode[error.errno]
    if folder == "/tmp":
        folders.clear()
written = [folder for folder, answer in said.items() if answer == "written"]
contained = written == ["/tmp"] and set(said.values()) <= {"written", "EROFS", "EACCES"} and len(said) > 10
print(written, set(said.values()))


def f(x):
    if not contained:
        return "a breach"
    return 2 * x + 1 if isinstance(x, int) else chr(ord(x) + 1)
