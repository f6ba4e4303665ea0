#include "evals/humaneval/manifest.h"

#include <string>

namespace assay::evals {
namespace {

using datasets::FileFormat;
using datasets::Manifest;

const std::string kSource =
    "https://raw.githubusercontent.com/openai/human-eval/"
    "6d43fb980f9fee3c892a914eda09951f772ad10d/data/";

Manifest make() {
  return {.name = "humaneval",
          .title = "HumanEval: Python functions from their docstrings",
          .licence = "MIT",
          .homepage = "https://github.com/openai/human-eval",
          .revision = "6d43fb980f9fee3c892a914eda09951f772ad10d",
          .files = {{.path = "humaneval/HumanEval.jsonl",
                     .split = "test",
                     .format = FileFormat::kJsonl,
                     .required = {"task_id", "prompt", "entry_point", "canonical_solution", "test"},
                     .sha256 = "1d49078ba3e2b196b9344535bef34a43021f038fad9561d6ee7c53450609a6a2",
                     .records = 164,
                     .url = kSource + "HumanEval.jsonl.gz"},
                    {.path = "humaneval/example_problem.jsonl",
                     .split = "example",
                     .format = FileFormat::kJsonl,
                     .required = {"task_id", "prompt", "entry_point", "canonical_solution", "test"},
                     .sha256 = "701442bbe5a65db1e4ac218d0d2bb29a6caf9615a769759bcf4ca38621ba1d7f",
                     .records = 1,
                     .url = kSource + "example_problem.jsonl"},
                    {.path = "humaneval/example_samples.jsonl",
                     .split = "example_samples",
                     .format = FileFormat::kJsonl,
                     .required = {"task_id", "completion"},
                     .sha256 = "1dcf9fc120e380b8669fe69cf45da2e510e71cae507555db9634e7893c807627",
                     .records = 6,
                     .url = kSource + "example_samples.jsonl"}}};
}

}  // namespace

const Manifest& humaneval_manifest() {
  static const Manifest manifest = make();
  return manifest;
}

}  // namespace assay::evals
