#include "evals/math/manifest.h"

namespace assay::evals {
namespace {

using datasets::FileFormat;
using datasets::Manifest;

Manifest make() {
  return {
      .name = "math",
      .title = "MATH: competition problems",
      .licence = "MIT",
      .homepage = "https://github.com/hendrycks/math",
      .revision = "db77bc6bb2a17c90ed2d63e88ebd8c40a82858c5 of ZubinGou/math-evaluation-harness",
      .files = {{.path = "math/test.jsonl",
                 .split = "test",
                 .format = FileFormat::kJsonl,
                 .required = {"problem", "level", "type", "solution"},
                 .sha256 = "3371949f33dd702d04b43fddd7d53a028de0aaca0e76abb1b875a050297b3aa4",
                 .records = 5000,
                 .url = "https://raw.githubusercontent.com/ZubinGou/math-evaluation-harness/"
                        "db77bc6bb2a17c90ed2d63e88ebd8c40a82858c5/data/math/test.jsonl",
                 .mirrors = {"https://raw.githubusercontent.com/microsoft/ToRA/main/src/data/"
                             "math/test.jsonl"}},
                {.path = "math/MATH_test.tar",
                 .split = "test",
                 .format = FileFormat::kJsonTar,
                 .required = {"problem", "level", "type", "solution"},
                 .member = "MATH/test/",
                 .sha256 = "70cd135a74f8b718e4a8cdff5b8bd1013d9558b8f8cc413bd88ce63ac7ab7ea9",
                 .records = 5000,
                 .alternative = true}}};
}

}  // namespace

const Manifest& math_manifest() {
  static const Manifest manifest = make();
  return manifest;
}

}  // namespace assay::evals
