#include "evals/gsm8k/manifest.h"

#include <string>

namespace assay::evals {
namespace {

using datasets::FileFormat;
using datasets::Manifest;

const std::string kSource =
    "https://raw.githubusercontent.com/openai/grade-school-math/"
    "3101c7d5072418e28b9008a6636bde82a006892c/grade_school_math/data/";

Manifest make() {
  return {.name = "gsm8k",
          .title = "GSM8K: grade-school word problems",
          .licence = "MIT",
          .homepage = "https://github.com/openai/grade-school-math",
          .revision = "3101c7d5072418e28b9008a6636bde82a006892c",
          .files = {{.path = "gsm8k/test.jsonl",
                     .split = "test",
                     .format = FileFormat::kJsonl,
                     .required = {"question", "answer"},
                     .sha256 = "3730d312f6e3440559ace48831e51066acaca737f6eabec99bccb9e4b3c39d14",
                     .records = 1319,
                     .url = kSource + "test.jsonl"},
                    {.path = "gsm8k/train.jsonl",
                     .split = "train",
                     .format = FileFormat::kJsonl,
                     .required = {"question", "answer"},
                     .sha256 = "17f347dc51477c50d4efb83959dbb7c56297aba886e5544ee2aaed3024813465",
                     .records = 7473,
                     .url = kSource + "train.jsonl"}}};
}

}  // namespace

const Manifest& gsm8k_manifest() {
  static const Manifest manifest = make();
  return manifest;
}

}  // namespace assay::evals
