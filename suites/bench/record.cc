#include "suites/bench/record.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/digest.h"
#include "suites/machine.h"
#include "suites/records.h"

namespace assay::suites {
namespace {

std::string identity_of(const BenchRun& run) {
  Sha256 digest;
  for (const std::string& part : {run.suite, run.model.name, run.setting, run.kv, run.device,
                                  run.label, run.definition.dump_canonical()}) {
    digest.update_field(part);
  }
  return digest.hex();
}

}  // namespace

void describe_model(const engine::ModelInfo& info, BenchRun& run) {
  run.model = to_record(info);
  run.setting = info.setting;
  run.kv = info.kv;
  run.device = info.device;
  run.arithmetic = info.arithmetic;
}

store::BenchCaseRecord roofline_case(const engine::Roofline& roofline) {
  store::BenchRepRecord rep;
  rep.detail.set("device", roofline.device);
  const auto add = [&](const char* name, double value) {
    if (value > 0) rep.values.emplace_back(name, value);
  };
  add("read_bytes_per_s", roofline.read_bytes_per_s);
  add("copy_bytes_per_s", roofline.copy_bytes_per_s);
  add("fp32_flops_per_s", roofline.fp32_flops_per_s);
  add("bf16_flops_per_s", roofline.bf16_flops_per_s);
  add("fp8_flops_per_s", roofline.fp8_flops_per_s);
  store::BenchCaseRecord out;
  out.name = roofline.threads > 0 ? fmt::format("roofline/cpu/threads:{}", roofline.threads)
                                  : "roofline/gpu";
  out.kind = "roofline";
  out.params = Json::Object{{"threads", roofline.threads}};
  out.reps.push_back(std::move(rep));
  return out;
}

std::string store_bench(store::Store& store, const BenchRun& run, const Measured& measured) {
  store::RunRecord record;
  record.label = run.label;
  record.identity = identity_of(run);
  record.inputs = Json::Object{{"model", run.model.digest}};
  record.suite_name = run.suite;
  record.suite = run.definition;
  record.suite_digest = sha256_hex(run.suite + run.definition.dump_canonical());
  record.model = run.model;
  record.build = run.build;
  record.machine = to_record(this_machine());
  if (!run.machine_class.empty()) {
    record.machine = {.machine_class = run.machine_class, .detail = Json(Json::Object{})};
  }
  record.setting = run.setting;
  record.kv = run.kv;
  record.device = run.device;
  record.arithmetic = run.arithmetic;
  record.engine = run.engine;
  record.seed = run.seed;
  record.branch = run.branch;
  record.revision = run.revision;
  record.notes = run.notes;
  const store::RunRecord stored = store.load_run(store.create_run(record, {}));
  store::RunWriter writer(store, stored.row, record.machine);
  store.add_bench(stored.row, measured.cases);
  writer.finish(measured.interrupted ? store::RunStatus::kInterrupted : store::RunStatus::kDone,
                {.energy_j = measured.energy_j, .peak_memory_bytes = peak_memory_bytes()});
  return stored.name;
}

Json case_json(const std::string& run, const store::BenchCaseRecord& bench) {
  Json metrics{Json::Object{}};
  for (const CaseFigure& figure : figures_of(bench)) {
    Json entry;
    entry.set("mean", figure.mean);
    entry.set("median", figure.median);
    entry.set("ci95", figure.interval
                          ? Json(Json::Array{figure.interval->low, figure.interval->high})
                          : Json(nullptr));
    entry.set("reps", figure.reps);
    entry.set("starts", figure.starts);
    metrics.set(figure.metric, std::move(entry));
  }
  Json out;
  out.set("run", run);
  out.set("case", bench.name);
  out.set("kind", bench.kind);
  out.set("params", bench.params);
  out.set("reps", bench.reps.size());
  out.set("invalid", std::count_if(bench.reps.begin(), bench.reps.end(),
                                   [](const auto& rep) { return !rep.invalid_reason.empty(); }));
  out.set("metrics", std::move(metrics));
  return out;
}

}  // namespace assay::suites
