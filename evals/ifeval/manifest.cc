#include "evals/ifeval/manifest.h"

namespace assay::evals {
namespace {

using datasets::FileFormat;
using datasets::Manifest;

Manifest make() {
  return {.name = "ifeval",
          .title = "IFEval: instructions whose keeping a program can check",
          .licence = "CC-BY-4.0",
          .homepage =
              "https://github.com/google-research/google-research/tree/master/"
              "instruction_following_eval",
          .revision = "data/input_data.jsonl of 541 prompts",
          .files = {{.path = "ifeval/input_data.jsonl",
                     .split = "test",
                     .format = FileFormat::kJsonl,
                     .required = {"key", "prompt", "instruction_id_list", "kwargs"},
                     .sha256 = "67ffeee0fcb87c317c5b08a2de85557b4a7e96ada6178aa645b4954fe4b53d49",
                     .records = 541,
                     .url = "https://raw.githubusercontent.com/google-research/google-research/"
                            "master/instruction_following_eval/data/input_data.jsonl",
                     .mirrors = {"https://raw.githubusercontent.com/Podtech-AI/IFEval/"
                                 "5bdf377eb9cc20f16d377dc5c38413cee22550a6/data/input_data.jsonl",
                                 "https://raw.githubusercontent.com/shisa-ai/M-IFEval/"
                                 "90efdada45f156d4dda28cc9501464651e3bb5ad/data/"
                                 "input_data.jsonl"}}}};
}

}  // namespace

const Manifest& ifeval_manifest() {
  static const Manifest manifest = make();
  return manifest;
}

}  // namespace assay::evals
