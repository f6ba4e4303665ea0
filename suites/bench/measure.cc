#include "suites/bench/measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "store/bench_values.h"
#include "store/machine_speed.h"
#include "store/store.h"
#include "suites/interrupt.h"

namespace assay::suites {
namespace {

constexpr double kConfidence = 0.95;
constexpr double kLargeSpread = 0.05;  // of a headline metric between repetitions

void add_energy(const Interference& seen, RepOutcome& rep) {
  if (!seen.energy_j) return;
  rep.values.emplace_back("energy_j", *seen.energy_j);
  if (rep.output_tokens == 0 || *seen.energy_j <= 0) return;
  const auto tokens = static_cast<double>(rep.output_tokens);
  rep.values.emplace_back("energy_j_per_output_token", *seen.energy_j / tokens);
  rep.values.emplace_back("output_tokens_per_j", tokens / *seen.energy_j);
}

class Measuring {
 public:
  Measuring(const std::vector<BenchCase>& cases, const MeasureOptions& options)
      : cases_(cases), options_(options), warm_ups_(cases.size()) {
    for (const BenchCase& bench : cases) {
      out_.cases.push_back({.name = bench.name, .kind = bench.kind, .params = bench.params});
    }
  }

  Measured run() {
    const InterruptibleWork work;  // a first signal lets what is finished be stored
    for (std::int64_t start = 0; start < options_.starts && !interrupted(); ++start) {
      if (start > 0) options_.restart();
      lacking_.assign(cases_.size(), options_.reps);
      // What noise spoiled is measured again, if need be as often as was asked for in the first
      // place: then noise is what this machine has.
      for (std::int64_t round = 0; round < 2 * options_.reps && !interrupted(); ++round) {
        for (std::size_t i = 0; i < cases_.size() && !interrupted(); ++i) {
          const std::size_t index = round % 2 == 0 ? i : cases_.size() - 1 - i;
          if (lacking_[index] > 0) repetition(index, start, round == 0);
        }
      }
    }
    out_.interrupted = interrupted();
    leave_out_drift();
    std::erase_if(out_.cases, [](const auto& bench) { return bench.reps.empty(); });
    remark_on_invalid();
    remark_on_spread();
    return std::move(out_);
  }

 private:
  void repetition(std::size_t index, std::int64_t start, bool first_of_start) {
    const BenchCase& bench = cases_[index];
    const std::int64_t rep = std::ssize(out_.cases[index].reps);
    if (first_of_start && bench.warm_up) warm_ups_[index] = bench.warm_up();
    if (interrupted()) return;
    store::BenchRepRecord record{.number = rep, .order_index = order_++};
    record.started_at = store::utc_now();
    std::vector<MachineSpeed> moments;
    look_at_speed(moments);
    telemetry_.begin();
    RepOutcome outcome = bench.measure(rep);
    if (interrupted()) return;  // cut short: no measurement
    const Interference seen = telemetry_.end();
    look_at_speed(moments);
    add_energy(seen, outcome);
    if (seen.energy_j) out_.energy_j = out_.energy_j.value_or(0) + *seen.energy_j;
    if (const auto bytes = telemetry_.gpu_memory_bytes()) {
      outcome.values.emplace_back("gpu_memory_bytes", static_cast<double>(*bytes));
    }
    std::string noise = noise_of(seen, options_.noise);
    if (noise.empty()) noise = drift(moments);  // by what has been usual so far
    if (noise.empty()) --lacking_[index];
    if (outcome.invalid_reason.empty()) outcome.invalid_reason = noise;
    record.duration_ns = outcome.duration_ns;
    record.invalid_reason = std::move(outcome.invalid_reason);
    record.detail = std::move(outcome.detail);
    record.detail.set("machine", seen.to_json());
    if (!moments.empty()) {
      record.detail.set("machine_speed", store::to_json(moments.front(), moments.back()));
    }
    if (options_.starts > 1) record.detail.set("start", start);
    if (first_of_start && !warm_ups_[index].is_null())
      record.detail.set("warm_up", warm_ups_[index]);
    record.values = std::move(outcome.values);
    report(bench, record);
    out_.cases[index].reps.push_back(std::move(record));
  }

  void look_at_speed(std::vector<MachineSpeed>& moments) {
    if (!options_.machine_speed) return;
    moments.push_back(options_.machine_speed());
    speeds_.push_back(moments.back());
  }

