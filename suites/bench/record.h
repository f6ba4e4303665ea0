// A benchmark as a run of the store: the same model, machine, build and setting columns as an
// evaluation, so that both stand on one page.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/generator.h"
#include "engine/roofline.h"
#include "store/store.h"
#include "suites/bench/measure.h"

namespace assay::suites {

struct BenchRun {
  std::string suite;  // "bench latency": runs of one name are compared
  Json definition;    // object: the options that decide the figures
  store::ModelRecord model;
  std::string setting;
  std::string kv;
  std::string device;
  std::string arithmetic;
  Json engine = Json(Json::Object{});
  std::uint64_t seed = 0;
  std::string label;
  std::string branch;
  std::string revision;
  std::string notes;
  std::string machine_class;  // "": this machine's
  store::BuildRecord build;
};

/// Model, setting, device and arithmetic of an open engine.
void describe_model(const engine::ModelInfo& info, BenchRun& run);

/// What is bound to this machine: {"read_bytes_per_s" ...} as a case "roofline/..." of one
/// repetition.
store::BenchCaseRecord roofline_case(const engine::Roofline& roofline);

/// Stores the cases as a finished run ("interrupted" after a signal); returns its name.
std::string store_bench(store::Store& store, const BenchRun& run, const Measured& measured);

/// {"run", "case", "kind", "params", "reps", "invalid", "metrics": {name: {"mean", "ci95",
/// "median", "reps"}}}: one object a case, as `assay bench --json` prints them.
Json case_json(const std::string& run, const store::BenchCaseRecord& bench);

}  // namespace assay::suites
