#include "store/bench_values.h"

#include <map>

namespace assay::store {
namespace {

struct Sum {
  double total = 0;
  std::int64_t count = 0;
};

}  // namespace

std::int64_t start_of(const BenchRepRecord& rep) {
  const Json* start = rep.detail.find("start");
  return start != nullptr && start->is_int() ? start->as_int() : 0;
}

BenchValues bench_values(const BenchCaseRecord& bench, std::string_view metric) {
  BenchValues out;
  std::map<std::int64_t, Sum> by_start;
  for (const BenchRepRecord& rep : bench.reps) {
    if (rep.warmup || !rep.invalid_reason.empty()) continue;
    for (const auto& [name, value] : rep.values) {
      if (name != metric) continue;
      out.values.push_back(value);
      Sum& sum = by_start[start_of(rep)];
      sum.total += value;
      ++sum.count;
    }
  }
  out.repetitions = std::ssize(out.values);
  out.starts = std::ssize(by_start);
  if (out.starts < 2) return out;
  out.values.clear();
  for (const auto& [start, sum] : by_start) {
    out.values.push_back(sum.total / static_cast<double>(sum.count));
  }
  return out;
}

}  // namespace assay::store
