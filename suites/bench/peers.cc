#include "suites/bench/peers.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "suites/bench/google.h"
#include "suites/bench/timing.h"

namespace assay::suites {
namespace {

constexpr double kMostSeconds = 1e6;  // of any time in a file: beyond it, it is no time
constexpr double kMostTokens = 1e7;   // of one request

std::string text_of(const Json& object, const char* key) {
  const Json* value = object.find(key);
  return value != nullptr && value->is_string() ? escaped(value->as_string()) : "";
}

std::optional<double> number_of(const Json& object, const std::string& key) {
  const Json* value = object.find(key);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->as_double();
}

bool has(const Json& object, const char* key) { return object.find(key) != nullptr; }

/// Numbers of a list, or an error that names it.
std::vector<double> numbers(const Json& list, const std::string& source, const char* key) {
  if (!list.is_array()) throw_input("{}: \"{}\" is no list", source, key);
  std::vector<double> out;
  for (const Json& value : list.as_array()) {
    if (!value.is_number() || !(std::abs(value.as_double()) < 1e18)) {
      throw_input("{}: \"{}\" holds something other than numbers", source, key);
    }
    out.push_back(value.as_double());
  }
  return out;
}

store::BenchRepRecord rep_of(std::vector<std::pair<std::string, double>> values, double seconds,
                             std::int64_t number = 0) {
  store::BenchRepRecord out;
  out.number = out.order_index = number;
  out.values = std::move(values);
  out.detail = Json(Json::Object{});
  if (seconds > 0 && seconds < kMostSeconds) {
    out.duration_ns = static_cast<std::int64_t>(seconds * 1e9);
  }
  return out;
}

// ---- vLLM ----

/// vLLM's "ITL" is the gap between chunks of a stream: ICL here. Its medians are p50.
void add_vllm_summary(const Json& result, std::vector<std::pair<std::string, double>>& values) {
  const std::pair<const char*, const char*> names[] = {
      {"ttft", "ttft_ms"}, {"tpot", "tpot_ms"}, {"itl", "icl_ms"}, {"e2el", "e2e_ms"}};
  const std::pair<const char*, const char*> statistics[] = {
      {"mean", "mean"}, {"median", "p50"}, {"p90", "p90"}, {"p99", "p99"}};
  for (const auto& [theirs, ours] : names) {
    for (const auto& [statistic, label] : statistics) {
      const auto value = number_of(result, fmt::format("{}_{}_ms", statistic, theirs));
      if (value) values.emplace_back(fmt::format("{}_{}", ours, label), *value);
    }
  }
  const std::pair<const char*, const char*> rates[] = {
      {"request_throughput", "requests_per_s"},
      {"request_goodput", "goodput_requests_per_s"},
      {"output_throughput", "output_tokens_per_s"},
      {"total_token_throughput", "total_tokens_per_s"},
      {"max_output_tokens_per_s", "peak_output_tokens_per_s"},
      {"failed", "errors"}};
  for (const auto& [theirs, ours] : rates) {
    if (const auto value = number_of(result, theirs)) values.emplace_back(ours, *value);
  }
}

/// Raw times of --save-detailed, in seconds.
struct VllmRequests {
  std::vector<double> starts;
  std::vector<double> first;
  std::vector<double> latency;
  std::vector<double> inputs;
  std::vector<double> outputs;
  std::vector<double> queued;  // empty: not told
  const Json* gaps = nullptr;
  const Json* errors = nullptr;
};

std::optional<VllmRequests> vllm_requests(const Json& result, const std::string& source) {
  for (const char* key :
       {"start_times", "ttfts", "latencies", "itls", "input_lens", "output_lens"}) {
    if (!has(result, key)) return std::nullopt;
  }
  VllmRequests out;
  out.starts = numbers(result.at("start_times"), source, "start_times");
  out.first = numbers(result.at("ttfts"), source, "ttfts");
  out.latency = numbers(result.at("latencies"), source, "latencies");
  out.inputs = numbers(result.at("input_lens"), source, "input_lens");
  out.outputs = numbers(result.at("output_lens"), source, "output_lens");
  if (has(result, "queue_times")) {
    out.queued = numbers(result.at("queue_times"), source, "queue_times");
  }
  out.gaps = &result.at("itls");
  out.errors = result.find("errors");
  const std::size_t n = out.starts.size();
  const bool whole = n > 0 && out.first.size() == n && out.latency.size() == n &&
                     out.inputs.size() == n && out.outputs.size() == n && out.gaps->is_array() &&
                     out.gaps->as_array().size() == n;
  if (!whole) throw_input("{}: the lists of single requests have different lengths", source);
  return out;
}

RequestTiming vllm_timing(const VllmRequests& all, std::size_t i, double origin,
                          const std::string& source) {
  const auto at = [&](double seconds) {
    if (!(std::abs(seconds - origin) < kMostSeconds)) {
      throw_input("{}: request {} has a time that is none", source, i);
    }
    return static_cast<std::int64_t>((seconds - origin) * 1e9) + 1;
  };
  for (const double count : {all.inputs[i], all.outputs[i]}) {
    if (!(count >= 0 && count <= kMostTokens)) {
      throw_input("{}: request {} has {} tokens", source, i, count);
    }
  }
  RequestTiming out;
  out.sent_ns = at(all.starts[i]);
  out.scheduled_ns = i < all.queued.size() ? at(all.starts[i] - all.queued[i]) : out.sent_ns;
  out.first_ns = at(all.starts[i] + all.first[i]);
  out.last_ns = at(all.starts[i] + all.latency[i]);
  out.input_tokens = static_cast<std::int64_t>(all.inputs[i]);
  out.output_tokens = static_cast<std::int64_t>(all.outputs[i]);
  out.outcome = RequestOutcome::kDone;
  const bool told = all.errors != nullptr && all.errors->is_array() &&
                    i < all.errors->as_array().size() && all.errors->as_array()[i].is_string();
  if (told && !all.errors->as_array()[i].as_string().empty()) out.outcome = RequestOutcome::kError;
  double when = all.starts[i] + all.first[i];
  out.chunks.push_back({out.first_ns, 1});
  for (const double gap : numbers(all.gaps->as_array()[i], source, "itls")) {
    out.chunks.push_back({at(when += gap), 1});
  }
  // Tokens beyond one a chunk: which chunk they came in is not told.
  out.chunks.back().tokens += std::max<std::int64_t>(0, out.output_tokens - std::ssize(out.chunks));
  return out;
}

Figures vllm_figures(const VllmRequests& all, const std::string& source) {
  double origin = all.starts.front();
  for (std::size_t i = 0; i < all.starts.size(); ++i) {
    const double queued = i < all.queued.size() ? all.queued[i] : 0;
    origin = std::min(origin, all.starts[i] - std::max(0.0, queued));
  }
  std::vector<RequestTiming> requests;
  std::int64_t end = 0;
  for (std::size_t i = 0; i < all.starts.size(); ++i) {
    requests.push_back(vllm_timing(all, i, origin, source));
    end = std::max(end, requests.back().last_ns);
  }
  return figures_of(requests, {0, end + 1}, {});
}

PeerResult read_vllm_serve(const Json& result, const std::string& source) {
  PeerResult out{.tool = "vllm bench serve", .model = text_of(result, "model_id")};
  store::BenchCaseRecord bench;
  const Json* rate = result.find("request_rate");
  const auto concurrency = number_of(result, "max_concurrency");
  std::string load = rate != nullptr && rate->is_number()
                         ? fmt::format("rate:{:g}", rate->as_double())
                         : "rate:inf";
  if (concurrency) load += fmt::format("/concurrency:{:g}", *concurrency);
  bench.name = "serve/vllm/" + load;
  bench.kind = "serve";
  bench.params = Json(Json::Object{});
  for (const char* key : {"request_rate", "burstiness", "max_concurrency", "num_prompts",
                          "total_input_tokens", "total_output_tokens", "backend"}) {
    if (const Json* value = result.find(key)) bench.params.set(key, *value);
  }
  std::vector<std::pair<std::string, double>> values;
  Json within;
  if (const auto requests = vllm_requests(result, source)) {
    Figures figures = vllm_figures(*requests, source);
    values = std::move(figures.values);
    within = std::move(figures.within_run);
    if (const auto good = number_of(result, "request_goodput")) {
      values.emplace_back("goodput_requests_per_s", *good);
    }
  } else {
    add_vllm_summary(result, values);
  }
  bench.reps.push_back(rep_of(std::move(values), number_of(result, "duration").value_or(0)));
  if (!within.is_null()) bench.reps.back().detail.set("within_run", std::move(within));
  out.cases.push_back(std::move(bench));
  return out;
}

PeerResult read_vllm_latency(const Json& result, const std::string& source) {
  PeerResult out{.tool = "vllm bench latency"};
  store::BenchCaseRecord bench{
      .name = "latency/vllm", .kind = "latency", .params = Json(Json::Object{})};
  for (const double seconds : numbers(result.at("latencies"), source, "latencies")) {
    bench.reps.push_back(rep_of({{"e2e_ms_p50", 1e3 * seconds}}, seconds, std::ssize(bench.reps)));
  }
  out.cases.push_back(std::move(bench));
  return out;
}

PeerResult read_vllm_throughput(const Json& result) {
  PeerResult out{.tool = "vllm bench throughput"};
  store::BenchCaseRecord bench{
      .name = "throughput/vllm", .kind = "throughput", .params = Json(Json::Object{})};
  std::vector<std::pair<std::string, double>> values;
  const auto add = [&](const char* theirs, const char* ours) {
    if (const auto value = number_of(result, theirs)) values.emplace_back(ours, *value);
  };
  add("requests_per_second", "requests_per_s");
  add("tokens_per_second", "total_tokens_per_s");
  add("output_tokens_per_second", "output_tokens_per_s");
  for (const char* key : {"num_requests", "total_num_tokens"}) {
    if (const Json* value = result.find(key)) bench.params.set(key, *value);
  }
  bench.reps.push_back(rep_of(std::move(values), number_of(result, "elapsed_time").value_or(0)));
  out.cases.push_back(std::move(bench));
  return out;
}

// ---- llama.cpp ----

/// One test of llama-bench: a prompt alone, an answer alone, or both after each other. It leaves
/// tokenizing and sampling out.
store::BenchCaseRecord llama_bench_case(const Json& test, const std::string& source) {
  const double prompt = number_of(test, "n_prompt").value_or(0);
  const double answer = number_of(test, "n_gen").value_or(0);
  const double depth = number_of(test, "n_depth").value_or(0);
  store::BenchCaseRecord out;
  out.name = fmt::format("llama-bench/pp:{:g}/tg:{:g}", prompt, answer);
  if (depth > 0) out.name += fmt::format("/depth:{:g}", depth);
  out.kind = "throughput";
  out.params = Json(Json::Object{});
  for (const char* key : {"n_prompt", "n_gen", "n_depth", "n_batch", "n_threads", "type_k",
                          "type_v", "flash_attn", "n_gpu_layers", "model_type"}) {
    if (const Json* value = test.find(key)) out.params.set(key, *value);
  }
  for (const double ns : numbers(test.at("samples_ns"), source, "samples_ns")) {
    if (!(ns > 0)) throw_input("{}: \"samples_ns\" holds a time that is not positive", source);
    std::vector<std::pair<std::string, double>> values;
    const double seconds = ns / 1e9;
    if (prompt > 0) values.emplace_back("input_tokens_per_s", prompt / seconds);
    if (answer > 0) values.emplace_back("output_tokens_per_s", answer / seconds);
    if (prompt > 0 && answer > 0) {
      values.emplace_back("total_tokens_per_s", (prompt + answer) / seconds);
    }
    if (prompt == 0 && answer > 0) values.emplace_back("tpot_ms_mean", 1e3 * seconds / answer);
    out.reps.push_back(rep_of(std::move(values), seconds, std::ssize(out.reps)));
  }
  return out;
}

store::BenchCaseRecord batched_bench_case(const Json& line) {
  const double prompt = number_of(line, "pp").value_or(0);
  const double answer = number_of(line, "tg").value_or(0);
  const double sequences = number_of(line, "pl").value_or(0);
  store::BenchCaseRecord out;
  out.name =
      fmt::format("llama-batched-bench/pp:{:g}/tg:{:g}/sequences:{:g}", prompt, answer, sequences);
  out.kind = "throughput";
  out.params = Json::Object{{"pp", prompt}, {"tg", answer}, {"pl", sequences}};
  std::vector<std::pair<std::string, double>> values;
  if (const auto v = number_of(line, "speed_pp")) values.emplace_back("input_tokens_per_s", *v);
  if (const auto v = number_of(line, "speed_tg")) values.emplace_back("output_tokens_per_s", *v);
  const auto seconds = number_of(line, "t_tg");
  if (seconds && answer > 0) values.emplace_back("tpot_ms_mean", 1e3 * *seconds / answer);
  out.reps.push_back(rep_of(std::move(values), number_of(line, "t").value_or(0)));
  return out;
}

PeerResult read_llama(const std::vector<const Json*>& tests, const std::string& source) {
  PeerResult out;
  for (const Json* test : tests) {
    if (has(*test, "samples_ns")) {
      out.tool = "llama-bench";
      out.model = text_of(*test, "model_filename");
      out.model = out.model.substr(out.model.rfind('/') + 1);
      out.machine = text_of(*test, "gpu_info");
      if (out.machine.empty()) out.machine = text_of(*test, "cpu_info");
      out.cases.push_back(llama_bench_case(*test, source));
    } else if (has(*test, "speed_tg")) {
      out.tool = "llama-batched-bench";
      out.cases.push_back(batched_bench_case(*test));
    } else {
      throw_input("{}: no result of llama-bench or llama-batched-bench", source);
    }
  }
  // One name twice: a later line of the same test is a further repetition.
  std::vector<store::BenchCaseRecord> merged;
  for (store::BenchCaseRecord& bench : out.cases) {
    const auto same = std::find_if(merged.begin(), merged.end(),
                                   [&](const auto& other) { return other.name == bench.name; });
    if (same == merged.end()) {
      merged.push_back(std::move(bench));
      continue;
    }
    for (store::BenchRepRecord& rep : bench.reps) {
      rep.number = rep.order_index = std::ssize(same->reps);
      same->reps.push_back(std::move(rep));
    }
  }
  out.cases = std::move(merged);
  return out;
}

/// Lines of JSON objects; text of other kinds between them is left out.
PeerResult read_lines(std::string_view text, const std::string& source) {
  std::vector<Json> objects;
  for (const std::string_view line : split(text, '\n')) {
    const std::string_view trimmed = trim_ascii(line);
    if (!trimmed.empty() && trimmed.front() == '{') objects.push_back(parse_json(trimmed, source));
  }
  std::vector<const Json*> tests;
  for (const Json& object : objects) tests.push_back(&object);
  if (tests.empty()) throw_input("{}: no JSON", source);
  return read_llama(tests, source);
}

}  // namespace

PeerResult read_peer(std::string_view text, const std::string& source) {
  std::optional<Json> whole;
  try {
    whole = parse_json(text, source);
  } catch (const Error&) {
    return read_lines(text, source);  // not one document: perhaps one a line
  }
  const Json& json = *whole;
  if (json.is_array()) {
    std::vector<const Json*> tests;
    for (const Json& test : json.as_array()) tests.push_back(&test);
    if (!tests.empty()) return read_llama(tests, source);
  }
  if (has(json, "benchmarks")) {
    PeerResult out{.tool = "Google Benchmark"};
    out.cases = read_google(json, source);
    return out;
  }
  if (has(json, "samples_ns") || has(json, "speed_tg")) return read_llama({&json}, source);
  if (has(json, "total_token_throughput")) return read_vllm_serve(json, source);
  if (has(json, "avg_latency") && has(json, "latencies")) return read_vllm_latency(json, source);
  if (has(json, "requests_per_second") && has(json, "elapsed_time")) {
    return read_vllm_throughput(json);
  }
  throw_input(
      "{}: no known result: vLLM bench serve, latency or throughput, llama-bench, "
      "llama-batched-bench, Google Benchmark",
      source);
}

}  // namespace assay::suites
