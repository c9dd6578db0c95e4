"""What a program can reach: neither the network, nor the tests, nor the machine."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from cetd.sandbox.outcome import Scored
from tests.cetd.sandbox.conftest import Bench

pytestmark = pytest.mark.sandbox


def _assert_all_pass(bench: Bench, program: str, tests: str) -> Scored:
    outcome = bench.run(program, tests)
    assert isinstance(outcome, Scored), outcome
    assert outcome.passed == outcome.total, [test for test in outcome.tests if test.outcome != "passed"]
    return outcome


def test_no_socket_reaches_the_host_or_another_run(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        program = f"""
import socket
def attempt(kind, address):
    try:
        with socket.socket(getattr(socket, kind), socket.SOCK_STREAM) as s:
            s.connect(address) if address[0] != "!" else s.bind(address[1])
        return "connected"
    except OSError as error:
        return type(error).__name__
def reach():
    return [attempt("AF_INET", ("127.0.0.1", {port})), attempt("AF_INET", ("8.8.8.8", 53)),
            attempt("AF_INET6", ("::1", {port})), attempt("AF_NETLINK", (0, 0)), attempt("AF_PACKET", ("lo", 0)),
            attempt("AF_UNIX", "\\0hidden"), attempt("AF_UNIX", ("!", "\\0hidden")), attempt("AF_VSOCK", (2, 1))]
def pair():
    a, b = socket.socketpair(); a.send(b"x"); return b.recv(1)
"""
        tests = """
from app import reach, pair
def test_no_way_out():
    assert reach() == ["PermissionError"] * 8
def test_pairs_within_the_run_work():
    assert pair() == b"x"
"""
        _assert_all_pass(bench, program, tests)


def test_system_calls_that_reach_beyond_are_denied(bench: Bench) -> None:
    program = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def denied(number, *arguments):
    result = libc.syscall(number, *arguments)
    return errno.errorcode[ctypes.get_errno()] if result < 0 else "allowed"
numbers = {"x86_64": dict(ptrace=101, mount=165, umount2=166, pivot_root=155, bpf=321, keyctl=250, userfaultfd=323,
                          io_uring_setup=425, unshare=272, setns=308, perf_event_open=298, process_vm_readv=310,
                          memfd_create=319, shmget=29, pidfd_getfd=438, clone=56, clone3=435, chroot=161),
           "aarch64": dict(ptrace=117, mount=40, umount2=39, pivot_root=41, bpf=280, keyctl=219, userfaultfd=282,
                           io_uring_setup=425, unshare=97, setns=268, perf_event_open=241, process_vm_readv=270,
                           memfd_create=279, shmget=194, pidfd_getfd=438, clone=220, clone3=435, chroot=51)}
def attempts():
    return {name: denied(number, 0x10000000, 0, 0, 0, 0) for name, number in numbers[os.uname().machine].items()}
def x32():
    return denied(0x40000000 + 39) if os.uname().machine == "x86_64" else "EPERM"
"""
    tests = """
from app import attempts, x32
def test_denied():
    answers = attempts()
    assert answers.pop("clone3") == "ENOSYS"
    assert set(answers.values()) == {"EPERM"}, answers
def test_the_other_numbering_is_denied():
    assert x32() == "EPERM"
"""
    _assert_all_pass(bench, program, tests)


def test_no_privileges_are_left_or_can_be_had(bench: Bench) -> None:
    program = """
import ctypes, os, resource
def privileges():
    header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    ctypes.CDLL(None).capget(header, data)
    return list(data), os.getuid() != 0, ctypes.CDLL(None).prctl(39, 0, 0, 0, 0)
def become(uid):
    os.setuid(uid)
def more_cpu():
    resource.setrlimit(resource.RLIMIT_CPU, (1, 1))
def more_memory():
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)
"""
    tests = """
from app import privileges, become, more_memory, more_cpu
def test_none_are_left():
    assert privileges() == ([0] * 6, True, 1)
def test_root_is_out_of_reach():
    try:
        become(0)
    except (PermissionError, OSError):
        return
    raise AssertionError
def test_limits_cannot_be_raised():
    for more in (more_memory, more_cpu):
        try:
            more()
        except ValueError:
            continue
        raise AssertionError
"""
    _assert_all_pass(bench, program, tests)


