#!/usr/bin/env bash
# All that is to be known of ptde on a GPU, in under 8 minutes: installs, measures, writes gpu.json.
#
# bash benchmarks/gpu.sh [FILE.json]
#
# It needs one GPU with its driver, Python 3.11 to 3.13 and a way to PyPI, and leaves two environments: .gpu and .peers.
# JAX and JaxMARL, the peer beside it, are left out if they cannot be installed. An environment that could not be made
# whole is deleted; one that was there before stays.
set -eu

stop() {
  echo "gpu.sh: $1" >&2
  exit 2
}

out=$(realpath "${1:-gpu.json}") || stop "the folder of ${1:-gpu.json} is not there; make it, or give another file"
[ ! -d "$out" ] || stop "$out is a folder; give a file"
nvidia-smi --list-gpus 2>/dev/null | grep -q . || stop "no GPU here: nvidia-smi lists none; try a machine with one"
python3 -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null ||
  stop "python3 is none of 3.11 to 3.13; put one of them first into PATH"
cd "$(dirname "$0")/.."

unfinished=
forget() {
  [ -z "$unfinished" ] || rm -rf "$unfinished"
  unfinished=
}
trap forget EXIT
make() { # FOLDER REQUIREMENT...
  [ -e "$1" ] || unfinished=$1
  if python3 -m venv "$1" && "$1/bin/python" -m pip install --quiet "${@:2}"; then
    unfinished=
  else
    forget
    return 1
  fi
}

make .gpu '.[test]' || stop "ptde could not be installed: pip says why above"
if make .peers 'jax[cuda12]' jaxmarl==0.2.0; then
  echo "JAX is beside it"
else
  echo "JAX could not be installed: left out" >&2
fi
left=$((470 - SECONDS))
status=0
timeout $((left > 60 ? left : 60)) .gpu/bin/python -m benchmarks.gpu --out "$out" || status=$?
[ $status -ne 124 ] || echo "gpu.sh: time was up; $out has what was measured until then" >&2
exit $status
