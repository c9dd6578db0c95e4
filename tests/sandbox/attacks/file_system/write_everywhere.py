# expects: scored 2/2
# why: leaves a file in every folder that there is; only /tmp takes it
import errno
import os

from probing import right_if

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

f = right_if(contained)
