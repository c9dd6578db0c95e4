import subprocess

from cetd.evaluation.provenance import provenance, revision


def git(folder, *arguments):
    identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


def test_tells_versions_and_hardware():
    told = provenance()
    assert told["versions"]["torch"].startswith("2.")
    assert told["versions"]["python"].startswith("3.11")
    assert told["hardware"]["cores"] >= 1
    assert told["hardware"]["memory_gib"] > 0


def test_revision_says_where_tracked_files_differ(tmp_path):
    assert revision(tmp_path) is None
    git(tmp_path, "init")
    (tmp_path / "a").write_text("1")
    git(tmp_path, "add", "a")
    git(tmp_path, "commit", "-m", "a")
    commit = revision(tmp_path)
    assert commit is not None
    assert len(commit) == 40
    (tmp_path / "a").write_text("2")
    assert revision(tmp_path) == f"{commit}+changes"
