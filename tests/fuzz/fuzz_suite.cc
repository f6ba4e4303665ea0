// Any text as a suite file: one that is accepted has models, settings and tasks, gives the same
// digest again, and so does its canonical form.
#include <string>

#include "suites/suite.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

namespace assay::fuzz {

std::vector<std::string> seeds() {
  return {
      "",
      R"({"assay_suite": 1, "name": "x", "model": "m", "settings": ["bf16", "fp8+kv-fp8"],
  // comment
  "data": "../data", "engine": {"threads": 2, "max_context": 512, "long_prompts": "truncate"},
  "tasks": ["gsm8k", {"task": "mmlu@assay-cot", "limit_per_group": 2, "groups": ["law"],
    "sampling": {"temperature": 0.6, "top_p": 0.9, "max_tokens": 7}, "repeats": 4}],})",
      R"({"assay_suite": 1, "name": "x", "models": [{"path": "${HOME}/m", "label": "l",
  "settings": [{"precision": "fp8", "kv": "fp8"}]}], "tasks": ["math"]})",
      R"({"extends": "input.jsonc"})",
      R"({"extends": "/dev/zero"})",
      R"({"extends": "base.jsonc", "name": "child", "tasks": ["ifeval"]})",
      R"({"assay_suite": 2})",
      R"({"assay_suite": 1, "name": "x", "model": "${NO_SUCH_VARIABLE}", "tasks": ["gsm8k"]})",
      R"({"assay_suite": 1, "name": "x", "model": "m", "tasks": [{"task": "gsm8k",
  "repeats": 0}]})",
  };
}

namespace {

const InputFolder& folder() {
  static const InputFolder kFolder;
  static const std::filesystem::path kBase = kFolder.file(
      "base.jsonc", R"({"assay_suite": 1, "name": "base", "model": "m", "tasks": ["gsm8k"]})");
  return kFolder;
}

}  // namespace

}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;  // NOLINT(google-build-using-namespace): one function
  const std::string text = fuzz::text_of(data, size);
  const std::filesystem::path path = fuzz::folder().file("input.jsonc", text);
  fuzz::accepted([&] {
    const suites::Suite suite = suites::load_suite(path);
    ASSAY_CHECK(!suite.name.empty() && !suite.models.empty() && !suite.tasks.empty(), text);
    for (const suites::SuiteModel& model : suite.models) {
      ASSAY_CHECK(!model.settings.empty(), text);
    }
    for (const suites::SuiteTask& task : suite.tasks) ASSAY_CHECK(task.repeats >= 1, text);
    const std::filesystem::path canonical =
        fuzz::folder().file("again.jsonc", suite.definition.dump_canonical());
    ASSAY_CHECK(suites::load_suite(canonical).sha256 == suite.sha256, text);
  });
  return 0;
}
