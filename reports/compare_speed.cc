#include "reports/compare_speed.h"

#include <algorithm>

#include "reports/hypothesis.h"
#include "store/bench_values.h"
#include "store/machine_speed.h"

namespace assay::reports {

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::string machine_difference(const store::BenchCaseRecord& before,
                               const store::BenchCaseRecord& after) {
  const auto a = store::usual_speed(before);
  const auto b = store::usual_speed(after);
  if (!a || !b) return "";
  const std::string found = store::difference(*a, *b, store::kAlikeRuns);
  return found.empty() ? "" : "the machine itself differed: " + found;
}

std::vector<HeadlineMetric> headline_metrics() {
  return {{"ttft_ms_p50", false},           {"ttft_arrival_ms_p99", false},
          {"tpot_ms_p50", false},           {"e2e_ms_p50", false},
          {"output_tokens_per_s", true},    {"total_tokens_per_s", true},
          {"goodput_requests_per_s", true}, {"peak_rate_per_s", true},
          {"output_tokens_per_j", true},    {"time_ns", false}};
}

std::vector<SpeedComparison> compare_speeds(const store::Store& store,
                                            const store::RunRecord& baseline,
                                            const store::RunRecord& candidate) {
  const std::vector<store::BenchCaseRecord> before = store.load_bench(baseline.row);
  const std::vector<store::BenchCaseRecord> after = store.load_bench(candidate.row);
  std::vector<SpeedComparison> out;
  for (const store::BenchCaseRecord& bench : before) {
    const auto other = std::find_if(after.begin(), after.end(), [&](const auto& entry) {
      return entry.name == bench.name && entry.params == bench.params;
    });
    if (other == after.end()) continue;
    for (const HeadlineMetric& metric : headline_metrics()) {
      const std::vector<double> a = store::bench_values(bench, metric.name).values;
      const std::vector<double> b = store::bench_values(*other, metric.name).values;
      if (a.empty() || b.empty() || median_of(a) == 0) continue;
      out.push_back(
          {.name = bench.name,
           .metric = metric.name,
           .baseline_values = std::ssize(a),
           .candidate_values = std::ssize(b),
           .baseline = median_of(a),
           .candidate = median_of(b),
           .change = median_of(b) / median_of(a) - 1,
           .higher_is_better = metric.higher_is_better,
           .p = mann_whitney_p(a, b),
           .same_machine = baseline.machine.machine_class == candidate.machine.machine_class,
           .machine_difference = machine_difference(bench, *other)});
    }
  }
  std::vector<double> p;
  for (const SpeedComparison& speed : out) p.push_back(speed.p);
  const std::vector<double> adjusted = holm(p);
  for (std::size_t i = 0; i < out.size(); ++i) out[i].p_adjusted = adjusted[i];
  return out;
}

}  // namespace assay::reports
