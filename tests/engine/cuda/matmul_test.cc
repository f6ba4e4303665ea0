// Matrix products of every kind against scalar code: odd rows, tokens around each tile, shards.
#include <gtest/gtest.h>

#include <vector>

#include "engine/ops/device_gemm.h"
#include "engine/ops/gemm_wgmma.h"
#include "tests/engine/cuda/random_product.h"

namespace assay::engine {
namespace {

using test::folded;
using test::Problem;
using test::Shape;

const Shape kShapes[] = {
    {false, false, 1, 1, 1, 1},
    {false, false, 65, 1, 130, 3},
    {false, false, 70, 8, 22, 17},
    {true, true, 1, 1, 1, 1},
    {true, true, 65, 1, 130, 9},
    {true, true, 70, 8, 22, 5},
    {true, true, 130, 8, 129, 20},
    {true, true, 64, 1, 256, 40},
    {true, false, 65, 1, 130, 7},
    {true, false, 33, 8, 40, 12},
    {false, false, 64, 1, 256, 70},
    {true, true, 130, 1, 128, 130},
    {true, true, 66, 8, 20, 66},
    // Several tiles of outputs, an odd number of them; one token more than a tile.
    {true, true, 300, 1, 200, 129},
    {false, false, 200, 8, 16, 129},
};

class MatmulCuda : public testing::TestWithParam<Shape> {};

TEST_P(MatmulCuda, ExactEqualsTheCpuReferenceForEveryNumberOfParts) {
  const Shape& shape = GetParam();
  const Problem problem(shape);
  const auto exact = [](const DeviceGemmArgs& args) { gemm_exact_cuda(nullptr, args); };
  const FlushSubnormals flush;
  EXPECT_EQ(problem.run(exact, GemmOut::kFloat, 1), problem.expected(true));
  const auto sums = problem.expected(false);
  for (int parts = 1; parts <= shape.shards; parts *= 2) {
    EXPECT_EQ(folded(problem.run(exact, GemmOut::kParts, parts), sums.size()), sums) << parts;
  }
}

TEST_P(MatmulCuda, MmaStaysWithinItsToleranceAndDoesNotDependOnTokensOrParts) {
  const Shape& shape = GetParam();
  const Problem problem(shape);
  const auto mma = [](const DeviceGemmArgs& args) { gemm_mma_cuda(nullptr, args); };
  const FlushSubnormals flush;
  const auto out = problem.run(mma, GemmOut::kFloat, 1);
  const auto expected = problem.expected(true);
  const auto magnitude = problem.magnitudes();
  for (std::size_t i = 0; i < out.size(); ++i) {
    ASSERT_NEAR(out[i], expected[i], magnitude[i] * 0x1p-20F) << i;
  }
  const auto one = problem.run(mma, GemmOut::kFloat, 1, 1);
  for (std::size_t i = 0; i < one.size(); ++i) ASSERT_EQ(one[i], out[i]) << i;
  const auto sums = problem.run(mma, GemmOut::kParts, 1);
  EXPECT_EQ(folded(problem.run(mma, GemmOut::kParts, shape.shards), sums.size()), sums);
}

TEST_P(MatmulCuda, WgmmaStaysWithinItsToleranceAndDoesNotDependOnTokensOrParts) {
  const Shape& shape = GetParam();
  if (use_device(0).capability != 90) GTEST_SKIP() << "needs compute capability 9.0";
  if (shape.w_is_e4m3 != shape.a_is_e4m3) return;
  const Problem problem(shape);
  TensorMaps maps;
  const auto wgmma = [&](const DeviceGemmArgs& args) {
    gemm_wgmma_cuda(nullptr, args, maps, {.pairs = false, .fold = false, .wide = false});
  };
  const FlushSubnormals flush;
  const auto out = problem.run(wgmma, GemmOut::kFloat, 1);
  const auto expected = problem.expected(true);
  const auto magnitude = problem.magnitudes();
  for (std::size_t i = 0; i < out.size(); ++i) {
    // 13 fraction bits, truncated five times in 128 products; BF16 as mma.sync.
    ASSERT_NEAR(out[i], expected[i], magnitude[i] * (shape.a_is_e4m3 ? 0x1p-10F : 0x1p-20F)) << i;
  }
  maps = {};
  const auto one = problem.run(wgmma, GemmOut::kFloat, 1, 1);
  for (std::size_t i = 0; i < one.size(); ++i) ASSERT_EQ(one[i], out[i]) << i;
  const auto sums = problem.run(wgmma, GemmOut::kParts, 1);
  for (int parts = 2; parts <= shape.shards; parts *= 2) {
    maps = {};
    EXPECT_EQ(folded(problem.run(wgmma, GemmOut::kParts, parts), sums.size()), sums) << parts;
  }
  if (shape.a_is_e4m3) return;
  const auto mma = [](const DeviceGemmArgs& args) { gemm_mma_cuda(nullptr, args); };
  EXPECT_EQ(out, problem.run(mma, GemmOut::kFloat, 1));
}

/// The bits with `options` are those of blocks that work alone.
void expect_bits_of_single_blocks(const Shape& shape, const WgmmaOptions& options) {
  if (shape.w_is_e4m3 != shape.a_is_e4m3) return;
  const Problem problem(shape);
  const auto with = [&](const WgmmaOptions& chosen) {
    return [chosen](const DeviceGemmArgs& args) {
      TensorMaps maps;
      gemm_wgmma_cuda(nullptr, args, maps, chosen);
    };
  };
  const auto alone = with({.pairs = false, .fold = false, .wide = false});
  const FlushSubnormals flush;
  EXPECT_EQ(problem.run(with(options), GemmOut::kFloat, 1), problem.run(alone, GemmOut::kFloat, 1));
  const auto sums = problem.run(alone, GemmOut::kParts, 1);
  for (int parts = 1; parts <= shape.shards; parts *= 2) {
    EXPECT_EQ(folded(problem.run(with(options), GemmOut::kParts, parts), sums.size()), sums)
        << parts;
  }
}

TEST_P(MatmulCuda, PairsOfBlocksGiveTheSameBits) {
  if (use_device(0).capability != 90) GTEST_SKIP() << "needs compute capability 9.0";
  if (GetParam().shards == 1 && GetParam().tokens <= 64) return;  // no block has a neighbour
  expect_bits_of_single_blocks(GetParam(), {.pairs = true, .fold = false, .wide = false});
}

TEST_P(MatmulCuda, ClustersFoldToTheSameBits) {
  if (use_device(0).capability != 90) GTEST_SKIP() << "needs compute capability 9.0";
  if (GetParam().shards == 1 || GetParam().tokens > 64) return;  // nothing is folded
  expect_bits_of_single_blocks(GetParam(), {.pairs = false, .fold = true, .wide = false});
}

// More tiles of tokens than run together, the last strip narrower; an odd tile of outputs.
TEST(MatmulCudaStrips, PairsOfBlocksReachEveryTile) {
  if (use_device(0).capability != 90) GTEST_SKIP() << "needs compute capability 9.0";
  const Problem problem({false, false, 260, 1, 40, 1700});
  TensorMaps maps;
  const auto wgmma = [&](const DeviceGemmArgs& args) {
    gemm_wgmma_cuda(nullptr, args, maps, {.pairs = true, .fold = false, .wide = false});
  };
  const auto mma = [](const DeviceGemmArgs& args) { gemm_mma_cuda(nullptr, args); };
  const FlushSubnormals flush;
  EXPECT_EQ(problem.run(wgmma, GemmOut::kFloat, 1), problem.run(mma, GemmOut::kFloat, 1));
}

/// Tiles of 192 tokens, the last one partly empty, alone and in pairs with an odd tile of outputs:
/// the bits of tiles of 128, and of each token alone.
TEST(MatmulCudaWide, WideTilesGiveTheSameBits) {
  if (use_device(0).capability != 90) GTEST_SKIP() << "needs compute capability 9.0";
  const FlushSubnormals flush;
  for (const bool e4m3 : {true, false}) {
    for (const int tokens : {192, 260}) {
      const Problem problem({e4m3, e4m3, 260, 1, 140, tokens});
      const auto with = [&](const WgmmaOptions& options, int some) {
        TensorMaps maps;
        return problem.run(
            [&](const DeviceGemmArgs& args) { gemm_wgmma_cuda(nullptr, args, maps, options); },
            GemmOut::kFloat, 1, some);
      };
      const WgmmaOptions narrow{.pairs = false, .fold = false, .wide = false};
      const auto expected = with(narrow, tokens);
      for (const bool pairs : {false, true}) {
        // Three tiles of outputs on as many multiprocessors: wide ones take fewer rounds.
        const WgmmaOptions wide{.pairs = pairs, .fold = false, .wide = true, .multiprocessors = 3};
        EXPECT_EQ(with(wide, tokens), expected) << e4m3 << tokens << pairs;
      }
      const auto one = with(narrow, 1);
      for (std::size_t i = 0; i < one.size(); ++i) ASSERT_EQ(one[i], expected[i]) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, MatmulCuda, testing::ValuesIn(kShapes));

}  // namespace
}  // namespace assay::engine
