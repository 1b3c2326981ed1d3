#!/usr/bin/env bash
# All that is to be known of ptde on a GPU, in under 8 minutes: installs, measures, writes gpu.json.
#
# bash benchmarks/gpu.sh [FILE.json]
#
# It needs one GPU with its driver, Python 3.11 to 3.13 and a way to PyPI, and leaves two environments: .gpu and .peers.
# JAX and JaxMARL, the peer beside it, are left out if they cannot be installed.
set -eu
out=$(realpath "${1:-gpu.json}")
cd "$(dirname "$0")/.."
python3 -m venv .gpu
.gpu/bin/pip install --quiet '.[test]'
if python3 -m venv .peers && .peers/bin/pip install --quiet 'jax[cuda12]' jaxmarl==0.2.0; then
  echo "JAX is beside it"
else
  echo "JAX could not be installed: left out" >&2
fi
timeout 420 .gpu/bin/python -m benchmarks.gpu --out "$out"
