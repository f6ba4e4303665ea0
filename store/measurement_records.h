// What is measured of a run apart from its samples: numeric comparisons and speed.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace assay::store {

/// How far a run's numbers are from those of a reference setting on one text; engine/numerics.h
/// says what each figure is.
struct NumericsRecord {
  struct Layer {
    double relative_error = 0;
    double snr_db = 0;
    friend bool operator==(const Layer&, const Layer&) = default;
  };
  std::string reference;
  std::string text_sha256;
  std::string text_name;
  std::int64_t window_tokens = 0;
  std::int64_t tokens = 0;
  double kl_mean = 0;
  double kl_p50 = 0;
  double kl_p90 = 0;
  double kl_p99 = 0;
  double kl_p999 = 0;
  double kl_max = 0;
  double top1 = 0;
  double perplexity = 0;
  double perplexity_reference = 0;
  std::vector<Layer> layers;
  friend bool operator==(const NumericsRecord&, const NumericsRecord&) = default;
};

struct BenchRepRecord {
  std::int64_t number = 0;
  std::int64_t order_index = 0;
  bool warmup = false;
  std::string started_at;
  std::int64_t duration_ns = 0;
  std::string invalid_reason;  // "" when valid
  Json detail;
  std::vector<std::pair<std::string, double>> values;  // metric with its unit last, value
};

struct BenchCaseRecord {
  std::string name;
  std::string kind;
  Json params;
  std::vector<BenchRepRecord> reps;
};

}  // namespace assay::store
