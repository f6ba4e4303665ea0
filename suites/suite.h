// A suite file: which models in which settings do which tasks. JSON with comments and trailing
// commas; every key is known or an error with a suggestion. The accepted form is described in
// docs/suites.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "suites/suite_bench.h"

namespace assay::suites {

/// One precision setting of the matrix: weights and activations, and the KV cache.
struct Setting {
  std::string precision;  // "" means the engine's default for the checkpoint
  std::string kv = "bf16";
  friend bool operator==(const Setting&, const Setting&) = default;
};

/// "fp8" or "fp8+kv-fp8": as written in suite files, progress lines and reports.
std::string setting_name(const Setting& setting);
Setting parse_setting_name(const std::string& text);

struct SuiteModel {
  std::string path;               // folder, "dummy:NAME", "replay:FILE", "http(s)://..."
  std::string name;               // for servers: the model's name there
  std::string label;              // shown in reports; "" means the folder's name
  std::vector<Setting> settings;  // never empty after parsing
};

/// Overrides of a protocol's generation defaults; unset fields keep the protocol's value.
struct SamplingOverride {
  std::optional<std::int64_t> max_tokens;
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<std::int64_t> top_k;
};

struct SuiteTask {
  std::string task;                  // "gsm8k"
  std::string protocol;              // resolved name, never empty after parsing
  std::string split;                 // "" is the protocol's
  std::vector<std::string> groups;   // subjects or languages; empty for all
  std::int64_t limit = 0;            // 0: all; else at most so many samples
  std::int64_t limit_per_group = 0;  // 0: all
  std::int64_t shuffle_seed = -1;    // >= 0: limits take a seeded choice instead of the first ones
  std::int64_t repeats = 1;          // samples per item
  SamplingOverride sampling;
  std::string prompts;  // file with prompt texts of others; "" for none
  std::string answer_after;
  bool custom_data = false;  // the data set's digest need not be the published one
};

struct SuiteEngine {
  std::string device = "auto";
  int tp = 1;
  bool tp_invariant = true;
  bool fast = false;
  int dp = 1;
  int threads = 0;
  std::int64_t max_batch = 0;
  std::int64_t max_context = 0;
  bool prefix_cache = true;
  std::string chat_format = "auto";
  std::string long_prompts = "error";
  std::string calibrate;  // file with a text for static scales; "" for none
};

/// A text on which every setting is compared with the reference, number by number.
struct SuiteNumerics {
  std::filesystem::path text;
  std::int64_t tokens = 2048;  // at most so many
  std::int64_t window = 256;
};

struct Suite {
  std::string name;
  std::string title;
  std::filesystem::path file;  // as given; relative paths in it start at its folder
  std::filesystem::path data;  // data folder; "" means --data or ASSAY_DATA
  std::vector<SuiteModel> models;
  std::vector<SuiteTask> tasks;     // empty where only speed is measured
  std::optional<SuiteBench> bench;  // measurements of speed after the tasks
  SuiteEngine engine;
  std::optional<SuiteNumerics> numerics;
  std::uint64_t seed = 0;
  std::int64_t allowed_errors =
      0;               // samples that may stay unscored before the run counts as incomplete
  Json gates;          // for `assay gate`; kept as it stands
  Json definition;     // the expanded document, for the store
  std::string sha256;  // of its canonical form
};

/// Parses and checks everything that needs no model or data: keys, types, task and protocol names.
/// `extends` names one parent file: objects merge, lists replace.
/// Throws: Error(kInput) "file:line:column: key: reason".
Suite load_suite(const std::filesystem::path& file);

/// The document with parents merged in, as `assay suites expand` prints it.
Json expand_suite(const std::filesystem::path& file);

/// "${NAME}" replaced from the environment. Throws: Error(kInput) for a variable that is not set.
std::string expand_variables(const std::string& text);

}  // namespace assay::suites
