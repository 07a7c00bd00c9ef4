#!/usr/bin/env bash
# Tries what release/build.sh made, each in a clean environment and away from the sources: the wheel; the sdist where
# there is a compiler; the sdist where there is none. Each has to run a network, check it, and agree with NumPy.
# A version of Python may be given: release/try.sh 3.12
set -euo pipefail
cd "$(dirname "$0")/.."

python="$(uv python find "${1:-3.10}")"
version="$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)"
wheel="$(ls "$PWD"/dist/asrc_toolchain-"$version"-*manylinux*.whl)"
sdist="$PWD/dist/asrc_toolchain-$version.tar.gz"
network="$PWD/examples/psmnist-src.loihi2.safetensors"
constraints="$PWD/constraints.txt"
uv="$(uv run --no-project --quiet sh -c 'echo "$UV"')"   # the program itself: what PATH has may be a script in need of others
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# Of the caller's programs only those in the folders named are found, and no Python environment is taken over.
clean() { env -u PYTHONPATH -u VIRTUAL_ENV -u CXX PATH="$1" "${@:2}"; }

# try NAME WHAT PROGRAMS ENGINE: install WHAT with those PROGRAMS on PATH; ENGINE is what has to run by default.
try() {
    local name="$1" what="$2" programs="$3" engine="$4" folder="$work/$1"
    mkdir -p "$folder/cwd"
    cp "$what" "$folder/"  # from a place of its own, so that nothing that was built before is taken
    cd "$folder/cwd"
    "$uv" venv --quiet --no-project --python "$python" "$folder/environment"
    clean "$programs" "$uv" pip install --quiet --reinstall-package asrc-toolchain --refresh-package asrc-toolchain --python "$folder/environment/bin/python" \
        --constraints "$constraints" "$folder/$(basename "$what")"
    local bin="$folder/environment/bin"
    clean "$bin" "$uv" pip check --quiet --python "$bin/python"
    clean "$bin" asrc-sim --version | grep -qx "asrc-sim $version"
    clean "$bin" python -c "import numpy; r = numpy.random.default_rng(0); numpy.savez('x.npz', x=r.integers(0, 2, (4, 784, 1)))"
    clean "$bin" asrc-sim "$network" --input x.npz --compare numpy --json > sim.json 2> sim.err
    clean "$bin" python -c "import json; ran = json.load(open('sim.json'))['backend']; assert ran == '$engine', ran"
    clean "$bin" asrc-check "$network" > check.txt 2> check.err
    clean "$bin" python -c "import sys; sys.exit('torch' in sys.modules)"
    echo "$name: installed, ran on the $engine engine with NumPy's integers, checked"
    cd "$OLDPWD"
}

nothing="$work/no-programs"
mkdir -p "$nothing"
try wheel "$wheel" "$nothing" native
try sdist-with-compiler "$sdist" "$PATH" native
try sdist-without-compiler "$sdist" "$nothing" numpy
