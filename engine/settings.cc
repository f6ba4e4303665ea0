#include "engine/settings.h"

#include <algorithm>
#include <span>

#include "base/error.h"
#include "base/text.h"

namespace assay::engine {
namespace {

struct SettingRow {
  std::string_view name;
  MatrixFormat format;
};

using enum ActivationType;

constexpr SettingRow kSettings[] = {
    {"bf16", {}},
    {"fp8", {.weights = WeightType::kE4m3, .scales = ScaleLayout::kRow, .activations = kE4m3Token}},
    {"fp8-tensor",
     {.weights = WeightType::kE4m3, .scales = ScaleLayout::kTensor, .activations = kE4m3Token}},
    {"fp8-static",
     {.weights = WeightType::kE4m3, .scales = ScaleLayout::kTensor, .activations = kE4m3Static}},
    {"fp8-block",
     {.weights = WeightType::kE4m3,
      .scales = ScaleLayout::kBlocks,
      .group = 128,
      .activations = kE4m3Group}},
    {"w8a16-fp8", {.weights = WeightType::kE4m3, .scales = ScaleLayout::kRow}},
    {"int8",
     {.weights = WeightType::kInt8, .scales = ScaleLayout::kRow, .activations = kInt8Token}},
    {"int4-g128", {.weights = WeightType::kInt4, .scales = ScaleLayout::kGroup, .group = 128}},
    {"nvfp4", {.weights = WeightType::kE2m1, .scales = ScaleLayout::kGroup, .group = 16}},
    {"mxfp4",
     {.weights = WeightType::kE2m1,
      .scales = ScaleLayout::kGroup,
      .group = 32,
      .power_of_two = true}},
};

constexpr std::string_view kCheckpoint = "checkpoint";
constexpr std::size_t kMostOverrides = 256;

const SettingRow* find_row(std::string_view name) {
  for (const SettingRow& row : kSettings) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

void check_name(std::string_view name) {
  if (name == kCheckpoint || find_row(name) != nullptr) return;
  std::vector<std::string> names = setting_names();
  names.emplace_back(kCheckpoint);
  throw_input("unknown precision setting \"{}\"{}; known: {}", escaped(name),
              suggestion(name, names), join(names, ", "));
}

/// `*` matches any number of characters.
bool glob(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t retry = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string_view without_model(std::string_view name) {
  constexpr std::string_view kPrefix = "model.";
  return name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name;
}

std::vector<SettingOverride> parse_overrides(std::string_view text, std::string_view whole) {
  std::vector<SettingOverride> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    const std::string_view item = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t equals = item.find('=');
    if (equals == std::string_view::npos || equals == 0 || equals + 1 == item.size()) {
      throw_input("precision setting \"{}\": \"{}\" is not PATTERN=SETTING", escaped(whole, 200),
                  escaped(item, 80));
    }
    out.push_back({std::string(item.substr(0, equals)), std::string(item.substr(equals + 1))});
    check_name(out.back().setting);
    if (out.size() > kMostOverrides) {
      throw_input("precision setting: more than {} overrides", kMostOverrides);
    }
  }
  return out;
}

}  // namespace

bool PrecisionSetting::needs_input_scales() const {
  const auto is_static = [](std::string_view setting) { return setting == "fp8-static"; };
  return is_static(std::string_view(name).substr(0, name.find('['))) ||
         std::any_of(overrides.begin(), overrides.end(),
                     [&](const SettingOverride& o) { return is_static(o.setting); });
}

std::vector<std::string> setting_names() {
  std::vector<std::string> names;
  for (const SettingRow& row : kSettings) names.emplace_back(row.name);
  return names;
}

std::string setting_with_overrides(std::string_view name,
                                   const std::vector<SettingOverride>& overrides) {
  std::string out(name);
  const char* separator = "[";
  for (const SettingOverride& override : overrides) {
    out += separator + override.pattern + "=" + override.setting;
    separator = ",";
  }
  return overrides.empty() ? out : out + "]";
}

PrecisionSetting find_setting(std::string_view name) {
  const std::string_view whole = name;
  if (name.empty()) name = "fp8";
  PrecisionSetting out;
  const std::size_t open = name.find('[');
  if (open != std::string_view::npos) {
    if (!name.ends_with(']')) {
      throw_input("precision setting \"{}\": expected NAME[PATTERN=SETTING,...]",
                  escaped(whole, 200));
    }
    out.overrides = parse_overrides(name.substr(open + 1, name.size() - open - 2), whole);
    name = name.substr(0, open);
  }
  check_name(name);
  out.from_checkpoint = name == kCheckpoint;
  if (!out.from_checkpoint) out.format = find_row(name)->format;
  out.name = setting_with_overrides(name, out.overrides);
  return out;
}

bool module_matches(std::string_view pattern, std::string_view module) {
  return glob(without_model(pattern), without_model(module));
}

std::string setting_of_module(const PrecisionSetting& setting, std::string_view module) {
  for (auto o = setting.overrides.rbegin(); o != setting.overrides.rend(); ++o) {
    if (module_matches(o->pattern, module)) return o->setting;
  }
  if (setting.from_checkpoint) return std::string(kCheckpoint);
  if (module == "lm_head") return "bf16";
  return setting.name.substr(0, setting.name.find('['));
}

MatrixFormat format_of_setting(std::string_view name) {
  check_name(name);
  const SettingRow* row = find_row(name);
  return row == nullptr ? MatrixFormat{} : row->format;
}

KvType find_kv_type(std::string_view name) {
  if (name == "bf16") return KvType::kBf16;
  if (name == "fp8" || name == "fp8-tensor" || name == "fp8-head") return KvType::kFp8;
  throw_input("unknown KV cache type \"{}\"; known: bf16, fp8, fp8-tensor, fp8-head",
              escaped(name));
}

}  // namespace assay::engine
