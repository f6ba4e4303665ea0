#include "engine/quantize_checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "engine/checkpoint_files.h"
#include "engine/ops/number.h"
#include "engine/parallel/thread_team.h"
#include "engine/step_watch.h"
#include "engine/stored_matrix.h"

namespace assay::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kFileBytes = std::int64_t{4} << 30;  // of one file of weights, about

struct Task {
  std::vector<OutTensor> tensors;
  std::function<std::vector<std::vector<std::byte>>()> make;  // their bytes
};

std::int64_t bytes_of(const Task& task) {
  std::int64_t sum = 0;
  for (const OutTensor& tensor : task.tensors) sum += tensor.bytes();
  return sum;
}

std::string file_name(std::size_t index, std::size_t count) {
  return count == 1 ? "model.safetensors"
                    : fmt::format("model-{:05}-of-{:05}.safetensors", index + 1, count);
}

class Writer {
 public:
  Writer(const Checkpoint& checkpoint, const WeightSource& source, const PrecisionSetting& setting,
         int threads)
      : checkpoint_(checkpoint),
        source_(source, watch_options()),
        setting_(setting),
        team_(threads) {}

  WrittenCheckpoint run(const fs::path& folder) {
    plan();
    fs::create_directories(folder);
    write_weights(folder);
    for (const char* name : kIdentityFiles) {
      if (std::string_view(name) == "config.json" ||
          std::string_view(name) == "hf_quant_config.json" ||
          !fs::exists(checkpoint_.folder() / name)) {
        continue;
      }
      write_file_atomic(folder / name, read_file(checkpoint_.folder() / name));
    }
    write_config(folder);  // last: without it a folder is no checkpoint
    return written_;
  }

 private:
  /// What becomes of each tensor, in the model's order.
  void plan() {
    const ModelConfig& config = checkpoint_.config();
    for (const TensorSpec& spec : expected_tensors(config)) {
      std::string module = spec.name;
      const bool linear = spec.name.ends_with("_proj.weight") || spec.name == "lm_head.weight";
      if (linear) module.resize(module.size() - std::string_view(".weight").size());
      const MatrixFormat format =
          linear ? resolve_format(setting_, source_, module) : MatrixFormat{};
      if (linear && !(config.tied && module == "lm_head")) {
        modules_.push_back(module);
        formats_.push_back(format);
      }
      if (format.weights == WeightType::kBf16) {
        keep(spec);
      } else {
        quantize(module, spec.shape[0], spec.shape[1], format);
      }
    }
    if (config.tied && resolve_format(setting_, source_, "lm_head").weights != WeightType::kBf16) {
      throw_input("lm_head is the embedding in this model: a checkpoint holds it unquantized");
    }
    for (std::int64_t layer = 0; layer < config.layers; ++layer) add_kv_scales(layer);
  }

  void keep(const TensorSpec& spec) {
    if (checkpoint_.find(spec.name) == nullptr) {
      throw_input("{}: is quantized already; only settings of BF16 checkpoints can be written",
                  escaped(checkpoint_.folder().string(), 400));
    }
    const TensorView& tensor = checkpoint_.at(spec.name);
    ++written_.kept;
    tasks_.push_back(
        {{{tensor.name, tensor.dtype, tensor.shape}}, [&tensor] {
           return std::vector<std::vector<std::byte>>{{tensor.bytes.begin(), tensor.bytes.end()}};
         }});
  }

  void quantize(const std::string& module, std::int64_t rows, std::int64_t cols,
                const MatrixFormat& format) {
    ++written_.quantized;
    tasks_.push_back({stored_layout(module, rows, cols, format), [=, this] {
                        const MatrixShape shape{
                            .tensor = module + ".weight",
                            .rows = rows,
                            .cols = cols,
                            .scaled_with =
                                scaled_together(checkpoint_.config(), setting_, source_, module)};
                        const ParallelFor parallel = [this](std::int64_t count, const auto& body) {
                          team_.run(count, [&](std::int64_t i, int) { body(i, i + 1); });
                        };
                        const auto codes = quantize_matrix(source_, shape, format, parallel);
                        return stored_bytes(*codes, rows, cols, parallel);
                      }});
  }

