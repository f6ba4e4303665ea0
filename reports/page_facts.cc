#include "reports/page_facts.h"

#include <fmt/format.h>

namespace assay::reports {

std::string setting_text(const store::RunRecord& run) {
  return run.kv.empty() || run.kv == "bf16" || run.kv == "none" ? run.setting
                                                                : run.setting + "+kv-" + run.kv;
}

namespace {

void add(PageFacts& out, const char* label, const std::string& value) {
  if (!value.empty()) out.emplace_back(label, value);
}

}  // namespace

PageFacts run_facts(const store::RunRecord& run) {
  PageFacts out = {{"Run", run.name}};
  add(out, "Suite", run.suite_name + " " + run.suite_digest.substr(0, 16));
  add(out, "Model digest", run.model.digest);
  add(out, "Tokenizer digest", run.model.tokenizer_digest);
  if (run.model.parameters > 0) add(out, "Parameters", std::to_string(run.model.parameters));
  add(out, "Setting", setting_text(run));
  add(out, "Device", run.device);
  add(out, "Arithmetic", run.arithmetic);
  add(out, "Engine", run.engine.is_null() ? "" : run.engine.dump());
  add(out, "Seed", std::to_string(run.seed));
  add(out, "Branch", run.branch);
  add(out, "Revision", run.revision);
  add(out, "assay", run.build.version + " " + run.build.git_commit);
  add(out, "Compiler", run.build.compiler + " " + run.build.flags);
  add(out, "Machine", run.machine.machine_class);
  add(out, "CPU", run.machine.cpu);
  if (!run.machine.gpu.empty()) {
    add(out, "GPU", fmt::format("{} x {}", run.machine.gpu_count, run.machine.gpu));
  }
  add(out, "Driver", run.machine.driver);
  add(out, "CUDA", run.machine.cuda);
  add(out, "NCCL", run.machine.nccl);
  add(out, "Sandbox", run.sandbox);
  add(out, "Language data", run.language_data);
  add(out, "Status", store::run_status_name(run.status));
  add(out, "Started", run.started_at);
  add(out, "Finished", run.finished_at);
  add(out, "Attempts", std::to_string(run.attempts));
  add(out, "Active time", fmt::format("{:.1f} s", static_cast<double>(run.active_ns) / 1e9));
  return out;
}

PageFacts task_facts(const store::RunTaskRecord& task) {
  PageFacts out = {{"Protocol", fmt::format("{} version {}", task.protocol, task.protocol_version)},
                   {"Split", task.split},
                   {"Items, repeats", fmt::format("{}, {}", task.items, task.repeats)},
                   {"Data set digest", task.dataset_digest}};
  if (!task.dataset_published) {
    out.emplace_back("Data set", "not the published one");
  }
  add(out, "File of prompts", task.prompts_digest);
  add(out, "Scorer", task.scorer + " version " + task.scorer_version);
  add(out, "Definition", task.definition.is_null() ? "" : task.definition.dump());
  return out;
}

}  // namespace assay::reports
