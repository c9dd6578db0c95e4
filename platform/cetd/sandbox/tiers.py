"""The ways to isolate a fork server: gVisor, namespaces by bubblewrap, or Landlock where those are forbidden.

Each says how the server is started, and what isolates programs then. What is shown of this machine is what the base
Python needs, packages that are asked for, and four devices: neither the project nor a home folder is there.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from cetd.config import SandboxConfig
from cetd.sandbox.bases import Base
from cetd.sandbox.boot import ARGUMENTS, Launch
from cetd.sandbox.confinement import DEVICES, UNPRIVILEGED_UID
from cetd.sandbox.gvisor import by_gvisor
from cetd.sandbox.namespaces import FILES, JUDGING, PACKAGES
from cetd.sandbox.packages import JUDGES, entries, shown_packages
from cetd.sandbox.root import PythonFiles, SandboxUnavailable, python_files

Isolation = Literal["landlock", "namespaces", "cgroups", "gvisor"]


@dataclass(frozen=True)
class Tier:
    """A way to isolate: its name in the configuration, what it is made of, and what to do where it cannot be had.

    ``prepare`` takes the Python to run inside, the distributions to show, and the limits. ``shields`` says whether a
    program cannot end itself by SIGKILL, so that one that has ended so was ended from outside.
    """

    name: Isolation
    words: str
    remedy: str
    prepare: Callable[[str, tuple[str, ...], SandboxConfig], Launch] = field(repr=False)
    shields: bool = True


def tiers(least: Isolation) -> list[Tier]:
    """Those that are at least as strong as ``least``, the strongest first."""
    match least:
        case "gvisor":
            return [_GVISOR]
        case "landlock":
            return [_GVISOR, _NAMESPACES, _LANDLOCK]
        case _:  # control groups are had in addition
            return [_GVISOR, _NAMESPACES]


def by_bubblewrap(python: str, requirements: tuple[str, ...], limits: SandboxConfig) -> Launch:
    """A server in namespaces and a root of its own.

    Raises:
        SandboxUnavailable: bubblewrap is missing, or ``python`` does not run.
        ValueError: a requirement is not met.
    """
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise SandboxUnavailable(
            "bubblewrap is not installed: install the package that has bwrap (bubblewrap), or accept isolation=landlock"
        )
    packages = shown_packages(requirements)
    files = python_files(python, tuple(packages.values()))
    return Launch([*arguments(bwrap, files, packages, root=os.geteuid() == 0), files.executable, *ARGUMENTS])


def arguments(bwrap: str, files: PythonFiles, packages: Mapping[str, str], *, root: bool) -> list[str]:
    """The bubblewrap command line up to the command; ``packages`` are shown too (place inside -> path here).

    As real root the user namespace is made by the server, once it has left root: bubblewrap would map root into it,
    and root is exempt from the limit on processes.
    """
    command = [bwrap, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    if root:
        command += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        command += ["--unshare-user", "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL"]
    command += ["--new-session", "--die-with-parent", "--as-pid-1", "--hostname", "sandbox", "--chdir", "/"]
    # Parents that bubblewrap makes unasked are for their owner only, and the server does not stay the owner.
    shown = (files.executable, *files.folders, *files.libraries, *DEVICES)
    parents = {str(parent) for path in shown for parent in Path(path).parents}
    for path in sorted(parents - {"/", *files.folders}):
        command += ["--dir", path]
    for path in files.folders:
        command += ["--ro-bind", path, path]
    for hidden in files.installed():
        command += ["--tmpfs", hidden, "--remount-ro", hidden]
    for path in (files.executable, *files.libraries):
        command += ["--ro-bind", os.path.realpath(path), path]
    for folder in (PACKAGES, JUDGING):
        command += ["--dir", folder]
    for place, path in packages.items():
        command += ["--ro-bind", path, place]
    for path in DEVICES:
        command += ["--dev-bind", path, path]
    command += ["--proc", "/proc", "--dir", "/tmp", "--dir", FILES, "--remount-ro", "/", "--clearenv"]
    for name, value in files.environment().items():
        command += ["--setenv", name, value]
    return command


def by_landlock(python: str, requirements: tuple[str, ...], limits: SandboxConfig) -> Launch:
    """A server in the machine's own namespaces, whose processes may open next to nothing.

    Raises:
        SandboxUnavailable: ``python`` does not run.
        ValueError: a requirement is not met.
    """
    required, judging = entries(requirements), entries(JUDGES)
    files = python_files(python, (*required.values(), *judging.values()))
    base = Base(UNPRIVILEGED_UID)
    for place, found in ((PACKAGES, required), (JUDGING, judging)):
        os.mkdir(base.path + place)
        os.chmod(base.path + place, 0o755)
        for name, path in found.items():
            os.symlink(path, os.path.join(base.path + place, name))
    hidden = {*files.installed(), *files.folders}
    parts = (str(path) for folder in files.folders for path in Path(folder).iterdir() if str(path) not in hidden)
    landlock = {
        "base": base.path,
        "readable": [*parts, *files.libraries, *required.values()],
        "listed": [*files.folders, base.path + PACKAGES, base.path + JUDGING],
        "for_judges": list(judging.values()),
    }
    return Launch([files.executable, *ARGUMENTS], files.environment(), ("landlock", landlock), base)


_GVISOR = Tier(
    "gvisor",
    "gVisor (a kernel of their own in front of the machine's), namespaces and a root of their own in it, a system call "
    "filter, resource limits; control groups bound all runs together; a run takes many times as long",
    "runsc has to be able to start here, which takes root or user namespaces; or accept isolation=namespaces",
    by_gvisor,
    shields=False,
)
_NAMESPACES = Tier(
    "namespaces",
    "namespaces, a root of their own, a system call filter, resource limits",
    "allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces>0, "
    "kernel.apparmor_restrict_unprivileged_userns=0; in a container a seccomp profile that permits them), or accept "
    "isolation=landlock",
    by_bubblewrap,
)
_LANDLOCK = Tier(
    "landlock",
    "Landlock, a system call filter, resource limits; missing are namespaces and a root of their own (what files there "
    "are can be seen, not what is in them), a bound on what a run writes in all, and on its threads; what starts "
    "processes, sends signals or changes modes and times of files fails",
    "it takes Linux 6.2 or newer, Landlock among its security modules (lsm=landlock,...), and a Python that every user "
    "may read",
    by_landlock,
)
