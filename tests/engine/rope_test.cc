#include "engine/rope.h"

#include <gtest/gtest.h>

#include "engine/shapes.h"

namespace assay::engine {
namespace {

struct Golden {
  const char* shape;
  std::size_t j;
  double value;
};

// Computed in double precision from the definition, independently of this program; the indices are
// the last kept, first mixed, last mixed, first scaled and last frequency.
constexpr Golden kGolden[] = {
    {"llama-3.3-70b", 0, 1.0},
    {"llama-3.3-70b", 1, 0.8146172338565447},
    {"llama-3.3-70b", 28, 0.003211445994752591},
    {"llama-3.3-70b", 29, 0.002166570763503359},
    {"llama-3.3-70b", 34, 0.0001785078127679964},
    {"llama-3.3-70b", 35, 9.556212353964683e-05},
    {"llama-3.3-70b", 63, 3.068925988914511e-07},
    {"llama-3.2-1b", 1, 0.6636012376960885},
    {"llama-3.2-1b", 14, 0.003211445994752591},
    {"llama-3.2-1b", 15, 0.001290547928209264},
    {"llama-3.2-1b", 17, 9.70828780262767e-05},
    {"llama-3.2-1b", 18, 1.9461638184831125e-05},
    {"llama-3.2-1b", 31, 9.41830672543491e-08},
    {"llama-3.2-3b", 29, 0.002118406996779608},
    {"llama-3.2-3b", 34, 9.70828780262767e-05},
    {"llama-3.2-3b", 35, 2.3890530884911708e-05},
    {"llama-3.2-3b", 63, 7.672314972286278e-08},
};

TEST(Rope, LlamaScalingGivesTheGoldenFrequencies) {
  for (const Golden& golden : kGolden) {
    const ModelConfig config = known_shape(golden.shape);
    const std::vector<double> found = rope_inverse_frequencies(config.rope, config.head_dim);
    ASSERT_EQ(found.size(), static_cast<std::size_t>(config.head_dim / 2));
    EXPECT_NEAR(found[golden.j], golden.value, golden.value * 4e-15)
        << golden.shape << " " << golden.j;
  }
}

TEST(Rope, LinearScalingDividesEveryFrequency) {
  const std::vector<double> plain = rope_inverse_frequencies({.theta = 10000}, 16);
  const std::vector<double> linear =
      rope_inverse_frequencies({.kind = RopeKind::kLinear, .theta = 10000, .factor = 4}, 16);
  for (std::size_t j = 0; j < plain.size(); ++j) EXPECT_EQ(linear[j] * 4, plain[j]);
}

}  // namespace
}  // namespace assay::engine
