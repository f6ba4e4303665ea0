#include "engine/quant_config.h"

#include <fmt/format.h>
#include <unicode/regex.h>

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "base/object_reader.h"
#include "base/text.h"
#include "engine/quant_config_parser.h"

namespace assay::engine {
namespace {

constexpr std::int32_t kRegexTimeLimit = 1000;  // of ICU's steps: patterns are untrusted
constexpr std::size_t kMostPattern = 1000;

/// As Python's re.match: from the start, not to the end.
bool regex_matches(const std::string& pattern, const std::string& text, const std::string& source) {
  UErrorCode status = U_ZERO_ERROR;
  if (pattern.size() > kMostPattern) {
    throw_input("{}: a pattern of {} characters", source, pattern.size());
  }
  icu::RegexMatcher matcher(icu::UnicodeString::fromUTF8(pattern), 0, status);
  if (U_FAILURE(status) != 0) {
    throw_input("{}: \"re:{}\" is no regular expression", source, escaped(pattern, 100));
  }
  matcher.setTimeLimit(kRegexTimeLimit, status);
  matcher.setStackLimit(1 << 20, status);
  const icu::UnicodeString input = icu::UnicodeString::fromUTF8(text);
  matcher.reset(input);
  const bool found = matcher.lookingAt(status) != 0;
  if (U_FAILURE(status) != 0) {
    throw_input("{}: the pattern \"re:{}\" takes too long", source, escaped(pattern, 100));
  }
  return found;
}

std::string_view last_part(std::string_view module) {
  const std::size_t dot = module.rfind('.');
  return dot == std::string_view::npos ? module : module.substr(dot + 1);
}

/// A name in a list of modules: whole, a folder of names, its last part, with `*`, or "re:...".
bool names_module(const std::string& entry, const std::string& module, const std::string& source) {
  if (entry.starts_with("re:")) return regex_matches(entry.substr(3), module, source);
  if (entry.find('*') != std::string::npos) return module_matches(entry, module);
  return module_matches(entry, module) || last_part(module) == entry ||
         module_matches(entry + ".*", module);
}

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

const std::vector<DType> kScaleTypes = {DType::kF32, DType::kBf16, DType::kF16};

/// Shapes that the scales of the layout may have.
std::vector<std::vector<std::int64_t>> scale_shapes(const StoredScheme& scheme, std::int64_t rows,
                                                    std::int64_t cols) {
  const MatrixFormat& format = scheme.format;
  if (format.scales == ScaleLayout::kTensor) return {{}, {1}, {1, 1}};
  if (format.scales == ScaleLayout::kRow) return {{rows, 1}, {rows}};
  const std::int64_t groups = divide_up(cols, format.group);
  if (format.scales == ScaleLayout::kBlocks) {
    const std::int64_t lines = divide_up(rows, scheme.block_rows);
    return {{lines, groups}, {lines, 1, groups, 1}};
  }
  if (scheme.packing == CodePacking::kGptq || scheme.packing == CodePacking::kAwq) {
    return {{groups, rows}};
  }
  return {{rows, groups}};
}

void add_zero_points(const StoredScheme& scheme, const std::string& prefix, std::int64_t rows,
                     std::int64_t groups, std::vector<StoredTensor>& out) {
  const bool optional_zero = scheme.symmetric;
  switch (scheme.packing) {
    case CodePacking::kGptq:
    case CodePacking::kAwq:
      out.push_back({prefix + "qzeros", {DType::kI32}, {{groups, rows / 8}}, !optional_zero});
      break;
    case CodePacking::kWords:
      if (!scheme.symmetric) {
        out.push_back({prefix + "weight_zero_point",
                       {DType::kI32},
                       {{divide_up(rows, 32 / scheme.bits), groups}}});
      }
      break;
    default:
      break;
  }
}

}  // namespace

QuantConfig::QuantConfig(const ModelConfig& config, std::string source)
    : source_(std::move(source)) {
  if (config.quant_format == QuantFormat::kNone) return;
  QuantConfigParser(config, *this).run();
}

std::optional<StoredScheme> QuantConfig::scheme_of(const std::string& module) const {
  if (groups_.empty()) return std::nullopt;
  for (const std::string& entry : ignore_) {
    if (names_module(entry, module, source_)) return std::nullopt;
  }
  const Group* general = nullptr;
  for (const Group& group : groups_) {
    for (const std::string& target : group.targets) {
      if (target == "Linear") {
        general = general == nullptr ? &group : general;
      } else if (names_module(target, module, source_)) {
        return group.scheme;
      }
    }
  }
  if (general == nullptr) return std::nullopt;
  return general->scheme;
}

std::vector<StoredTensor> stored_tensors(const StoredScheme& scheme, const std::string& module,
                                         std::int64_t rows, std::int64_t cols) {
  const std::string prefix = module + ".";
  const MatrixFormat& format = scheme.format;
  const std::int64_t groups = format.group > 0 ? divide_up(cols, format.group) : 1;
  std::vector<StoredTensor> out;
  const auto weight = [&](DType type, std::vector<std::int64_t> shape) {
    out.push_back({prefix + scheme.weight, {type}, {std::move(shape)}});
  };
  switch (scheme.packing) {
    case CodePacking::kBytes:
      weight(format.weights == WeightType::kInt8 ? DType::kI8 : DType::kF8E4M3, {rows, cols});
      break;
    case CodePacking::kWords:
      weight(DType::kI32, {rows, divide_up(cols, 32 / scheme.bits)});
      out.push_back({prefix + "weight_shape", {DType::kI64, DType::kI32}, {{2}}, false});
      break;
    case CodePacking::kGptq:
      weight(DType::kI32, {cols / 8, rows});
      out.push_back({prefix + "g_idx", {DType::kI32}, {{cols}}, false});
      break;
    case CodePacking::kAwq:
      weight(DType::kI32, {cols, rows / 8});
      break;
    case CodePacking::kNibbles:
      weight(DType::kU8, {rows, divide_up(cols, 2)});
      break;
  }
  std::vector<DType> types = kScaleTypes;
  if (format.weights == WeightType::kE2m1) {
    types = format.power_of_two ? std::vector<DType>{DType::kU8, DType::kF8E8M0}
                                : std::vector<DType>{DType::kF8E4M3};
  }
  out.push_back({prefix + scheme.scale, types, scale_shapes(scheme, rows, cols)});
  if (!scheme.global_scale.empty()) {
    out.push_back({prefix + scheme.global_scale, {DType::kF32}, {{}, {1}}});
  }
  if (!scheme.input_scale.empty()) {
    out.push_back({prefix + scheme.input_scale, kScaleTypes, {{}, {1}, {1, 1}}});
  }
  add_zero_points(scheme, prefix, rows, groups, out);
  return out;
}

}  // namespace assay::engine
