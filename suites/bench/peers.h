// Results of other tools' benchmarks, renamed to this program's definitions (docs/bench.md).
// Formats: vLLM's `bench serve`, `bench latency` and `bench throughput` (--output-json,
// --save-result), llama.cpp's llama-bench (-o json, -o jsonl) and llama-batched-bench
// (--output-format jsonl), Google Benchmark. Files are untrusted: bounded, typed, no value is
// believed to be finite.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "store/records.h"

namespace assay::suites {

struct PeerResult {
  std::string tool;     // "vllm bench serve", "llama-bench" ...
  std::string model;    // as the tool names it; "" when it does not
  std::string machine;  // what it says of its hardware; ""
  std::vector<store::BenchCaseRecord> cases;
};

/// Throws: Error(kInput) naming `source` when the form is not known or a field has a wrong type.
PeerResult read_peer(std::string_view text, const std::string& source);

}  // namespace assay::suites
