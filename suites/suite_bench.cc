#include "suites/suite_bench.h"

#include <fmt/format.h>

#include "base/error.h"

namespace assay::suites {
namespace {

constexpr std::int64_t kMostTokens = 1 << 24;
constexpr std::int64_t kMany = 1'000'000'000;

/// A number or a list of numbers, each in [1, most].
std::vector<std::int64_t> counts(ObjectReader& reader, const Json& json, const char* key,
                                 std::vector<std::int64_t> fallback, std::int64_t most) {
  const Json* value = reader.optional(key);
  if (value == nullptr) return fallback;
  std::vector<std::int64_t> out;
  const Json::Array one = {*value};
  for (const Json& entry : value->is_array() ? value->as_array() : one) {
    if (!entry.is_int() || entry.as_int() < 1 || entry.as_int() > most) {
      reader.fail(json.at(key), key, fmt::format("whole numbers from 1 to {}", most));
    }
    out.push_back(entry.as_int());
  }
  if (out.empty()) reader.fail(json.at(key), key, "an empty list");
  return out;
}

double positive(ObjectReader& reader, const Json& json, const char* key, double fallback) {
  const double value = reader.number(key, fallback);
  if (!(value >= 0 && value < 1e9)) reader.fail(json, key, "must be 0 or more, and below 1e9");
  return value;
}

std::vector<double> rates(ObjectReader& reader, const Json& json) {
  std::vector<double> out;
  const Json* value = reader.optional("rate");
  if (value == nullptr) return out;
  const Json::Array one = {*value};
  for (const Json& entry : value->is_array() ? value->as_array() : one) {
    if (!entry.is_number() || !(entry.as_double() > 0 && entry.as_double() < 1e9)) {
      reader.fail(json.at("rate"), "rate", "requests a second, above 0");
    }
    out.push_back(entry.as_double());
  }
  return out;
}

LatencyOptions latency(ObjectReader& reader, const Json& json) {
  LatencyOptions out;
  out.batches = counts(reader, json, "batch", out.batches, 1 << 20);
  out.inputs = counts(reader, json, "input", out.inputs, kMostTokens);
  out.outputs = counts(reader, json, "output", out.outputs, kMostTokens);
  out.iterations = reader.integer("iterations", out.iterations, 1, kMany);
  out.min_time_s = positive(reader, json, "min_time_s", out.min_time_s);
  out.warm_up_s = positive(reader, json, "warm_up_s", out.warm_up_s);
  return out;
}

ThroughputOptions throughput(ObjectReader& reader, const Json& json) {
  ThroughputOptions out;
  out.loads.clear();
  for (const std::int64_t input : counts(reader, json, "input", {512}, kMostTokens)) {
    for (const std::int64_t output : counts(reader, json, "output", {128}, kMostTokens)) {
      out.loads.push_back({{.input = input, .output = output}});
    }
  }
  out.requests = reader.integer("requests", out.requests, 1, kMany);
  out.min_time_s = positive(reader, json, "min_time_s", out.min_time_s);
  out.warm_up_s = positive(reader, json, "warm_up_s", out.warm_up_s);
  return out;
}

std::optional<double> limit(ObjectReader& reader, const Json& json, const char* key) {
  const double value = positive(reader, json, key, 0);
  return value > 0 ? std::optional<double>(value) : std::nullopt;
}

ServeOptions serve(ObjectReader& reader, const Json& json, const JsonSource& source) {
  ServeOptions out;
  out.arrivals = parse_arrivals(reader.string("arrivals", "poisson"));
  out.rates = rates(reader, json);
  if (reader.optional("concurrency") != nullptr) {
    out.concurrencies = counts(reader, json, "concurrency", {}, 1 << 20);
    out.arrivals = Arrivals::kClosed;
  }
  out.lengths = {{.input = reader.integer("input", 128, 1, kMostTokens),
                  .output = reader.integer("output", 64, 1, kMostTokens)}};
  out.duration_s = positive(reader, json, "duration_s", out.duration_s);
  out.requests = reader.integer("requests", 0, 0, kMany);
  out.most_in_flight = reader.integer("most_in_flight", 0, 0, kMany);
  out.warm_up.seconds = positive(reader, json, "warm_up_s", out.warm_up.seconds);
  if (const Json* slo = reader.optional("slo")) {
    ObjectReader limits(*slo, source, reader.path() + ".slo");
    out.slo.ttft_ms = limit(limits, *slo, "ttft_ms");
    out.slo.tpot_ms = limit(limits, *slo, "tpot_ms");
    out.slo.e2e_ms = limit(limits, *slo, "e2e_ms");
    limits.finish();
  }
  const bool open = out.arrivals == Arrivals::kPoisson || out.arrivals == Arrivals::kConstant;
  if (open && out.rates.empty()) reader.fail(json, "rate", "an open loop needs one");
  if (out.arrivals == Arrivals::kClosed && out.concurrencies.empty()) {
    reader.fail(json, "concurrency", "a closed loop needs one");
  }
  if (out.arrivals == Arrivals::kBurst && out.requests == 0) {
    reader.fail(json, "requests", "a burst needs their number");
  }
  if (out.duration_s <= 0 && out.requests == 0) reader.fail(json, "duration_s", "must be above 0");
  return out;
}

SuiteBench::Load load(const Json& json, const JsonSource& source, const std::string& path) {
  ObjectReader reader(json, source, path);
  const std::string kind = reader.required_string("bench");
  SuiteBench::Load out;
  if (kind == "latency") {
    out = latency(reader, json);
  } else if (kind == "throughput") {
    out = throughput(reader, json);
  } else if (kind == "serve") {
    out = serve(reader, json, source);
  } else {
    reader.fail(json.at("bench"), "bench", "must be latency, throughput or serve");
  }
  reader.finish();
  return out;
}

}  // namespace

SuiteBench parse_suite_bench(const Json& json, const JsonSource& source) {
  ObjectReader reader(json, source, "bench");
  SuiteBench out;
  out.starts = reader.integer("starts", out.starts, 1, 1000);
  out.reps = reader.integer("reps", out.reps, 1, 10'000);
  out.noise.foreign_cores = positive(reader, json, "allowed_noise", out.noise.foreign_cores);
  out.noise.drift = positive(reader, json, "allowed_drift", out.noise.drift);
  if (out.noise.drift > 1) {
    reader.fail(json.at("allowed_drift"), "allowed_drift", "is a share, 1 at most");
  }
  const Json& cases = reader.required("cases");
  if (!cases.is_array() || cases.as_array().empty()) {
    reader.fail(cases, "cases", "must be a list with at least one load");
  }
  for (const Json& entry : cases.as_array()) {
    out.loads.push_back(load(entry, source, fmt::format("bench.cases[{}]", out.loads.size())));
  }
  reader.finish();
  return out;
}

std::vector<BenchCase> suite_cases(const BenchTarget& target, const SuiteBench& bench) {
  std::vector<BenchCase> out;
  for (const SuiteBench::Load& load : bench.loads) {
    std::vector<BenchCase> cases;
    if (const auto* latency = std::get_if<LatencyOptions>(&load)) {
      cases = latency_cases(target, *latency);
    } else if (const auto* throughput = std::get_if<ThroughputOptions>(&load)) {
      cases = throughput_cases(target, *throughput);
    } else {
      cases = serve_cases(target, std::get<ServeOptions>(load));
    }
    for (BenchCase& entry : cases) out.push_back(std::move(entry));
  }
  return out;
}

}  // namespace assay::suites
