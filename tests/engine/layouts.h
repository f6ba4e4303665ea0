// Small models with the head layouts of the published ones: as many query and KV heads, everything
// else as small as it may be.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/shapes.h"
#include "engine/weight_sources.h"

namespace assay::engine::test {

struct Layout {
  const char* name;
  std::int64_t heads;
  std::int64_t kv_heads;
  bool tied;
};

/// The last three have fewer KV heads than 8 ranks.
inline const std::vector<Layout>& layouts() {
  static const std::vector<Layout> kLayouts = {
      {"1B", 32, 8, true},     {"3B", 24, 8, true},   {"8B", 32, 8, false},   {"70B", 64, 8, false},
      {"405B", 128, 8, false}, {"32/4", 32, 4, true}, {"16/2", 16, 2, false}, {"8/1", 8, 1, false}};
  return kLayouts;
}

inline ModelConfig small_model(const Layout& layout) {
  ModelConfig config = known_shape("tiny");
  config.hidden = 64;
  config.intermediate = 172;  // eighths of 22: parts that end inside the last rank's
  config.heads = layout.heads;
  config.kv_heads = layout.kv_heads;
  config.head_dim = layout.heads > 64 ? 4 : 8;
  config.vocab = 301;  // ranks' slices are not equally long
  config.tied = layout.tied;
  config.layers = 2;
  return config;
}

/// The dummy weights, matrices sixteen times as large: with those of the dummy the layers add so
/// little to the embedding that rounding hides the order of their sums.
class LoudWeights : public WeightSource {
 public:
  [[nodiscard]] bool has(const std::string& name) const override { return quiet_.has(name); }
  void read_row(const std::string& name, std::int64_t row, std::span<float> out) const override {
    quiet_.read_row(name, row, out);
    if (name.find("proj") == std::string::npos) return;
    for (float& value : out) value *= 16;
  }

 private:
  DummyWeights quiet_;
};

}  // namespace assay::engine::test
