// The one interface through which everything else uses a model: built-in engine, HTTP server,
// replay.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/json.h"
#include "engine/completion.h"
#include "engine/http_options.h"
#include "engine/request.h"

namespace assay::engine {

class ProcessGroup;

/// The same options on `run`, `generate`, `bench` and `serve`.
struct EngineOptions {
  std::string model;            // folder, "dummy:NAME", "http(s)://.../v1", "replay:FILE"
  std::string model_name;       // for servers
  std::string device = "auto";  // "cpu", "cuda", "auto"
  std::string precision;        // "" is the default: "fp8", or "checkpoint" for quantized ones
  std::string kv = "bf16";
  std::string calibrate;  // file with a text for static scales that the model has not
  int tp = 1;
  bool tp_invariant = true;      // bits that do not depend on tp (RowSums of partition.h)
  bool fast = false;             // GPUs: bits may depend on the batch, and on tp
  int dp = 1;                    // copies of the model that answer different requests
  int threads = 0;               // 0: the cores this process may use
  std::int64_t max_batch = 0;    // 0: by memory
  std::int64_t max_context = 0;  // 0: the model's
  std::uint64_t seed = 0;
  bool prefix_cache = true;
  std::string long_prompts = "error";     // beyond the context: or "truncate" the oldest after BOS
  std::string chat_date = "26 Jul 2024";  // the date line of Llama 3.x templates
  std::string chat_format = "auto";  // or a name of engine/chat.h: overrides the model's template
  HttpOptions http;
  /// Asked between the steps of Generator::run, and a few times a second while servers are waited
  /// for; true drops what is in flight. Empty: never.
  std::function<bool()> stop_requested;
  ProcessGroup* processes = nullptr;  // that hold the model together; outlives the generator
  int replica = 0;                    // which of the copies this one is
  std::int64_t memory_bytes = 0;      // that it may take; 0: what is free
};

/// What a run stores about its model.
struct ModelInfo {
  std::string name;    // folder name
  std::string digest;  // over config, tokenizer, tensor headers and data
  std::string tokenizer_digest;
  std::int64_t parameters = 0;  // 0 when unknown
  std::int64_t weight_bytes = 0;
  std::int64_t context = 0;  // longest accepted sequence
  std::string setting;       // precision actually used
  std::string kv;
  std::string device;      // "cpu" or "cuda"
  std::string arithmetic;  // id of the arithmetic: equal ids give equal bits
  Json detail;             // anything else worth storing
};

/// Called once for every request, from one thread at a time, in order of completion.
/// Returning false stops taking new work; what is in flight is dropped.
using CompletionSink = std::function<bool(std::size_t index, Completion completion)>;

class Generator {
 public:
  virtual ~Generator() = default;
  [[nodiscard]] virtual const ModelInfo& info() const = 0;
  /// Blocks until every request is answered or the sink said stop. A request that fails yields a
  /// completion with kError. Throws: Error(kEnvironment) when the engine as a whole is lost.
  virtual void run(std::span<const Request> requests, const CompletionSink& sink) = 0;
  /// Why requests like this one cannot be asked of this model at all, or "". May ask the model.
  [[nodiscard]] virtual std::string refusal(const Request& request) const {
    (void)request;
    return "";
  }
};

/// For models that are not run here. Throws: Error(kInput) where `fast` is asked of them.
void check_fast(const EngineOptions& options);

/// Whether `model` names a server: an http or https address, or several.
bool is_served(const std::string& model);

/// Makes the generator that `options.model` names.
/// Throws: Error(kInput) for a model that cannot be used, Error(kEnvironment) for a lack of memory.
std::unique_ptr<Generator> make_generator(const EngineOptions& options);

}  // namespace assay::engine
