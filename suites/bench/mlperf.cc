#include "suites/bench/mlperf.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/error.h"
#include "base/order_statistics.h"
#include "base/text.h"

namespace assay::suites {
namespace {

constexpr double kConfidence = 0.99;
constexpr double kSingleStreamPercentile = 0.9;

// TTFT and TPOT at p99 in milliseconds; the model cards' scenarios of mlperf.conf.
constexpr MlperfLimits kLimits[] = {
    {"llama2-70b-server", 2000, 200},    {"llama2-70b-interactive", 450, 40},
    {"llama3.1-8b-server", 2000, 100},   {"llama3.1-8b-interactive", 500, 30},
    {"llama3.1-405b-server", 6000, 175}, {"llama3.1-405b-interactive", 4500, 80},
};

struct Judging {
  const LoadResult& load;
  const MlperfRules& rules;
  MlperfResult out;

  void fail(std::string reason) {
    out.valid = false;
    out.reasons.push_back(std::move(reason));
  }

  void need_duration(double seconds) {
    out.values.emplace_back("mlperf_duration_s", seconds);
    if (seconds < rules.min_duration_s) {
      fail(fmt::format("{:.1f} s, at least {:.0f} s are wanted: send more requests", seconds,
                       rules.min_duration_s));
    }
  }

  std::vector<double> latencies(bool first_token) const {
    std::vector<double> values;
    for (const RequestTiming& r : load.requests) {
      if (r.outcome != RequestOutcome::kDone) continue;
      const std::int64_t end = first_token ? r.first_ns : r.last_ns;
      values.push_back(static_cast<double>(end - r.scheduled_ns) / 1e6);
    }
    std::sort(values.begin(), values.end());
    return values;
  }

  /// "p99 <= limit", by the rule for short runs. A request without an answer is over the limit.
  void need_limit(const char* name, const std::vector<double>& values, double limit) {
    const std::int64_t issued = std::ssize(load.requests);
    const auto within = std::upper_bound(values.begin(), values.end(), limit) - values.begin();
    const std::int64_t over = issued - within;
    const std::int64_t needed = early_stopping_passes(over, rules.percentile, kConfidence);
    if (!values.empty()) {
      out.values.emplace_back(fmt::format("mlperf_{}_ms_p99", name),
                              loadgen_percentile(values, rules.percentile));
    }
    if (issued < needed + over) {
      fail(
          fmt::format("{} of {} requests over {} {:.0f} ms; {} more within it would be wanted: "
                      "lower the rate or run longer",
                      over, issued, name, limit, needed + over - issued));
    }
  }

  void judge_offline() {
    std::int64_t tokens = 0;
    double longest_s = 0;
    for (const RequestTiming& r : load.requests) {
      tokens += r.output_tokens;
      longest_s = std::max(longest_s, static_cast<double>(r.last_ns - load.begin_ns) / 1e9);
    }
    need_duration(longest_s);
    const std::int64_t samples = std::ssize(load.requests);
    if (samples < rules.min_samples) {
      fail(fmt::format("{} samples, at least {} are wanted", samples, rules.min_samples));
    }
    if (longest_s <= 0) return;
    out.values.emplace_back("mlperf_samples_per_s", static_cast<double>(samples) / longest_s);
    out.values.emplace_back("mlperf_tokens_per_s", static_cast<double>(tokens) / longest_s);
  }

  void judge_server() {
    const double scheduled_s = static_cast<double>(load.last_start_ns - load.begin_ns) / 1e9;
    need_duration(scheduled_s);
    std::vector<double> tpot;
    std::int64_t tokens = 0;
    std::int64_t last = load.begin_ns;
    for (const RequestTiming& r : load.requests) {
      tokens += r.output_tokens;
      last = std::max(last, r.last_ns);
      if (r.outcome == RequestOutcome::kDone) tpot.push_back(tpot_ms(r).value_or(0));
    }
    std::sort(tpot.begin(), tpot.end());
    if (rules.ttft_ms) need_limit("ttft", latencies(true), *rules.ttft_ms);
    if (rules.tpot_ms) need_limit("tpot", tpot, *rules.tpot_ms);
    const double seconds = static_cast<double>(last - load.begin_ns) / 1e9;
    const auto count = static_cast<double>(load.requests.size());
    if (scheduled_s > 0) {
      out.values.emplace_back("mlperf_scheduled_samples_per_s", (count - 1) / scheduled_s);
    }
    if (seconds > 0) {
      out.values.emplace_back("mlperf_completed_tokens_per_s",
                              static_cast<double>(tokens) / seconds);
    }
  }

  void judge_single_stream() {
    need_duration(static_cast<double>(load.last_start_ns - load.begin_ns) / 1e9);
    const std::vector<double> values = latencies(false);
    if (!values.empty()) {
      out.values.emplace_back("mlperf_latency_ms_p90",
                              loadgen_percentile(values, kSingleStreamPercentile));
    }
    const auto estimate = early_stopping_estimate(values, kSingleStreamPercentile, kConfidence);
    if (estimate) {
      out.values.emplace_back("mlperf_latency_ms_p90_early_stopping", *estimate);
    } else {
      fail(fmt::format("{} queries, at least {} are wanted for the estimate", values.size(),
                       early_stopping_passes(1, kSingleStreamPercentile, kConfidence) + 1));
    }
  }
};

}  // namespace

Scenario parse_scenario(const std::string& word) {
  for (const Scenario s : {Scenario::kOffline, Scenario::kServer, Scenario::kSingleStream}) {
    if (word == scenario_name(s)) return s;
  }
  throw_input("scenario \"{}\": offline, server or single-stream", escaped(word));
}

const char* scenario_name(Scenario scenario) {
  switch (scenario) {
    case Scenario::kOffline:
      return "offline";
    case Scenario::kServer:
      return "server";
    case Scenario::kSingleStream:
      return "single-stream";
  }
  return "";
}

std::span<const MlperfLimits> mlperf_limits() { return kLimits; }

const MlperfLimits& find_mlperf_limits(const std::string& name) {
  std::vector<std::string> names;
  for (const MlperfLimits& limits : kLimits) {
    if (name == limits.name) return limits;
    names.emplace_back(limits.name);
  }
  throw_input("MLPerf limits \"{}\": known are {}", escaped(name), join(names, ", "));
}

double loadgen_percentile(std::span<const double> sorted, double p) {
  ASSAY_CHECK(!sorted.empty(), "a percentile of nothing");
  const auto index = static_cast<std::size_t>(static_cast<double>(sorted.size()) * p);
  return sorted[std::min(index, sorted.size() - 1)];
}

MlperfResult judge_mlperf(Scenario scenario, const LoadResult& load, const MlperfRules& rules) {
  Judging judging{.load = load, .rules = rules, .out = {}};
  const auto failed = std::count_if(load.requests.begin(), load.requests.end(), [](const auto& r) {
    return r.outcome != RequestOutcome::kDone;
  });
  if (failed > 0) judging.fail(fmt::format("{} requests have no answer", failed));
  switch (scenario) {
    case Scenario::kOffline:
      judging.judge_offline();
      break;
    case Scenario::kServer:
      judging.judge_server();
      break;
    case Scenario::kSingleStream:
      judging.judge_single_stream();
      break;
  }
  judging.out.values.emplace_back("mlperf_valid", judging.out.valid ? 1 : 0);
  return std::move(judging.out);
}

}  // namespace assay::suites