  void add_kv_scales(std::int64_t layer) {
    const KvScales scales = source_.kv_scales(layer);
    if (scales.key.empty()) return;
    kv_scales_ = true;
    const auto add = [&](const char* name, const std::vector<float>& values) {
      const bool one = std::all_of(values.begin(), values.end(),
                                   [&](float value) { return value == values.front(); });
      const std::vector<float> stored = one ? std::vector<float>{values.front()} : values;
      tasks_.push_back({{{fmt::format("model.layers.{}.self_attn.{}", layer, name),
                          DType::kF32,
                          {static_cast<std::int64_t>(stored.size())}}},
                        [stored] {
                          std::vector<std::byte> out(stored.size() * sizeof(float));
                          std::memcpy(out.data(), stored.data(), out.size());
                          return std::vector<std::vector<std::byte>>{out};
                        }});
    };
    add("k_scale", scales.key);
    add("v_scale", scales.value);
  }

  void write_weights(const fs::path& folder) {
    std::vector<std::vector<const Task*>> files(1);
    std::int64_t size = 0;
    for (const Task& task : tasks_) {
      if (size > 0 && size + bytes_of(task) > kFileBytes) {
        files.emplace_back();
        size = 0;
      }
      files.back().push_back(&task);
      size += bytes_of(task);
      written_.bytes += bytes_of(task);
    }
    Json map{Json::Object{}};
    for (std::size_t i = 0; i < files.size(); ++i) {
      const std::string name = file_name(i, files.size());
      write_weight_file(folder / name, files[i]);
      for (const Task* task : files[i]) {
        for (const OutTensor& tensor : task->tensors) map.set(tensor.name, name);
      }
    }
    written_.files = static_cast<std::int64_t>(files.size());
    if (files.size() == 1) return;
    Json total;
    total.set("total_size", written_.bytes);
    Json index;
    index.set("metadata", std::move(total));
    index.set("weight_map", std::move(map));
    write_file_atomic(folder / "model.safetensors.index.json", index.dump());
  }

  void write_weight_file(const fs::path& path, const std::vector<const Task*>& tasks) {
    std::vector<OutTensor> tensors;
    for (const Task* task : tasks) {
      tensors.insert(tensors.end(), task->tensors.begin(), task->tensors.end());
    }
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    const std::string header = safetensors_header(tensors);
    out.write(header.data(), static_cast<std::streamsize>(header.size()));
    for (const Task* task : tasks) {
      for (const std::vector<std::byte>& bytes : task->make()) {
        out.write(reinterpret_cast<const char*>(bytes.data()),
                  static_cast<std::streamsize>(bytes.size()));
      }
      source_.release();
    }
    out.close();
    if (!out) throw_environment("{}: cannot be written", escaped(path.string(), 400));
    flush_file(path);
  }

  void write_config(const fs::path& folder) {
    const fs::path path = checkpoint_.folder() / "config.json";
    Json config = parse_json(read_file(path), escaped(path.string(), 400));
    config.set("quantization_config", quantization_config(modules_, formats_, kv_scales_));
    write_file_atomic(folder / "config.json", config.dump() + "\n");
  }

  const Checkpoint& checkpoint_;
  WatchedWeights source_;  // before the team, whose threads read
  const PrecisionSetting& setting_;
  ThreadTeam team_;
  std::vector<std::string> modules_;
  std::vector<MatrixFormat> formats_;
  std::vector<Task> tasks_;
  bool kv_scales_ = false;
  WrittenCheckpoint written_;
};

Json arguments(int bits, const char* type, const char* strategy, bool dynamic) {
  Json out;
  out.set("num_bits", bits);
  out.set("type", type);
  out.set("strategy", strategy);
  out.set("symmetric", true);
  out.set("dynamic", dynamic);
  return out;
}

