// assay quantize: writes a checkpoint in a precision setting, in a format that public engines load.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/commands.h"
#include "engine/calibrate.h"
#include "engine/generators/opened_model.h"
#include "engine/parallel/thread_team.h"
#include "engine/prompt_encoder.h"
#include "engine/quantize_checkpoint.h"
#include "engine/weight_sources.h"
#include "suites/plan.h"
#include "suites/suite.h"

namespace assay::cli {
namespace {

constexpr std::size_t kMostTextBytes = std::size_t{64} << 20;

struct QuantizeArguments {
  std::string model;
  std::string to;
  std::string out;
  std::string text;  // or a suite file
  std::string data;
  std::string chat_format = "auto";
  std::string method = "max";
  std::string kv = "none";
  double percentile = 0.9999;
  std::int64_t tokens = 16384;
  std::int64_t window = 512;
  int threads = 0;
  bool json = false;
};

Json report_json(const engine::Calibration& calibration) {
  Json list{Json::Array{}};
  for (const engine::CalibratedScale& scale : calibration.report) {
    Json row;
    row.set("name", scale.name);
    row.set("scale", static_cast<double>(scale.scale));
    row.set("amax", static_cast<double>(scale.amax));
    row.set("clipped", scale.clipped);
    row.set("snr_db", scale.snr_db);
    list.push_back(std::move(row));
  }
  return list;
}

void print_report(const engine::Calibration& calibration) {
  fmt::print("calibrated on {} tokens\n{:<34} {:>12} {:>10} {:>10} {:>8}\n", calibration.tokens,
             "input", "scale", "amax", "clipped", "SNR dB");
  for (const engine::CalibratedScale& scale : calibration.report) {
    fmt::print("{:<34} {:>12.6g} {:>10.4g} {:>9.4f}% {:>8.2f}\n", scale.name, scale.scale,
               scale.amax, 100 * scale.clipped, scale.snr_db);
  }
}

/// Prompts of a suite's tasks, one behind the other, as `assay run` would send them.
std::vector<engine::TokenId> suite_ids(const QuantizeArguments& a,
                                       const engine::OpenedModel& opened) {
  const suites::Suite suite = suites::load_suite(a.text);
  const engine::PromptEncoder encoder(*opened.tokenizer.tokenizer,
                                      engine::choose_chat_format(a.chat_format, opened.tokenizer),
                                      engine::EngineOptions().chat_date);
  std::vector<engine::TokenId> ids;
  const std::filesystem::path data = a.data.empty() ? suite.data : std::filesystem::path(a.data);
  std::size_t done = 0;
  for (const suites::SuiteTask& task : suite.tasks) {
    ++done;
    const suites::PlannedTask planned = suites::plan_task(task, {.data = data});
    for (std::size_t i = 0; i < planned.samples.size(); ++i) {
      const auto prompt = encoder.encode(suites::make_request(planned, i, 0, 0).prompt);
      ids.insert(ids.end(), prompt.begin(), prompt.end());
      // Every task has its share of the tokens.
      if (ids.size() * suite.tasks.size() >= static_cast<std::size_t>(a.tokens) * done) break;
    }
  }
  ids.resize(std::min(ids.size(), static_cast<std::size_t>(a.tokens)));
  return ids;
}

/// Scales from the text, where one is given.
std::optional<engine::Calibration> calibration_of(const QuantizeArguments& a,
                                                  const engine::OpenedModel& opened,
                                                  const engine::WeightSource& source, int threads) {
  if (a.text.empty()) {
    if (a.kv != "none") throw_input("quantize: --kv-scales {} needs --calibrate FILE", a.kv);
    return std::nullopt;
  }
  const bool is_suite = a.text.ends_with(".jsonc") || a.text.ends_with(".json");
  const std::vector<engine::TokenId> ids =
      is_suite
          ? suite_ids(a, opened)
          : engine::text_ids(opened.config, *opened.tokenizer.tokenizer,
                             read_file(a.text, kMostTextBytes), static_cast<std::size_t>(a.tokens));
  return engine::calibrate(opened.config, source, ids,
                           {.method = engine::find_calibration_method(a.method),
                            .percentile = a.percentile,
                            .kv_per_head = a.kv == "head",
                            .window = a.window,
                            .threads = threads});
}

ExitCode quantize(const QuantizeArguments& a) {
  const engine::OpenedModel opened = engine::open_model(a.model);
  if (!opened.checkpoint) throw_input("quantize: --model must be a folder with a checkpoint");
  const engine::PrecisionSetting setting = engine::find_setting(a.to);
  if (setting.from_checkpoint) throw_input("quantize: --to names a setting other than checkpoint");
  const int threads = a.threads > 0 ? a.threads : engine::usable_cores();
  const engine::CheckpointWeights weights(*opened.checkpoint);
  const std::optional<engine::Calibration> calibration =
      calibration_of(a, opened, weights, threads);
  std::optional<engine::CalibratedWeights> calibrated;
  std::optional<engine::KvScaleChoice> chosen;
  const engine::WeightSource* source = &weights;
  if (calibration) {
    source = &calibrated.emplace(weights, *calibration);
    if (a.kv == "none") source = &chosen.emplace(*source, engine::KvScaleChoice::Kind::kNone);
  }
  const engine::WrittenCheckpoint written =
      engine::write_quantized(*opened.checkpoint, *source, setting, a.out, threads);
  if (a.json) {
    Json out;
    out.set("out", a.out);
    out.set("setting", setting.name);
    out.set("bytes", written.bytes);
    out.set("files", written.files);
    out.set("quantized_matrices", written.quantized);
    if (calibration) out.set("calibration", report_json(*calibration));
    fmt::print("{}\n", out.dump());
    return ExitCode::kOk;
  }
  if (calibration) print_report(*calibration);
  fmt::print("{}: {} matrices in {}, {} other tensors, {:.1f} MB in {} file(s)\n", escaped(a.out),
             written.quantized, setting.name, written.kept,
             static_cast<double>(written.bytes) / 1e6, written.files);
  return ExitCode::kOk;
}

}  // namespace

void add_quantize(CLI::App& app, Chosen& chosen) {
  CLI::App* command =
      app.add_subcommand("quantize", "Write a quantized checkpoint that other engines load too");
  auto a = std::make_shared<QuantizeArguments>();
  command->add_option("--model", a->model, "Folder with an unquantized checkpoint")->required();
  command->add_option("--to", a->to, "Setting, NAME or NAME[PATTERN=NAME,...]")->required();
  command->add_option("--out", a->out, "Folder to write; new or empty")->required();
  command->add_option("--calibrate", a->text,
                      "For static scales: a text file, or a suite (.jsonc) for its prompts");
  command->add_option("--data", a->data, "Folder with the suite's data sets")
      ->envname("ASSAY_DATA");
  command->add_option("--chat-format", a->chat_format,
                      "Of the suite's prompts; default the model's");
  command->add_option("--method", a->method, "Of static scales: max, percentile or mse")
      ->check(CLI::IsMember({"max", "percentile", "mse"}));
  command->add_option("--percentile", a->percentile, "Share of values that are not clipped")
      ->check(CLI::Range(0.5, 1.0));
  command->add_option("--kv-scales", a->kv, "Scales of keys and values: none, tensor or head")
      ->check(CLI::IsMember({"none", "tensor", "head"}));
  command->add_option("--tokens", a->tokens, "At most so many tokens of the text")
      ->check(CLI::Range(1, 1 << 24));
  command->add_option("--window", a->window, "Tokens of a calibration sequence")
      ->check(CLI::Range(1, 1 << 20));
  command->add_option("--threads", a->threads, "CPU threads; 0: all this process may use")
      ->check(CLI::Range(0, 4096));
  command->add_flag("--json", a->json, "One JSON document");
  command->callback([&chosen, a] { chosen.action = [a] { return quantize(*a); }; });
}

}  // namespace assay::cli
