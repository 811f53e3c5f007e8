#!/usr/bin/env bash
# From a fresh checkout on Debian 12 to corrected text: installs what is missing, builds build/stet
# and build/libstet.so without tests, and corrects a few sentences with the default model.
set -euo pipefail
cd "$(dirname "$0")/.."

model=models/stet-edge-en
sample='They was very suprised becouse the childrens walk home alone .
I have an big problem with my computer .
The weather is nice today .'

scripts/packages.sh
cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DSTET_BUILD_TESTS=OFF -DSTET_BUILD_PERF=OFF
cmake --build build

if [ ! -e "$model/model.safetensors" ]; then
    echo
    echo "Built: build/stet and build/libstet.so."
    echo "Missing: the default model, $model/model.safetensors. scripts/train/README.md says how to"
    echo "train one; any folder of a supported family works too: build/stet correct --model FOLDER"
    exit 2
fi

run() {
    printf '\n$ %s\n' "$*"
    "$@" <<<"$sample"
}
printf '\nThe text:\n%s\n' "$sample"
run build/stet correct --model "$model"
run build/stet correct --model "$model" --edits=text
run build/stet correct --model "$model" --verify --stats
