#include "suites/bench/timing.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/order_statistics.h"

namespace assay::suites {
namespace {

constexpr double kConfidence = 0.95;
constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kMostInChunk = 1 << 20;  // tokens of one chunk

double milliseconds(std::int64_t ns) { return static_cast<double>(ns) / 1e6; }

bool inside(std::int64_t at, const Window& window) {
  return at >= window.begin_ns && at < window.end_ns;
}

struct Latencies {
  std::vector<double> ttft;
  std::vector<double> ttft_arrival;
  std::vector<double> tpot;
  std::vector<double> itl;
  std::vector<double> icl;
  std::vector<double> e2e;
  std::vector<double> e2e_arrival;
  std::vector<double> send_lag;
};

void add_gaps(const RequestTiming& request, Latencies& out) {
  for (std::size_t i = 0; i < request.chunks.size(); ++i) {
    const std::int64_t tokens = request.chunks[i].tokens;
    if (i > 0) {
      const double gap = milliseconds(request.chunks[i].at_ns - request.chunks[i - 1].at_ns);
      out.icl.push_back(gap);
      if (tokens > 0) out.itl.push_back(gap);
    }
    // Tokens of one chunk become visible at one moment. A server may tell any count.
    for (std::int64_t t = 1; t < std::min(tokens, kMostInChunk); ++t) out.itl.push_back(0);
  }
}

void add_latencies(const RequestTiming& request, Latencies& out) {
  out.send_lag.push_back(milliseconds(request.sent_ns - request.scheduled_ns));
  out.e2e.push_back(milliseconds(request.last_ns - request.sent_ns));
  out.e2e_arrival.push_back(milliseconds(request.last_ns - request.scheduled_ns));
  if (request.first_ns == 0) return;
  out.ttft.push_back(milliseconds(request.first_ns - request.sent_ns));
  out.ttft_arrival.push_back(milliseconds(request.first_ns - request.scheduled_ns));
  if (const auto value = tpot_ms(request)) out.tpot.push_back(*value);
  add_gaps(request, out);
}

/// What became visible in the window, whichever request it belongs to.
struct Flow {
  std::int64_t output_tokens = 0;
  std::int64_t input_tokens = 0;
  std::int64_t cached_tokens = 0;
  std::int64_t completed = 0;
  double busy_ns = 0;  // sum over requests of the time in flight within the window
  std::vector<std::int64_t> by_second;
};

void add_flow(const RequestTiming& request, const Window& window, Flow& flow) {
  for (const TokenChunk& chunk : request.chunks) {
    if (!inside(chunk.at_ns, window)) continue;
    flow.output_tokens += chunk.tokens;
    const auto bucket = static_cast<std::size_t>((chunk.at_ns - window.begin_ns) / kSecond);
    if (bucket < flow.by_second.size()) flow.by_second[bucket] += chunk.tokens;
  }
  if (request.first_ns != 0 && inside(request.first_ns, window)) {
    flow.input_tokens += request.input_tokens;
    flow.cached_tokens += request.cached_tokens;
  }
  if (request.outcome == RequestOutcome::kDone && inside(request.last_ns, window)) {
    ++flow.completed;
  }
  if (request.sent_ns == 0) return;
  const std::int64_t ended = request.ended_ns > 0 ? request.ended_ns : request.last_ns;
  const std::int64_t end = request.outcome == RequestOutcome::kUnfinished ? INT64_MAX : ended;
  const std::int64_t from = std::max(request.sent_ns, window.begin_ns);
  const std::int64_t to = std::min(end, window.end_ns);
  if (to > from) flow.busy_ns += static_cast<double>(to - from);
}

void add_flow_values(const Flow& flow, double seconds, Figures& out) {
  const auto rate = [&](std::int64_t count) { return static_cast<double>(count) / seconds; };
  auto& values = out.values;
  values.emplace_back("output_tokens_per_s", rate(flow.output_tokens));
  values.emplace_back("input_tokens_per_s", rate(flow.input_tokens));
  values.emplace_back("total_tokens_per_s", rate(flow.input_tokens + flow.output_tokens));
  if (flow.cached_tokens > 0) {
    values.emplace_back("cached_input_tokens_per_s", rate(flow.cached_tokens));
  }
  values.emplace_back("requests_per_s", rate(flow.completed));
  values.emplace_back("mean_concurrency", flow.busy_ns / (seconds * 1e9));
  if (!flow.by_second.empty()) {
    values.emplace_back(
        "peak_output_tokens_per_s",
        static_cast<double>(*std::max_element(flow.by_second.begin(), flow.by_second.end())));
  }
}

Json bound_json(const std::optional<double>& bound) { return bound ? Json(*bound) : Json(nullptr); }

}  // namespace

std::optional<double> tpot_ms(const RequestTiming& request) {
  if (request.output_tokens < 2 || request.first_ns == 0) return std::nullopt;
  return milliseconds(request.last_ns - request.first_ns) /
         static_cast<double>(request.output_tokens - 1);
}

bool meets(const RequestTiming& request, const Slo& slo) {
  if (request.outcome != RequestOutcome::kDone) return false;
  const std::int64_t from = slo.from_scheduled ? request.scheduled_ns : request.sent_ns;
  if (slo.ttft_ms &&
      (request.first_ns == 0 || milliseconds(request.first_ns - from) > *slo.ttft_ms)) {
    return false;
  }
  if (slo.e2e_ms && milliseconds(request.last_ns - from) > *slo.e2e_ms) return false;
  return !slo.tpot_ms || tpot_ms(request).value_or(0) <= *slo.tpot_ms;
}

void add_distribution(std::vector<double> values, const std::string& name, Figures& out) {
  if (values.empty()) return;
  std::sort(values.begin(), values.end());
  double sum = 0;
  for (const double value : values) sum += value;
  out.values.emplace_back(name + "_mean", sum / static_cast<double>(values.size()));
  for (const auto& [label, p] : {std::pair{"_p50", 0.5}, {"_p90", 0.9}, {"_p99", 0.99}}) {
    out.values.emplace_back(name + label, percentile(values, p));
    const PercentileInterval interval = percentile_interval(values, p, kConfidence);
    Json entry;
    entry.set("low", bound_json(interval.low));
    entry.set("high", bound_json(interval.high));
    entry.set("n", values.size());
    out.within_run.set(name + label, std::move(entry));
  }
}

Figures figures_of(std::span<const RequestTiming> requests, const Window& window, const Slo& slo) {
  ASSAY_CHECK(window.end_ns > window.begin_ns, "an empty window");
  Figures out;
  Latencies latencies;
  Flow flow;
  const double seconds = static_cast<double>(window.end_ns - window.begin_ns) / 1e9;
  flow.by_second.assign(static_cast<std::size_t>(seconds), 0);
  std::int64_t good = 0;
  for (const RequestTiming& request : requests) {
    add_flow(request, window, flow);
    if (!inside(request.scheduled_ns, window)) {
      ++out.outside;
      continue;
    }
    ++out.requests;
    good += meets(request, slo) ? 1 : 0;
    if (request.outcome == RequestOutcome::kDone) {
      add_latencies(request, latencies);
    } else {
      ++out.errors;
    }
  }
  add_distribution(std::move(latencies.ttft), "ttft_ms", out);
  add_distribution(std::move(latencies.ttft_arrival), "ttft_arrival_ms", out);
  add_distribution(std::move(latencies.tpot), "tpot_ms", out);
  add_distribution(std::move(latencies.itl), "itl_ms", out);
  add_distribution(std::move(latencies.icl), "icl_ms", out);
  add_distribution(std::move(latencies.e2e), "e2e_ms", out);
  add_distribution(std::move(latencies.e2e_arrival), "e2e_arrival_ms", out);
  add_distribution(std::move(latencies.send_lag), "send_lag_ms", out);
  // The slow tail: the reciprocal of the matching percentile of TPOT.
  for (const char* label : {"_p50", "_p90", "_p99"}) {
    const auto tpot = value_of(out, std::string("tpot_ms") + label);
    if (tpot && *tpot > 0) {
      out.values.emplace_back(std::string("interactivity_tokens_per_s") + label, 1000 / *tpot);
    }
  }
  add_flow_values(flow, seconds, out);
  out.values.emplace_back("errors", static_cast<double>(out.errors));
  if (!slo.empty()) {
    out.values.emplace_back("goodput_requests_per_s", static_cast<double>(good) / seconds);
    if (out.requests > 0) {
      out.values.emplace_back("slo_attainment",
                              static_cast<double>(good) / static_cast<double>(out.requests));
    }
  }
  return out;
}

std::optional<double> value_of(const Figures& figures, std::string_view name) {
  for (const auto& [key, value] : figures.values) {
    if (key == name) return value;
  }
  return std::nullopt;
}

}  // namespace assay::suites