  /// "" where the machine was as it mostly is in this run, before the repetition and after it.
  std::string drift(const std::vector<MachineSpeed>& moments) const {
    if (moments.empty()) return "";
    const MachineSpeed usual = store::median_speed(speeds_);
    for (const MachineSpeed& moment : moments) {
      const std::string found = store::difference(usual, moment, options_.noise.drift);
      if (!found.empty()) return "the machine was not as usual in this run: " + found;
    }
    return "";
  }

  /// What was usual, only the end of the run knows.
  void leave_out_drift() {
    for (store::BenchCaseRecord& bench : out_.cases) {
      for (store::BenchRepRecord& rep : bench.reps) {
        if (rep.invalid_reason.empty()) rep.invalid_reason = drift(store::machine_speeds(rep));
      }
    }
  }

  void report(const BenchCase& bench, const store::BenchRepRecord& record) const {
    if (!options_.progress) return;
    options_.progress(fmt::format("{}, repetition {}: {:.1f} s{}", bench.name, record.number + 1,
                                  static_cast<double>(record.duration_ns) / 1e9,
                                  record.invalid_reason.empty() ? "" : ", noisy"));
  }

  /// One line a case: how many, and why the first of them.
  void remark_on_invalid() {
    for (const store::BenchCaseRecord& bench : out_.cases) {
      const auto invalid = [](const auto& rep) { return !rep.invalid_reason.empty(); };
      const auto first = std::find_if(bench.reps.begin(), bench.reps.end(), invalid);
      if (first == bench.reps.end()) continue;
      out_.remarks.push_back(
          fmt::format("{}: {} of {} repetitions left out: {}", bench.name,
                      std::count_if(bench.reps.begin(), bench.reps.end(), invalid),
                      bench.reps.size(), first->invalid_reason));
    }
  }

  void remark_on_spread() {
    for (const store::BenchCaseRecord& bench : out_.cases) {
      for (const CaseFigure& figure : figures_of(bench)) {
        const bool headline = figure.metric == "output_tokens_per_s" ||
                              figure.metric == "tpot_ms_p50" || figure.metric == "time_ns";
        if (!headline || figure.spread <= kLargeSpread) continue;
        out_.remarks.push_back(fmt::format(
            "{}: {} differs by {:.1f} % between {}; the machine was not quiet", bench.name,
            figure.metric, 100 * figure.spread, figure.starts > 1 ? "starts" : "repetitions"));
      }
    }
  }

  const std::vector<BenchCase>& cases_;
  const MeasureOptions& options_;
  std::vector<Json> warm_ups_;
  std::vector<std::int64_t> lacking_;  // repetitions of each case after this start
  Telemetry telemetry_;
  std::vector<MachineSpeed> speeds_;  // of all moments
  std::int64_t order_ = 0;
  Measured out_;
};

CaseFigure summary(const std::string& metric, store::BenchValues measured) {
  std::vector<double>& values = measured.values;
  std::sort(values.begin(), values.end());
  const MeanInterval mean = mean_interval(values, kConfidence);
  CaseFigure out{.metric = metric,
                 .reps = measured.repetitions,
                 .starts = measured.starts,
                 .mean = mean.mean,
                 .interval = mean.interval};
  const std::size_t half = values.size() / 2;
  out.median = values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
  const double deviation =
      plain_standard_error(values) * std::sqrt(static_cast<double>(values.size()));
  if (out.mean != 0) out.spread = deviation / std::abs(out.mean);
  return out;
}

}  // namespace

Measured measure_cases(const std::vector<BenchCase>& cases, const MeasureOptions& options) {
  return Measuring(cases, options).run();
}

std::vector<CaseFigure> figures_of(const store::BenchCaseRecord& bench) {
  std::vector<std::string> metrics;  // in order of appearance
  for (const store::BenchRepRecord& rep : bench.reps) {
    if (rep.warmup || !rep.invalid_reason.empty()) continue;
    for (const auto& [metric, value] : rep.values) {
      if (std::find(metrics.begin(), metrics.end(), metric) == metrics.end()) {
        metrics.push_back(metric);
      }
    }
  }
  std::vector<CaseFigure> out;
  for (const std::string& metric : metrics) {
    out.push_back(summary(metric, store::bench_values(bench, metric)));
  }
  return out;
}

}  // namespace assay::suites
