// A benchmark: how rows become samples, samples become prompts, and responses become scores.
// One folder below evals/ holds one benchmark; the build finds the folder and registers it.
// All functions are pure and thread-safe, but for code run through the Sandbox.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "datasets/manifest.h"
#include "datasets/record.h"
#include "datasets/sample.h"
#include "evals/prompt.h"
#include "evals/published.h"
#include "evals/response.h"
#include "evals/sandbox.h"
#include "evals/score.h"

namespace assay::evals {

using datasets::Manifest;
using datasets::Record;
using datasets::Sample;

/// Where worked examples come from. Which ones are drawn never depends on sharding or order of
/// work.
struct ShotRule {
  enum class Kind {
    kNone,
    kFirst,         // first `count` samples of `split` in the same group
    kPythonSample,  // lm-eval's sampler: Random(seed).sample per document, in document order
    kFixed,         // part of the protocol's own texts; to_prompt adds them
  };
  Kind kind = Kind::kNone;
  int count = 0;
  std::string split;
  std::uint64_t seed = 1234;
};

/// Generation defaults. Greedy unless stated; nothing is inherited from a checkpoint.
struct SamplingDefaults {
  int max_tokens = 1024;
  double temperature = 0;
  double top_p = 1;
  std::vector<std::string> stop;
};

/// Prompt, shots, limits, extraction, comparison and aggregation together.
struct Protocol {
  std::string name;              // "assay", "lm-eval", "meta-cot" ...
  int version = 1;               // raised when the meaning changes; stored with each run
  std::string title;             // one line for people
  std::string split = "test";    // evaluated by default
  bool needs_templates = false;  // wording belongs to others: --prompts FILE is required
  ShotRule shots;
  SamplingDefaults sampling;
  std::vector<MetricSpec> metrics;  // the first is the headline
};

/// Prompt texts of others, read from a file (docs/prompts.md); the program holds none of them.
struct PromptTemplates {
  Json texts;          // whole document in the form of prompt_templates.json
  std::string source;  // file name, for messages
  std::string sha256;
  /// Set when the file holds published samples instead of texts: their prompts are used as they
  /// are.
  std::shared_ptr<const PublishedSet> published;
};

struct PromptContext {
  const Protocol* protocol = nullptr;
  std::span<const Sample> shots;               // as the protocol's rule drew them
  const PromptTemplates* templates = nullptr;  // null unless given
  std::int64_t repeat = 0;                     // which of several samples per item
};

struct LanguageData;  // evals/ifeval/language_data.h

struct ScoreContext {
  const Protocol* protocol = nullptr;
  Sandbox* sandbox = nullptr;              // null: code cannot be run, such samples are unscored
  const LanguageData* language = nullptr;  // sentence model, language profiles; null: stand-ins
  std::string answer_after;  // text after whose last occurrence the answer stands; "" for the
                             // protocol's rule
  std::int64_t repeat = 0;   // which of several samples per item, as in the prompt
  std::string sample_id;     // for `extract`, whose rule can depend on the language; "" if unknown
};

class Benchmark {
 public:
  virtual ~Benchmark() = default;

  [[nodiscard]] virtual std::string_view name() const = 0;   // "gsm8k"
  [[nodiscard]] virtual std::string_view title() const = 0;  // "GSM8K: grade-school word problems"
  [[nodiscard]] virtual const Manifest& manifest() const = 0;
  /// The first is `assay`: our own words, with the card's shots, limits, extraction, aggregation.
  [[nodiscard]] virtual std::span<const Protocol> protocols() const = 0;

  /// True when scoring runs model-written programs: such a task needs a sandbox.
  [[nodiscard]] virtual bool runs_code() const { return false; }

  /// Throws: Error(kInput) with file and line for a record that does not fit.
  [[nodiscard]] virtual Sample to_sample(const Record& record) const = 0;
  /// Every sample in a record: one, but where a file holds all worked examples in one record.
  [[nodiscard]] virtual std::vector<Sample> to_samples(const Record& record) const;
  /// Throws: Error(kInput) when the protocol needs a template that `context.templates` lacks.
  [[nodiscard]] virtual Prompt to_prompt(const Sample& sample,
                                         const PromptContext& context) const = 0;
  /// The answer in a response, "" for none; needs no sample.
  [[nodiscard]] virtual std::string extract(const Response& response,
                                            const ScoreContext& context) const = 0;
  /// Total: any response of any kind gets a score.
  [[nodiscard]] virtual Score score(const Sample& sample, const Response& response,
                                    const ScoreContext& context) const = 0;
  /// The group of groups that `protocol` counts a sample in; by default the sample's own.
  [[nodiscard]] virtual std::string category(const Sample& sample, const Protocol& protocol) const;
  /// A response that must score correct, for self-tests; by default the target.
  [[nodiscard]] virtual Response gold_response(const Sample& sample,
                                               const ScoreContext& context) const;
};

/// Every benchmark of the program, in alphabetical order of their folders.
std::span<const Benchmark* const> all_benchmarks();
/// The data set of every folder, in the same order.
std::span<const Manifest* const> all_manifests();
/// By name ("gsm8k"). Throws: Error(kInput) with a suggestion.
const Benchmark& find_benchmark(std::string_view name);
struct TaskName {
  std::string task;
  std::string protocol;  // "" when none is named
};
/// "mmlu@lm-eval" -> {"mmlu", "lm-eval"}.
TaskName parse_task_name(std::string_view text);
/// By name, "" meaning the first. Throws: Error(kInput) with the list of protocols.
const Protocol& find_protocol(const Benchmark& benchmark, std::string_view name);

}  // namespace assay::evals
