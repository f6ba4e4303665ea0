#include "suites/bench/target.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/digest.h"
#include "base/error.h"
#include "base/random.h"
#include "base/text.h"
#include "suites/bench/steady.h"
#include "suites/interrupt.h"

namespace assay::suites {
namespace {

constexpr double kSteadyTolerance = 0.05;
constexpr std::uint64_t kWarmUpStream = std::uint64_t{1} << 50;  // behind all repetitions

void check_answers(const LoadResult& load) {
  const RequestTiming* bad = nullptr;
  for (const RequestTiming& request : load.requests) {
    if (request.outcome == RequestOutcome::kDone) return;
    if (request.outcome == RequestOutcome::kError && bad == nullptr) bad = &request;
  }
  if (load.interrupted || load.requests.empty()) return;
  throw_environment("none of {} requests was answered{}", load.requests.size(),
                    bad == nullptr ? " in time" : ": " + escaped(bad->error, 1000));
}

}  // namespace

Workload workload_for(const BenchTarget& target, std::vector<RequestLength> lengths,
                      const std::string& case_name, std::int64_t rep) {
  return {.lengths = std::move(lengths),
          .vocabulary = vocabulary_of(*target.session),
          .seed = target.seed,
          .stream = fnv1a(case_name) + static_cast<std::uint64_t>(rep)};
}

LoadResult run_workload(const BenchTarget& target, const Workload& workload, const LoadPlan& plan) {
  LoadResult out = run_load(
      *target.session, [&](std::int64_t index) { return request_of(workload, index); }, plan,
      *target.clock);
  check_answers(out);
  // A server may not tell how many tokens the prompt was; ids were sent as they are.
  for (std::size_t i = 0; i < out.requests.size(); ++i) {
    RequestTiming& request = out.requests[i];
    if (request.input_tokens == 0) {
      request.input_tokens = length_of(workload, static_cast<std::int64_t>(i)).input;
    }
  }
  return out;
}

Json warm_up_bursts(const BenchTarget& target, const std::string& case_name,
                    std::vector<RequestLength> lengths, std::int64_t requests, double budget_s) {
  std::vector<double> seconds;
  bool steady = false;
  double total = 0;
  for (std::int64_t turn = 0; !steady && !interrupted(); ++turn) {
    const Workload workload =
        workload_for(target, lengths, case_name, static_cast<std::int64_t>(kWarmUpStream) + turn);
    const LoadResult load =
        run_workload(target, workload, {.arrivals = Arrivals::kBurst, .requests = requests});
    seconds.push_back(static_cast<double>(load.end_ns - load.begin_ns) / 1e9);
    total += seconds.back();
    steady = is_steady(seconds, kSteadyTolerance);
    if (total >= budget_s) break;
  }
  Json out;
  out.set("loads", seconds.size());
  out.set("seconds", total);
  out.set("steady", steady);
  out.set("left_out", warm_up_length(seconds));
  return out;
}

std::string lengths_name(const std::vector<RequestLength>& lengths, bool input) {
  if (lengths.size() > 1) return "drawn";
  return std::to_string(input ? lengths.front().input : lengths.front().output);
}

Json lengths_json(const std::vector<RequestLength>& lengths) {
  Json out;
  if (lengths.size() == 1) {
    out.set("input", lengths.front().input);
    out.set("output", lengths.front().output);
    return out;
  }
  Sha256 digest;
  double inputs = 0;
  double outputs = 0;
  for (const RequestLength& length : lengths) {
    inputs += static_cast<double>(length.input);
    outputs += static_cast<double>(length.output);
    digest.update_field(fmt::format("{} {}", length.input, length.output));
  }
  const auto n = static_cast<double>(lengths.size());
  out.set("count", lengths.size());
  out.set("mean_input", inputs / n);
  out.set("mean_output", outputs / n);
  out.set("sha256", digest.hex());
  return out;
}

}  // namespace assay::suites
