// What the store holds, as plain values. Text is valid UTF-8; times are UTC in ISO 8601 or
// nanoseconds of a monotonic clock. `row` fields are keys inside one file and 0 until stored.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "store/measurement_records.h"

namespace assay::store {

struct ModelRecord {
  std::string name;
  std::string digest;  // config, tokenizer, tensor headers and data
  std::string tokenizer_digest;
  std::int64_t parameters = 0;    // 0: unknown
  std::int64_t weight_bytes = 0;  // 0: unknown
  Json detail;
  friend bool operator==(const ModelRecord&, const ModelRecord&) = default;
};

struct BuildRecord {
  std::string version;
  std::string git_commit;
  std::string compiler;
  std::string flags;
  friend bool operator==(const BuildRecord&, const BuildRecord&) = default;
};

struct MachineRecord {
  std::string machine_class;  // speeds are compared only between equal classes
  std::string host;
  std::string os;
  std::string cpu;
  std::int64_t cores = 0;
  std::int64_t memory_bytes = 0;
  std::string gpu;  // "" without one
  std::int64_t gpu_count = 0;
  std::string driver;
  std::string cuda;
  std::string nccl;
  Json detail;
  friend bool operator==(const MachineRecord&, const MachineRecord&) = default;
};

enum class RunStatus { kRunning, kDone, kIncomplete, kInterrupted, kFailed };
/// "running", "done", "incomplete", "interrupted", "failed".
const char* run_status_name(RunStatus status);

struct RunRecord {
  std::int64_t row = 0;
  std::string name;  // the run id; made by the store, "20261124-104501-k3f9x2"
  std::string label;
  std::string identity;  // the same command has the same identity, so that it can be resumed
  Json inputs;           // object {what: digest}: must agree to resume
  std::string suite_name;
  std::string suite_digest;
  Json suite;  // canonical definition
  ModelRecord model;
  BuildRecord build;
  MachineRecord machine;
  std::string setting;
  std::string kv;
  std::string device;
  std::string arithmetic;  // equal ids give equal bits
  Json engine;             // object: engine options
  std::uint64_t seed = 0;
  std::string branch;  // of the work under test; "" unless told
  std::string revision;
  std::string sandbox;        // measured strength; "" if no code was run
  std::string language_data;  // what checks of language were made with
  RunStatus status = RunStatus::kRunning;
  std::string started_at;   // set by the store
  std::string finished_at;  // "" while running
  std::optional<double> energy_j;
  std::optional<std::int64_t> peak_memory_bytes;
  std::string notes;
  std::int64_t attempts = 0;      // read only: times it was started or resumed
  std::int64_t active_ns = 0;     // read only: over all attempts, dead time left out
  std::vector<std::string> tags;  // read only: those that stand on it now
};

/// How a metric is made of score parts; the words of evals/score.h, as text.
struct MetricRecord {
  std::string name;
  std::string kind = "mean";  // "mean", "macro", "pass@k", "maj@k", "mean_of"
  std::string part;
  std::int64_t k = 1;
  std::vector<std::string> of;  // mean_of
  friend bool operator==(const MetricRecord&, const MetricRecord&) = default;
};

struct RunTaskRecord {
  std::int64_t row = 0;
  std::string name;  // "gsm8k"
  std::string protocol;
  std::int64_t protocol_version = 1;
  std::string split;
  std::string dataset_digest;
  bool dataset_published = true;
  std::string prompts_digest;         // "" without a file of prompts
  std::vector<MetricRecord> metrics;  // the first is the headline
  Json definition;                    // object: sampling, shots, what else decides the result
  std::string scorer;                 // "gsm8k@assay"
  std::string scorer_version;
  std::int64_t items = 0;
  std::int64_t repeats = 1;
};

struct ItemRecord {
  std::string key;  // "gsm8k/test/0"
  std::string group;
  std::string category;
  std::string cluster;  // "" is stored as the key
  std::string question;
  std::string target;
  friend bool operator==(const ItemRecord&, const ItemRecord&) = default;
};

struct PromptRecord {
  std::string text;
  std::vector<std::int32_t> ids;
  friend bool operator==(const PromptRecord&, const PromptRecord&) = default;
};

struct ChoiceRecord {
  double logprob = 0;  // natural log; minus infinity is kept, NaN is refused
  std::int64_t tokens = 0;
  bool greedy = false;
  friend bool operator==(const ChoiceRecord&, const ChoiceRecord&) = default;
};

/// How a server came to answer; kept beside the response, as provenance.
struct ServedRecord {
  std::string endpoint;     // "" for models of the process itself: nothing is stored
  std::string model;        // as the server names it
  std::string fingerprint;  // of its configuration, as it tells it
  std::int64_t attempts = 0;
  std::int64_t waited_ns = 0;       // between attempts
  std::vector<std::string> faults;  // of attempts that failed
  friend bool operator==(const ServedRecord&, const ServedRecord&) = default;
};

struct GenerationRecord {
  std::int64_t row = 0;
  std::int64_t position = 0;  // of the item in its task, from 0
  std::int64_t repeat = 0;
  std::int64_t attempts = 1;  // set by the store: errors before it, plus one
  std::string response_key;   // 64 hexadecimal digits: digest of all that determines the response
  PromptRecord prompt;
  std::string text;
  std::vector<std::int32_t> ids;      // generated
  std::string finish_reason;          // "stop", "eos", "length", "scored", "error"
  std::vector<ChoiceRecord> choices;  // likelihood prompts
  std::string error;                  // why, when finish_reason is "error"
  std::int64_t prompt_tokens = 0;
  std::int64_t cached_tokens = 0;
  std::int64_t output_tokens = 0;
  std::int64_t scheduled_ns = 0;
  std::int64_t sent_ns = 0;
  std::int64_t first_ns = 0;
  std::int64_t last_ns = 0;
  ServedRecord served;  // read only with texts
  friend bool operator==(const GenerationRecord&, const GenerationRecord&) = default;
};

enum class Verdict { kCorrect, kIncorrect, kUnscored };
/// "correct", "incorrect", "unscored".
const char* verdict_name(Verdict verdict);

struct PartRecord {
  std::string metric;
  double value = 0;
  double count = 1;
  friend bool operator==(const PartRecord&, const PartRecord&) = default;
};

struct ScoreRecord {
  Verdict verdict = Verdict::kIncorrect;
  double value = 0;
  std::string answer;
  std::string reason;
  Json detail;
  std::vector<PartRecord> parts;
  friend bool operator==(const ScoreRecord&, const ScoreRecord&) = default;
};

/// One response to one item, with its score once there is one.
struct SampleRecord {
  ItemRecord item;
  GenerationRecord generation;
  std::optional<ScoreRecord> score;
};

/// A response that is stored, as a resuming runner needs to know it.
struct StoredKey {
  std::int64_t row = 0;  // of the generation
  std::int64_t position = 0;
  std::int64_t repeat = 0;
  std::string response_key;
  bool error = false;   // to be tried again
  bool scored = false;  // by the task's scorer, with a verdict other than unscored
};

struct TagRecord {
  std::string name;
  std::string run;
  std::string set_at;
  std::string reason;
};

}  // namespace assay::store
