// The protocols of a benchmark with what the benchmark needs to know of each: how tables of both
// are built and looked up. Pure; any thread.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "evals/benchmark.h"

namespace assay::evals {

template <typename Rules>
struct ProtocolEntry {
  Protocol protocol;
  Rules rules;
};

/// Built once, as a static of the benchmark; `protocols` and `of` stay valid as long as it.
template <typename Rules>
class ProtocolTable {
 public:
  explicit ProtocolTable(std::vector<ProtocolEntry<Rules>> entries) {
    for (ProtocolEntry<Rules>& entry : entries) {
      protocols_.push_back(std::move(entry.protocol));
      rules_.push_back(std::move(entry.rules));
    }
  }

  [[nodiscard]] std::span<const Protocol> protocols() const { return protocols_; }
  /// By name; null and names that are not in the table mean the first.
  [[nodiscard]] const Rules& of(const Protocol* protocol) const {
    for (std::size_t i = 0; protocol != nullptr && i < protocols_.size(); ++i) {
      if (protocols_[i].name == protocol->name) return rules_[i];
    }
    return rules_.front();
  }

 private:
  std::vector<Protocol> protocols_;
  std::vector<Rules> rules_;
};

/// One list of several.
template <typename Rules>
std::vector<ProtocolEntry<Rules>> joined(std::vector<ProtocolEntry<Rules>> first,
                                         std::vector<ProtocolEntry<Rules>> second) {
  for (ProtocolEntry<Rules>& entry : second) first.push_back(std::move(entry));
  return first;
}

inline Protocol with_file(Protocol protocol) {
  protocol.needs_templates = true;
  return protocol;
}

inline SamplingDefaults limits(int max_tokens, std::vector<std::string> stop = {}) {
  return {.max_tokens = max_tokens, .stop = std::move(stop)};
}

inline MetricSpec mean_metric(std::string name, std::string part) {
  return {.name = std::move(name), .kind = MetricKind::kMean, .part = std::move(part), .of = {}};
}
inline MetricSpec macro_metric(std::string name, std::string part) {
  return {.name = std::move(name), .kind = MetricKind::kMacro, .part = std::move(part), .of = {}};
}

}  // namespace assay::evals
