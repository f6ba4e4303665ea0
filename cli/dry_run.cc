#include "cli/dry_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "engine/memory_plan.h"
#include "reports/hypothesis.h"
#include "reports/page_format.h"

namespace assay::cli {
namespace {

using reports::bytes_text;
using reports::count_text;
using suites::ModelPreview;
using suites::TaskPreview;

// A setting that changes little changes this share of the verdicts (docs/suites.md).
constexpr double kChanged = 0.05;
constexpr std::int64_t kStepTokens = 8192;

/// Smallest true difference of two settings found with 80 % power at 5 %, as a share.
double detectable(const TaskPreview& task) {
  const double items = static_cast<double>(std::max<std::int64_t>(1, task.clusters));
  return reports::minimum_detectable(std::sqrt(kChanged / items), 0.05, 0.8);
}

const engine::StorageFormat* format_of(const std::string& precision) {
  for (const engine::StorageFormat& format : engine::storage_formats()) {
    if (format.setting == precision) return &format;
  }
  return nullptr;  // a mixture, or the checkpoint's own
}

std::optional<engine::MemoryNeed> need_of(const ModelPreview& model, const std::string& precision,
                                          std::int64_t tp) {
  const engine::StorageFormat* format = format_of(precision);
  if (!model.config || format == nullptr) return std::nullopt;
  return engine::memory_need(*model.config, *format, tp, kStepTokens);
}

Json task_json(const TaskPreview& task, bool tokens) {
  Json out;
  out.set("task", task.label);
  out.set("items", task.items);
  out.set("responses", task.responses);
  out.set("prompt_bytes", task.prompt_bytes);
  out.set("max_tokens", task.max_tokens ? Json(*task.max_tokens) : Json());
  out.set("detectable", detectable(task));
  out.set("refused", task.refused);
  if (!tokens) return out;
  out.set("prompt_tokens", task.prompt_tokens);
  out.set("shared_tokens", task.shared_tokens);
  out.set("longest_prompt", task.longest_prompt);
  out.set("too_long", task.too_long);
  out.set("cut", task.cut);
  return out;
}

Json model_json(const ModelPreview& model, std::int64_t tp) {
  Json out;
  out.set("model", model.model.path);
  out.set("context", model.context > 0 ? Json(model.context) : Json());
  Json::Array settings;
  for (const suites::Setting& setting : model.model.settings) {
    Json row;
    row.set("setting", suites::setting_name(setting));
    const auto need = need_of(model, setting.precision, tp);
    row.set("weight_bytes", need ? Json(need->weights) : Json());
    settings.push_back(std::move(row));
  }
  out.set("settings", Json(std::move(settings)));
  Json::Array tasks;
  for (const TaskPreview& task : model.tasks) {
    tasks.push_back(task_json(task, model.no_tokens.empty()));
  }
  out.set("tasks", Json(std::move(tasks)));
  return out;
}

void print_task(const TaskPreview& task, bool tokens) {
  if (!task.refused.empty()) {
    fmt::print("  {:<24} left out: {}\n", escaped(task.label), escaped(task.refused));
    return;
  }
  const std::string answer = task.max_tokens ? count_text(*task.max_tokens) : "scored";
  fmt::print("  {:<24}{:>10}{:>14}{:>9}{:>10}{:>9}{:>8.1f}\n", escaped(task.label),
             count_text(task.responses), tokens ? count_text(task.prompt_tokens) : "-",
             tokens && task.prompt_tokens > 0
                 ? fmt::format("{} %", 100 * task.shared_tokens / task.prompt_tokens)
                 : "-",
             tokens ? count_text(task.longest_prompt) : "-", answer, 100 * detectable(task));
}

void print_context(const ModelPreview& model) {
  for (const TaskPreview& task : model.tasks) {
    if (task.too_long > 0) {
      fmt::print("  {}: {} prompts do not fit the context of {} tokens\n", escaped(task.label),
                 count_text(task.too_long), count_text(model.context));
    }
    if (task.cut > 0) {
      fmt::print(
          "  {}: {} answers may meet the end of the context of {} tokens before their limit\n",
          escaped(task.label), count_text(task.cut), count_text(model.context));
    }
  }
}

void print_memory(const ModelPreview& model, std::int64_t tp) {
  std::vector<std::string> parts;
  for (const suites::Setting& setting : model.model.settings) {
    const auto need = need_of(model, setting.precision, tp);
    if (!need) continue;
    std::string part = setting.precision + " " + bytes_text(static_cast<double>(need->weights));
    // Settings that differ in their cache have the same weights.
    if (std::find(parts.begin(), parts.end(), part) != parts.end()) continue;
    parts.push_back(std::move(part));
  }
  if (parts.empty()) return;
  fmt::print("  weights{}: {}\n", tp > 1 ? fmt::format(" on each of {} ranks", tp) : "",
             join(parts, ", "));
}

void print_model(const ModelPreview& model, std::int64_t tp) {
  const bool tokens = model.no_tokens.empty();
  std::vector<std::string> settings;
  for (const suites::Setting& setting : model.model.settings) {
    settings.push_back(suites::setting_name(setting));
  }
  fmt::print("{}: {}\n", escaped(model.model.path), join(settings, ", "));
  fmt::print("  {:<24}{:>10}{:>14}{:>9}{:>10}{:>9}{:>8}\n", "task", "responses", "prompt tokens",
             "shared", "longest", "answer", "finds");
  TaskPreview all{.label = "all, for each setting"};
  for (const TaskPreview& task : model.tasks) {
    print_task(task, tokens);
    if (!task.refused.empty()) continue;
    all.responses += task.responses;
    all.prompt_tokens += task.prompt_tokens;
  }
  fmt::print("  {:<24}{:>10}{:>14}\n", all.label, count_text(all.responses),
             tokens ? count_text(all.prompt_tokens) : "-");
  if (!tokens) fmt::print("  no tokens: {}\n", model.no_tokens);
  print_context(model);
  print_memory(model, tp);
}

void print_text(const suites::Suite& suite, const std::vector<ModelPreview>& models) {
  for (const ModelPreview& model : models) print_model(model, suite.engine.tp);
  if (suite.bench) fmt::print("then measurements of speed (docs/bench.md)\n");
  if (suite.numerics) {
    fmt::print("then a numeric comparison on up to {} tokens\n", suite.numerics->tokens);
  }
  fmt::print(
      "\nshared: equal to the beginning of the prompt before, read once. answer: most tokens. "
      "finds: smallest true change in points\nfound with 80 % power if {:.0f} % of the verdicts "
      "change. Nothing was asked or stored.\n",
      100 * kChanged);
}

Json suite_json(const suites::Suite& suite, const std::vector<ModelPreview>& models) {
  Json out;
  out.set("suite", suite.name);
  Json::Array list;
  for (const ModelPreview& model : models) list.push_back(model_json(model, suite.engine.tp));
  out.set("models", Json(std::move(list)));
  return out;
}

bool is_refused(const TaskPreview& task) { return !task.refused.empty(); }

}  // namespace

void print_dry_run(const suites::Suite& suite, const suites::PlanOptions& plan, bool json) {
  std::vector<suites::PlannedTask> tasks;
  for (const suites::SuiteTask& task : suite.tasks) tasks.push_back(suites::plan_task(task, plan));
  const std::vector<ModelPreview> models = suites::preview(suite, tasks);
  if (json) {
    fmt::print("{}\n", suite_json(suite, models).dump());
  } else {
    print_text(suite, models);
  }
  for (const ModelPreview& model : models) {
    if (!model.tasks.empty() && std::all_of(model.tasks.begin(), model.tasks.end(), is_refused)) {
      throw_input("{}: cannot be asked any task of the suite", model.model.path);
    }
  }
}

}  // namespace assay::cli