Json weight_arguments(const MatrixFormat& f) {
  const bool fp4 = f.weights == WeightType::kE2m1;
  const bool four = weight_bits(f.weights) == 4;
  const bool floating = fp4 || f.weights == WeightType::kE4m3;
  const char* strategy = "group";
  if (f.scales == ScaleLayout::kTensor) strategy = "tensor";
  if (f.scales == ScaleLayout::kRow) strategy = "channel";
  if (f.scales == ScaleLayout::kBlocks) strategy = "block";
  if (fp4 && !f.power_of_two) strategy = "tensor_group";
  Json out = arguments(four ? 4 : 8, floating ? "float" : "int", strategy, false);
  out.set("symmetric", f.weights != WeightType::kInt4);
  if (f.scales == ScaleLayout::kGroup) out.set("group_size", f.group);
  if (f.scales == ScaleLayout::kBlocks) {
    out.set("block_structure", Json(Json::Array{Json(std::int64_t{128}), Json(f.group)}));
  }
  return out;
}

Json input_arguments(const MatrixFormat& f) {
  switch (f.activations) {
    case ActivationType::kBf16:
      return Json();
    case ActivationType::kE4m3Token:
      return arguments(8, "float", "token", true);
    case ActivationType::kE4m3Static:
      return arguments(8, "float", "tensor", false);
    case ActivationType::kInt8Token:
      return arguments(8, "int", "token", true);
    case ActivationType::kInt8Static:
      return arguments(8, "int", "tensor", false);
    case ActivationType::kE4m3Group: {
      Json out = arguments(8, "float", "group", true);
      out.set("group_size", f.group);
      return out;
    }
  }
  return Json();
}

const char* format_name(const MatrixFormat& f) {
  switch (f.weights) {
    case WeightType::kInt4:
      return "pack-quantized";
    case WeightType::kInt8:
      return "int-quantized";
    case WeightType::kE2m1:
      return f.power_of_two ? "mxfp4-pack-quantized" : "nvfp4-pack-quantized";
    default:
      return f.activations == ActivationType::kBf16 ? "naive-quantized" : "float-quantized";
  }
}

}  // namespace

Json quantization_config(const std::vector<std::string>& modules,
                         const std::vector<MatrixFormat>& formats, bool kv_scales) {
  std::vector<std::pair<MatrixFormat, std::vector<std::string>>> groups;
  Json ignore{Json::Array{}};
  bool head = false;
  for (std::size_t i = 0; i < modules.size(); ++i) {
    MatrixFormat format = formats[i];
    format.input_scale = 0;  // is a tensor of the module
    head = head || modules[i] == "lm_head";
    if (format.weights == WeightType::kBf16) {
      ignore.push_back(modules[i]);
      continue;
    }
    const auto found = std::find_if(groups.begin(), groups.end(),
                                    [&](const auto& group) { return group.first == format; });
    if (found != groups.end()) {
      found->second.push_back(modules[i]);
    } else {
      groups.push_back({format, {modules[i]}});
    }
  }
  if (!head) ignore.push_back("lm_head");  // tied
  Json config_groups{Json::Object{}};
  for (std::size_t i = 0; i < groups.size(); ++i) {
    Json targets{Json::Array{}};
    if (groups.size() == 1) {
      targets.push_back("Linear");
    } else {
      for (const std::string& module : groups[i].second) targets.push_back(module);
    }
    Json group;
    group.set("targets", std::move(targets));
    group.set("weights", weight_arguments(groups[i].first));
    group.set("input_activations", input_arguments(groups[i].first));
    group.set("output_activations", Json());
    group.set("format", format_name(groups[i].first));
    config_groups.set(fmt::format("group_{}", i), std::move(group));
  }
  Json out;
  out.set("quant_method", "compressed-tensors");
  out.set("format", groups.size() == 1 ? format_name(groups.front().first) : "mixed-precision");
  out.set("quantization_status", "compressed");
  out.set("config_groups", std::move(config_groups));
  out.set("ignore", std::move(ignore));
  out.set("kv_cache_scheme", kv_scales ? arguments(8, "float", "tensor", false) : Json());
  return out;
}

WrittenCheckpoint write_quantized(const Checkpoint& checkpoint, const WeightSource& source,
                                  const PrecisionSetting& setting, const fs::path& folder,
                                  int threads) {
  if (fs::exists(folder) && !(fs::is_directory(folder) && fs::is_empty(folder))) {
    throw_input("--out {}: is there already; name a folder that does not exist or is empty",
                escaped(folder.string(), 400));
  }
  check_overrides(setting, checkpoint.config());
  return Writer(checkpoint, source, setting, threads).run(folder);
}

}  // namespace assay::engine
