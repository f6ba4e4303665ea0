// Measurements of speed as the values that intervals and tests may count.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "store/measurement_records.h"

namespace assay::store {

/// Which start of the model a repetition belongs to, from 0: "start" of its detail.
std::int64_t start_of(const BenchRepRecord& rep);

/// Of a metric over the valid repetitions of a case, in order. Repetitions after one start share
/// what it brought (where memory lies, how threads were placed, the load of those minutes), so they
/// are not independent: where a case has two starts or more, each is one value, the mean of its
/// repetitions. Else each repetition is one.
struct BenchValues {
  std::vector<double> values;
  std::int64_t repetitions = 0;  // valid ones
  std::int64_t starts = 0;       // with a valid one
};
BenchValues bench_values(const BenchCaseRecord& bench, std::string_view metric);

}  // namespace assay::store
