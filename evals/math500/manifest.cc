#include "evals/math500/manifest.h"

namespace assay::evals {
namespace {

using datasets::FileFormat;
using datasets::Manifest;

Manifest make() {
  return {.name = "math500",
          .title = "MATH-500: 500 problems of the MATH test set",
          .licence = "MIT",
          .homepage = "https://github.com/openai/prm800k",
          .revision = "7ecc794703b2877f63226f2477a49b34f9b25163",
          .files = {{.path = "math500/test.jsonl",
                     .split = "test",
                     .format = FileFormat::kJsonl,
                     .required = {"problem", "solution", "answer", "subject", "level", "unique_id"},
                     .sha256 = "35dc41080a3680858b27fa7e0533d2d547825316fc5dafe5d316f4ccc5a06132",
                     .records = 500,
                     .url = "https://media.githubusercontent.com/media/openai/prm800k/"
                            "7ecc794703b2877f63226f2477a49b34f9b25163/prm800k/math_splits/"
                            "test.jsonl",
                     .mirrors = {"https://raw.githubusercontent.com/ZubinGou/"
                                 "math-evaluation-harness/"
                                 "db77bc6bb2a17c90ed2d63e88ebd8c40a82858c5/data/math_oai/"
                                 "test.jsonl"}}}};
}

}  // namespace

const Manifest& math500_manifest() {
  static const Manifest manifest = make();
  return manifest;
}

}  // namespace assay::evals
