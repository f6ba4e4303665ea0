#include "evals/gpqa/manifest.h"

#include <string>

namespace assay::evals {
namespace {

using datasets::DataFile;
using datasets::FileFormat;
using datasets::Manifest;

// Published by the authors beside the archive; it keeps the items out of plain-text crawls.
constexpr const char* kPassword = "deserted-untie-orchid";

DataFile subset(const std::string& split, std::int64_t records) {
  return {.path = "gpqa/dataset.zip",
          .split = split,
          .format = FileFormat::kZipCsv,
          .required = {"Question", "Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2",
                       "Incorrect Answer 3", "Record ID", "High-level domain", "Subdomain"},
          .member = "dataset/gpqa_" + split + ".csv",
          .password = kPassword,
          .sha256 = "461ae7329f15a3e35f8184d2dac24b990f34fdf12f366ca4062d8e6638cd08dc",
          .records = records,
          .url =
              "https://raw.githubusercontent.com/idavidrein/gpqa/"
              "d46dc8d5e01b40bcde0bed6bee68a5de953a58f8/dataset.zip",
          .mirrors = {"https://raw.githubusercontent.com/idavidrein/gpqa/main/dataset.zip"}};
}

Manifest make() {
  Manifest manifest{
      .name = "gpqa",
      .title = "GPQA: graduate-level multiple choice in biology, chemistry, physics",
      .licence = "CC-BY-4.0",
      .homepage = "https://github.com/idavidrein/gpqa",
      .revision = "d46dc8d5e01b40bcde0bed6bee68a5de953a58f8",
      .restricted = true,
      .files = {subset("diamond", 198), subset("main", 448), subset("extended", 546)}};
  DataFile experts = subset("experts", 60);
  experts.required = {"Name", "Domain"};
  manifest.files.push_back(experts);
  // The worked examples: packed with the same password, or as the file of the repository.
  manifest.files.push_back(
      {.path = "gpqa/prompts.zip",
       .split = "prompts",
       .format = FileFormat::kZipJson,
       .required = {"questions"},
       .member = "prompts/chain_of_thought_examples.json",
       .password = kPassword,
       .sha256 = "ccfde8eb3f8bae78730086dd439c0f22ca0a0acada32a5d6fae39c1b27dc29e8",
       .records = 1});
  manifest.files.push_back(
      {.path = "gpqa/chain_of_thought_examples.json",
       .split = "prompts",
       .format = FileFormat::kJson,
       .required = {"questions"},
       .sha256 = "3c4cc0d4641a86d26bfe2d28f195c93593b0cfd562ab17cb1832c31db4019e98",
       .records = 1,
       .alternative = true,
       .url = "https://raw.githubusercontent.com/idavidrein/gpqa/"
              "91ee9cd5b63abc4929b1af4c2955cdc30d321dce/prompts/chain_of_thought_examples.json"});
  return manifest;
}

}  // namespace

const Manifest& gpqa_manifest() {
  static const Manifest manifest = make();
  return manifest;
}

}  // namespace assay::evals
