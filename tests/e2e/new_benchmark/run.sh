#!/usr/bin/env bash
# Adds a benchmark to a throw-away copy of the tree by adding one folder, builds it and uses it.
# usage: run.sh SOURCE_FOLDER
set -eu
source=$1
here=$source/tests/e2e/new_benchmark
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir "$copy/tree" "$copy/data" "$copy/data/sums"
cp -r "$source/base" "$source/datasets" "$source/evals" "$source/cmake" "$source/CMakeLists.txt" "$copy/tree"
# One benchmark beside the new one is enough; the others only cost build time.
for folder in "$copy/tree/evals"/*/; do
  name=$(basename "$folder")
  [ "$name" = gsm8k ] || [ "$name" = extract ] || rm -r "$folder"
done
rm -f "$copy/tree/evals/extract"/math_* "$copy/tree/evals/extract"/latex_* "$copy/tree/evals/extract"/flint_*
mkdir "$copy/tree/evals/sums"
cp "$here/benchmark.cc" "$copy/tree/evals/sums/"
printf '{"question": "2 + 3", "answer": "5"}\n{"question": "2 + 4", "answer": "6"}\n' \
  >"$copy/data/sums/test.jsonl"
cmake -S "$copy/tree" -B "$copy/build" -G Ninja -DASSAY_TESTS=OFF -DASSAY_CUDA=OFF \
  -DCMAKE_CXX_FLAGS=-O0 -DCMAKE_PROJECT_assay_INCLUDE="$here/check.cmake" \
  -DASSAY_CHECK_SOURCE="$here/check.cc" >"$copy/configure.log" 2>&1 || { cat "$copy/configure.log"; exit 1; }
cmake --build "$copy/build" --target check -j2 >"$copy/build.log" 2>&1 || { tail -40 "$copy/build.log"; exit 1; }
"$copy/build/check" "$copy/data"
