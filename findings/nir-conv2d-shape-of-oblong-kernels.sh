#!/usr/bin/env bash
# nir 1.0.8: the shape that Conv2d states for its output is wrong where the kernel is not square.
#
# Expected: a kernel of 3 x 5 over 9 x 9 values without padding gives 7 x 5 values.
# Seen: 7 x 7, the first axis of the kernel taken for both. Readers that size what follows by output_type take places
# that do not exist; kernels that are square are right.
#
# Fails if the behaviour is another one.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet nir==1.0.8 h5py==3.16.0 numpy==1.26.4
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import nir
import numpy as np

bias = np.zeros(1, np.float32)
for kernel in ((3, 3), (3, 5), (5, 3)):
    weight = np.ones((1, 1, *kernel), np.float32)
    stated = nir.Conv2d((9, 9), weight, 1, 0, 1, 1, bias).output_type["output"].tolist()
    right = [1, *(9 - size + 1 for size in kernel)]
    print(f"nir {version('nir')}, kernel {kernel}: {stated}, right is {right}")
    assert (stated == right) == (kernel[0] == kernel[1]), "the stated shapes are others now"
PYTHON
