// assay models inspect: what a checkpoint is and how much memory it needs.
#include <fmt/format.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "engine/checkpoint.h"
#include "engine/memory_plan.h"
#include "engine/shapes.h"
#include "engine/tensor_stats.h"
#include "engine/tokenizer_load.h"

namespace assay::cli {
namespace {

using engine::ModelConfig;

constexpr std::int64_t kDegrees[] = {1, 2, 4, 8};
constexpr std::int64_t kStepTokens = 8192;
constexpr double kGigabyte = 1e9;
constexpr std::string_view kDummy = "dummy:";

Json config_json(const ModelConfig& config) {
  static constexpr const char* kRopeKinds[] = {"default", "linear", "llama3"};
  Json out;
  out.set("architecture", "LlamaForCausalLM");
  out.set("parameters", config.parameter_count());
  out.set("hidden", config.hidden);
  out.set("layers", config.layers);
  out.set("heads", config.heads);
  out.set("kv_heads", config.kv_heads);
  out.set("head_dim", config.head_dim);
  out.set("intermediate", config.intermediate);
  out.set("vocab", config.vocab);
  out.set("max_position", config.max_position);
  out.set("tied_embeddings", config.tied);
  out.set("rope", kRopeKinds[static_cast<std::size_t>(config.rope.kind)]);
  out.set("rope_theta", config.rope.theta);
  out.set("rope_factor", config.rope.factor);
  Json stop_ids{Json::Array{}};
  for (const engine::TokenId id : config.stop_ids) stop_ids.push_back(std::int64_t{id});
  out.set("stop_ids", std::move(stop_ids));
  return out;
}

Json memory_json(const ModelConfig& config) {
  Json settings;
  for (const engine::StorageFormat& format : engine::storage_formats()) {
    for (const std::int64_t tp : kDegrees) {
      const auto need = engine::memory_need(config, format, tp, kStepTokens);
      if (!need) continue;
      Json row;
      row.set("setting", format.setting);
      row.set("tp", tp);
      row.set("weight_bytes", need->weights);
      row.set("kv_bytes_per_token_bf16", need->kv_per_token_bf16);
      row.set("kv_bytes_per_token_fp8", need->kv_per_token_fp8);
      row.set("buffer_bytes", need->buffers);
      settings.push_back(std::move(row));
    }
  }
  return settings;
}

void add_checkpoint(const engine::Checkpoint& checkpoint, bool deep, Json& out) {
  std::map<std::string, std::int64_t> bytes_by_type;
  for (const engine::TensorView& tensor : checkpoint.tensors()) {
    bytes_by_type[std::string(engine::dtype_name(tensor.dtype))] +=
        static_cast<std::int64_t>(tensor.bytes.size());
  }
  Json types{Json::Object{}};
  for (const auto& [type, bytes] : bytes_by_type) types.set(type, bytes);
  out.set("tensor_bytes", std::move(types));
  Json unused{Json::Array{}};
  for (const std::string& name : checkpoint.unused()) unused.push_back(name);
  out.set("unused_tensors", std::move(unused));
  out.set("digest", checkpoint.digest());
  if (!deep) return;
  const std::vector<engine::TensorStats> stats = engine::checkpoint_stats(checkpoint);
  Json tensors;
  for (const engine::TensorStats& tensor : stats) {
    Json row;
    row.set("name", tensor.name);
    row.set("amax", tensor.amax);
    row.set("rms", tensor.rms);
    row.set("not_finite", tensor.not_finite);
    tensors.push_back(std::move(row));
  }
  out.set("tensors", std::move(tensors));
  Json warnings{Json::Array{}};
  for (const std::string& warning : engine::suspicious(stats)) warnings.push_back(warning);
  out.set("suspicious", std::move(warnings));
}

Json inspect(const std::string& model, bool deep) {
  Json out;
  out.set("model", model);
  std::optional<engine::Checkpoint> checkpoint;
  ModelConfig config;
  if (model.starts_with(kDummy)) {
    config = engine::known_shape(std::string_view(model).substr(kDummy.size()));
  } else {
    checkpoint = engine::Checkpoint::open(model);
    config = checkpoint->config();
  }
  out.set("config", config_json(config));
  if (checkpoint) add_checkpoint(*checkpoint, deep, out);
  out.set("step_tokens", kStepTokens);
  out.set("memory", memory_json(config));
  return out;
}

std::string value_text(const Json& value) {
  return value.is_string() ? value.as_string() : value.dump();
}

void print_memory(const ModelConfig& config) {
  fmt::print("\nweights, GB on each rank{:>12}", "");
  for (const std::int64_t tp : kDegrees) fmt::print("{:>10}", fmt::format("tp {}", tp));
  fmt::print("\n");
  const auto row = [&](std::string_view name, const engine::StorageFormat& format, auto value) {
    fmt::print("  {:<34}", name);
    for (const std::int64_t tp : kDegrees) {
      const auto need = engine::memory_need(config, format, tp, kStepTokens);
      fmt::print("{:>10}", need ? value(*need) : "-");
    }
    fmt::print("\n");
  };
  const auto gigabytes = [](std::int64_t bytes) {
    return fmt::format("{:.4g}", static_cast<double>(bytes) / kGigabyte);
  };
  for (const engine::StorageFormat& format : engine::storage_formats()) {
    row(format.setting, format,
        [&](const engine::MemoryNeed& need) { return gigabytes(need.weights); });
  }
  const engine::StorageFormat& fp8 = engine::storage_formats()[1];
  row("KV cache bf16, bytes a token", fp8,
      [](const engine::MemoryNeed& need) { return fmt::format("{}", need.kv_per_token_bf16); });
  row("KV cache fp8, bytes a token", fp8,
      [](const engine::MemoryNeed& need) { return fmt::format("{}", need.kv_per_token_fp8); });
  row(fmt::format("buffers for {} tokens, GB", kStepTokens), fp8,
      [&](const engine::MemoryNeed& need) { return gigabytes(need.buffers); });
}

void print_text(const Json& report) {
  for (const auto& [key, value] : report.as_object()) {
    if (key == "memory" || key == "step_tokens") continue;
    if (key == "config" || key == "tensor_bytes") {
      fmt::print("{}:\n", key);
      for (const auto& [name, member] : value.as_object()) {
        fmt::print("  {:<18} {}\n", name, value_text(member));
      }
    } else if (key == "tensors") {
      fmt::print("tensors:\n");
      for (const Json& tensor : value.as_array()) {
        fmt::print("  {:<56} amax {:<10.4g} rms {:<10.4g} not finite {}\n",
                   tensor.at("name").as_string(), tensor.at("amax").as_double(),
                   tensor.at("rms").as_double(), tensor.at("not_finite").as_int());
      }
    } else if (key == "suspicious") {
      for (const Json& warning : value.as_array()) {
        fmt::print("suspicious: {}\n", warning.as_string());
      }
    } else {
      fmt::print("{}: {}\n", key, value_text(value));
    }
  }
}

ExitCode run_inspect(const std::string& model, bool deep, bool json) {
  const Json report = inspect(model, deep);
  if (json) {
    fmt::print("{}\n", report.dump());
    return ExitCode::kOk;
  }
  print_text(report);
  const bool dummy = model.starts_with(kDummy);
  print_memory(dummy ? engine::known_shape(std::string_view(model).substr(kDummy.size()))
                     : engine::load_model_config(model));
  return ExitCode::kOk;
}

}  // namespace

void add_models(CLI::App& app, Chosen& chosen) {
  struct Options {
    std::string model;
    bool deep = false;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* group = app.add_subcommand("models", "Look at checkpoints");
  group->require_subcommand(1);
  CLI::App* command =
      group->add_subcommand("inspect", "Architecture, parameters, digest, memory need");
  command->add_option("MODEL", options->model, "Checkpoint folder, or dummy:NAME")->required();
  command->add_flag("--deep", options->deep, "Read every value: NaN, infinity, odd scales");
  command->add_flag("--json", options->json, "One JSON document");
  command->callback([&chosen, options] {
    chosen.action = [options] { return run_inspect(options->model, options->deep, options->json); };
  });
}

}  // namespace assay::cli
