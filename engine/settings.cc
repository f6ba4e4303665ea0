#include "engine/settings.h"

#include "base/error.h"
#include "base/text.h"

namespace assay::engine {
namespace {

constexpr PrecisionSetting kSettings[] = {
    {.name = "bf16"},
    {.name = "fp8", .weights = WeightType::kE4m3, .quantize_activations = true},
    {.name = "fp8-tensor",
     .weights = WeightType::kE4m3,
     .tensor_scale = true,
     .quantize_activations = true},
    {.name = "w8a16-fp8", .weights = WeightType::kE4m3},
};

}  // namespace

std::vector<std::string> setting_names() {
  std::vector<std::string> names;
  for (const PrecisionSetting& setting : kSettings) names.emplace_back(setting.name);
  return names;
}

const PrecisionSetting& find_setting(std::string_view name) {
  if (name.empty()) name = "fp8";
  for (const PrecisionSetting& setting : kSettings) {
    if (setting.name == name) return setting;
  }
  const std::vector<std::string> names = setting_names();
  throw_input("unknown precision setting \"{}\"{}; known: {}", escaped(name),
              suggestion(name, names), join(names, ", "));
}

KvType find_kv_type(std::string_view name) {
  if (name == "bf16") return KvType::kBf16;
  if (name == "fp8") return KvType::kFp8;
  throw_input("unknown KV cache type \"{}\"; known: bf16, fp8", escaped(name));
}

}  // namespace assay::engine
