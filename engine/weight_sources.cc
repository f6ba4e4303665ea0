#include "engine/weight_sources.h"

#include <cmath>
#include <cstring>

#include "base/check.h"
#include "base/log.h"
#include "base/random.h"
#include "base/text.h"
#include "engine/stored_codes.h"

namespace assay::engine {
namespace {

constexpr std::string_view kWeight = ".weight";

/// "a.b.weight" to "a.b".
std::string module_of(const std::string& name) { return name.substr(0, name.rfind('.')); }

/// Values [first, first + out.size()) of a tensor as FP32.
void read_values(const TensorView& tensor, std::size_t first, std::span<float> out) {
  const std::size_t size = tensor.dtype == DType::kF32 ? 4 : 2;
  const std::byte* from = tensor.bytes.data() + first * size;
  if (tensor.dtype == DType::kF32) {
    std::memcpy(out.data(), from, out.size_bytes());
  } else if (tensor.dtype == DType::kBf16) {
    static const CpuKernels& kernels = cpu_kernels();
    kernels.widen_bf16(from, static_cast<std::int64_t>(out.size()), out.data());
  } else {
    for (std::size_t i = 0; i < out.size(); ++i) {
      std::uint16_t half = 0;
      std::memcpy(&half, from + i * size, size);
      out[i] = half_to_float(half);
    }
  }
}

}  // namespace

CheckpointWeights::CheckpointWeights(const Checkpoint& checkpoint) : checkpoint_(checkpoint) {
  const ModelConfig& config = checkpoint.config();
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    kv_scales_.push_back(stored_kv_scales(checkpoint, layer, config.kv_heads));
  }
  if (!checkpoint.quantization().active()) return;
  for (const TensorSpec& spec : expected_tensors(config)) {
    if (spec.shape.size() != 2 || !spec.name.ends_with(kWeight)) continue;
    const std::string module = spec.name.substr(0, spec.name.size() - kWeight.size());
    if (!module.ends_with("_proj") && module != "lm_head") continue;
    const std::optional<StoredScheme> scheme = checkpoint.scheme_of(module, spec.shape[1]);
    if (!scheme) continue;
    codes_[module] = open_stored_codes(checkpoint, *scheme, module, spec.shape[0], spec.shape[1]);
  }
  if (checkpoint.quantization().kv_scheme() && kv_scales_.front().key.empty()) {
    log_warning("{}: the config says that keys and values have scales, and there are none",
                escaped(checkpoint.folder().string(), 400));
  }
}

bool CheckpointWeights::has(const std::string& name) const {
  return checkpoint_.find(name) != nullptr ||
         (name.ends_with(kWeight) && codes(module_of(name)) != nullptr);
}

const CodeSource* CheckpointWeights::codes(const std::string& module) const {
  const auto found = codes_.find(module);
  return found == codes_.end() ? nullptr : found->second.get();
}

float CheckpointWeights::input_scale(const std::string& module) const {
  const CodeSource* source = codes(module);
  return source == nullptr ? 0 : source->format().input_scale;
}

KvScales CheckpointWeights::kv_scales(std::int64_t layer) const {
  return kv_scales_[static_cast<std::size_t>(layer)];
}

void CheckpointWeights::read_row(const std::string& name, std::int64_t row,
                                 std::span<float> out) const {
  if (const CodeSource* source = name.ends_with(kWeight) ? codes(module_of(name)) : nullptr) {
    CodeRow codes;
    source->read(row, codes);
    ASSAY_CHECK(codes.codes.size() == out.size(), "row length of " + name);
    dequantize(codes, source->format().group, out);
    return;
  }
  const TensorView& tensor = checkpoint_.at(name);
  ASSAY_CHECK(!tensor.shape.empty() && tensor.shape.back() == static_cast<std::int64_t>(out.size()),
              "row length of " + name);
  read_values(tensor, static_cast<std::size_t>(row) * out.size(), out);
}

bool DummyWeights::has(const std::string& name) const { return !name.ends_with(".bias"); }

void DummyWeights::read_row(const std::string& name, std::int64_t row, std::span<float> out) const {
  if (name.ends_with("norm.weight")) {
    for (float& value : out) value = 1;
    return;
  }
  const std::uint64_t key = fnv1a(name);
  // A uniform variable on [-a, a] has standard deviation a / sqrt(3).
  const float range = 0.02F * std::sqrt(3.0F);
  for (std::size_t i = 0; i < out.size(); i += 4) {
    const auto bits =
        philox4x32({static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(row),
                    static_cast<std::uint32_t>(row >> 32), 0},
                   {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)});
    for (std::size_t k = 0; k < 4 && i + k < out.size(); ++k) {
      const float value = (2.0F * uniform24(bits[k]) - 1.0F) * range;
      out[i + k] = bf16_to_float(float_to_bf16(value));
    }
  }
}

}  // namespace assay::engine
