// The precision settings: what is quantized, to what, with which scales, matrix by matrix.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/ops/cpu_kernels.h"

namespace assay::engine {

/// What one scale of a weight matrix covers. Rows are outputs.
enum class ScaleLayout : std::uint8_t {
  kNone,    // BF16
  kTensor,  // one scale
  kRow,     // one a row
  kGroup,   // one for each `group` inputs of a row; FP4 types have one more for the tensor
  kBlocks,  // one for each 128 rows x `group` inputs
};

/// How one matrix is held and multiplied.
struct MatrixFormat {
  WeightType weights = WeightType::kBf16;
  ScaleLayout scales = ScaleLayout::kNone;
  std::int64_t group = 0;
  bool power_of_two = false;  // kE2m1: E8M0 scales (MXFP4); else E4M3 under one FP32 (NVFP4)
  ActivationType activations = ActivationType::kBf16;
  float input_scale = 0;  // of static activations
  float amax_bound = 0;   // dynamic scales: amax is cut to it; 0: not
  bool stored = false;    // the codes are those of the checkpoint
  friend bool operator==(const MatrixFormat&, const MatrixFormat&) = default;
};

/// "PATTERN=SETTING": what matrices of matching names get instead.
struct SettingOverride {
  std::string pattern;  // `*` stands for anything; names as "layers.0.mlp.down_proj", "lm_head"
  std::string setting;
};

/// One row of the table in settings.cc, with overrides. Embedding, norms and residual stream are
/// BF16 in every setting, lm_head too unless an override names it.
struct PrecisionSetting {
  std::string name;  // canonical, with overrides: "fp8[lm_head=bf16,layers.0.*=bf16]"
  MatrixFormat format;
  bool from_checkpoint = false;  // "checkpoint": as stored
  std::vector<SettingOverride> overrides;

  [[nodiscard]] bool needs_input_scales() const;
};

/// Parses "NAME" or "NAME[PATTERN=NAME,...]". "" is the default, fp8.
/// Throws: Error(kInput) for an unknown name, with a suggestion and the list.
PrecisionSetting find_setting(std::string_view name);
/// Names of the table, without "checkpoint".
std::vector<std::string> setting_names();
/// The canonical name of a setting with these overrides.
std::string setting_with_overrides(std::string_view name,
                                   const std::vector<SettingOverride>& overrides);

/// True when `pattern` is the module's name, `*` standing for any characters. Names are given with
/// or without "model." in front.
bool module_matches(std::string_view pattern, std::string_view module);

/// Which setting of the table the module gets: the last override that matches, else the setting's
/// own, or "bf16" for lm_head. "checkpoint" stands for itself.
std::string setting_of_module(const PrecisionSetting& setting, std::string_view module);
/// The format of a name of the table.
MatrixFormat format_of_setting(std::string_view name);

/// How keys and values are held. FP8 scales: dynamic for each token and head, or static ones, from
/// the checkpoint or from calibration.
enum class KvType : std::uint8_t { kBf16, kFp8 };
/// "bf16", "fp8", "fp8-tensor" or "fp8-head". Throws: Error(kInput).
KvType find_kv_type(std::string_view name);

}  // namespace assay::engine
