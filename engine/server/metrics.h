// Counters of a running server, as Prometheus reads them.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace assay::engine {

/// Counts of values up to bounds, as Prometheus has it.
class Histogram {
 public:
  void add(double seconds);
  /// Lines `name_bucket{le="..."}`, `name_sum`, `name_count`.
  void print(std::string& out, std::string_view name) const;

 private:
  static constexpr std::array kBounds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,  0.25,
                                      0.5,   1.0,    2.5,   5.0,  10.0,  30.0, 60.0, 300.0};
  std::array<std::int64_t, kBounds.size()> counts_{};
  std::int64_t count_ = 0;
  double sum_ = 0;
};

/// Of the server's thread.
struct Metrics {
  std::map<std::pair<std::string, int>, std::int64_t> requests;  // by path and status
  std::int64_t cancelled = 0;  // clients that went away before their answer was complete
  std::int64_t in_flight = 0;  // answers being made
  std::int64_t connections = 0;
  std::int64_t refused_connections = 0;
  std::int64_t prompt_tokens = 0;
  std::int64_t cached_prompt_tokens = 0;
  std::int64_t generated_tokens = 0;
  Histogram first_token_seconds;     // from the whole request to its first token
  Histogram between_tokens_seconds;  // of streams
  Histogram request_seconds;

  /// The text exposition format, version 0.0.4.
  [[nodiscard]] std::string print(std::string_view model) const;
};

}  // namespace assay::engine
