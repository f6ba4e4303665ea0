#include "engine/shapes.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace assay::engine {
namespace {

struct Row {
  std::string_view name;
  std::int64_t hidden;
  std::int64_t layers;
  std::int64_t heads;
  std::int64_t head_dim;
  std::int64_t intermediate;
  bool tied;
  double rope_factor;
};

constexpr std::int64_t kKvHeads = 8;  // of every published model below
constexpr std::int64_t kVocab = 128256;
constexpr std::int64_t kContext = 131072;

constexpr Row kRows[] = {
    {"llama-3.2-1b", 2048, 16, 32, 64, 8192, true, 32},
    {"llama-3.2-3b", 3072, 28, 24, 128, 8192, true, 32},
    {"llama-3.1-8b", 4096, 32, 32, 128, 14336, false, 8},
    {"llama-3.3-70b", 8192, 80, 64, 128, 28672, false, 8},
    {"llama-3.1-405b", 16384, 126, 128, 128, 53248, false, 8},
    {"tiny", 128, 2, 8, 16, 384, true, 1},  // no published model: quick tries and tests
};
constexpr std::int64_t kTinyVocab = 512;
constexpr std::int64_t kTinyContext = 4096;

const std::vector<std::string>& names() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> out;
    for (const Row& row : kRows) out.emplace_back(row.name);
    return out;
  }();
  return kNames;
}

}  // namespace

std::span<const std::string> known_shape_names() { return names(); }

ModelConfig known_shape(std::string_view name) {
  const auto* row = std::find_if(std::begin(kRows), std::end(kRows),
                                 [&](const Row& r) { return r.name == name; });
  if (row == std::end(kRows)) {
    throw_input("dummy:{}: no such model shape{}; known are: {}", escaped(name, 80),
                suggestion(name, names()), join(names(), ", "));
  }
  ModelConfig config;
  config.hidden = row->hidden;
  config.layers = row->layers;
  config.heads = row->heads;
  config.kv_heads = kKvHeads;
  config.head_dim = row->head_dim;
  config.intermediate = row->intermediate;
  config.vocab = kVocab;
  config.rms_eps = 1e-5;
  config.rope = {.kind = RopeKind::kLlama3, .theta = 500000, .factor = row->rope_factor};
  config.max_position = kContext;
  config.tied = row->tied;
  config.bos = 128000;
  config.stop_ids = {128001, 128008, 128009};
  if (row->name == "tiny") {
    config.kv_heads = 4;
    config.vocab = kTinyVocab;
    config.max_position = kTinyContext;
    config.rope = {.theta = 10000};
    config.bos.reset();
    config.stop_ids.clear();
  }
  return config;
}

}  // namespace assay::engine