def test_the_file_system_holds_python_and_nothing_of_ours(bench: Bench) -> None:
    program = """
import os
def texts():
    found = []
    for folder, folders, files in os.walk("/"):
        if folder in ("/dev", os.path.dirname(os.__file__)): folders.clear(); continue
        for name in files:
            path = os.path.join(folder, name)
            try:
                with open(path, "rb") as file: data = file.read()
            except OSError: continue
            if b"XYZZY_" + b"EXPECTED" in data or b"cetd" in data: found.append(path)
    return found
def exist(paths):
    return [path for path in paths if os.path.exists(path)]
def top():
    return sorted(os.listdir("/")), os.listdir("/tmp"), os.listdir("/proc"), sorted(os.listdir("/dev"))
def environment():
    return sorted(os.environ), os.getcwd()
"""
    names = ["HOME", "LANG", "LD_LIBRARY_PATH", "MALLOC_ARENA_MAX", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PWD"]
    names += ["PYTHONHASHSEED"]
    hidden = [
        str(Path(__file__).resolve()),
        str(Path.home() / ".bashrc"),
        "/etc/passwd",
        "/usr/bin/env",
        "/sys",
        "/bin/sh",
    ]
    tests = f"""
from app import texts, exist, top, environment
SECRET = "XYZZY_EXPECTED"
def test_no_file_has_the_tests_or_the_project():
    assert texts() == []
def test_no_home_project_or_system():
    assert exist({hidden}) == []
def test_top():
    folders, tmp, proc, dev = top()
    assert "tmp" in folders and not set(folders) & {{"etc", "work", "mnt", "var", "sys"}}
    assert (tmp, proc, dev) == ([], [], ["null", "random", "urandom", "zero"])
def test_environment():
    assert environment() == ({names}, "/tmp")
"""
    _assert_all_pass(bench, program, tests)


def test_memory_holds_neither_tests_nor_earlier_runs(bench: Bench) -> None:
    earlier = "def f():\n    print('EARLIER_' + 'OUTPUT')\n    return 'EARLIER_ANSWER'\n# EARLIER_PROGRAM\n"
    bench.run(earlier, "from app import f\ndef test_f():\n    assert f() == 'EARLIER_EXPECTED'\n")
    # Reads its own memory through a pipe, which answers with an error where nothing is mapped. Without /proc: around
    # what is known to be mapped.
    program = """
import ctypes, gc, os, re, sys
# Patterns, so that they do not find themselves.
MARK = re.compile(b"EARLIER_[A-Z]+|XYZZY_[A-Z]+")
libc = ctypes.CDLL(None, use_errno=True)
libc.sbrk.restype, libc.sbrk.argtypes = ctypes.c_void_p, [ctypes.c_ssize_t]
libc.write.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
def regions():
    yield libc.sbrk(0) - (64 << 20), libc.sbrk(0)
    for known in (object(), sys.modules, os.environ, [], "x" * 100000, bytearray(1 << 20)):
        at = id(known) & ~0xfffff
        yield at - (48 << 20), at + (48 << 20)
def search():
    (read, write), size = os.pipe(), 32768
    found, seen = set(), 0
    for start, end in regions():
        for at in range(start & ~4095, end, size):
            count = libc.write(write, at, size)
            if count > 0:
                data = os.read(read, count)
                seen += count
                found.update(match.decode() for match in MARK.findall(data))
    return sorted(found), seen > 4 << 20
def frames():
    texts, frame = [repr(o) for o in gc.get_objects() if type(o) in (str, dict, list, tuple)], sys._getframe()
    while frame:
        texts.append(repr(frame.f_locals)); frame = frame.f_back
    return [match for text in texts for match in re.findall("(?:EARLIER|XYZZY)_[A-Z]+", text)]
"""
    tests = """
from app import search, frames
SECRET = "XYZZY_EXPECTED"
def test_memory():
    found, enough = search()
    assert enough
    assert found == [], found
def test_frames_and_objects():
    assert frames() == [], "found"
"""
    _assert_all_pass(bench, program, tests)


def test_inherited_descriptors_are_the_call_channel_only(bench: Bench) -> None:
    program = """
import os, stat
def kinds():
    found = {}
    for fd in range(4096):
        try: found[fd] = stat.S_IFMT(os.fstat(fd).st_mode)
        except OSError: pass
    return found
"""
    tests = """
import stat
from app import kinds
def test_kinds():
    assert kinds() == {0: stat.S_IFCHR, 1: stat.S_IFIFO, 2: stat.S_IFIFO, 3: stat.S_IFSOCK}
"""
    _assert_all_pass(bench, program, tests)


def test_installed_packages_and_the_sandboxs_own_files_are_not_importable(bench: Bench) -> None:
    program = """
import importlib
def importable(names):
    found = []
    for name in names:
        try: importlib.import_module(name); found.append(name)
        except ImportError: pass
    return found
"""
    tests = """
from app import importable
def test_x():
    assert importable(["torch", "ray", "pytest", "pip", "cetd.config", "cetd.sandbox.sandbox", "numpy"]) == []
"""
    _assert_all_pass(bench, program, tests)


def test_the_server_itself_runs_without_privileges(bench: Bench) -> None:
    for pid in bench.processes:
        status = dict(
            line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
        )
        assert int(status["CapEff"], 16) == 0
        assert status["NoNewPrivs"].strip() == "1"
        assert status["Uid"].split()[1] != "0"
        ours = {
            name: os.readlink(f"/proc/self/ns/{name}") for name in ("user", "pid", "mnt", "net", "ipc", "uts", "cgroup")
        }
        theirs = {name: os.readlink(f"/proc/{pid}/ns/{name}") for name in ours}
        assert not [name for name in ours if ours[name] == theirs[name]]
