#include "engine/ops/gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/random.h"

namespace assay::engine {
namespace {

struct Shape {
  WeightType type;
  std::int64_t rows, shards, shard_used, tokens;
};

void PrintTo(const Shape& s, std::ostream* out) {
  *out << (s.type == WeightType::kBf16 ? "bf16 " : "e4m3 ") << s.rows << "x" << s.shards << "*"
       << s.shard_used << ", " << s.tokens << " tokens";
}

struct Problem {
  PackedMatrix w;
  std::vector<bf16> a;
  std::vector<float> a_scale;
};

float uniform(SplitMix64& random) { return static_cast<float>(random.uniform() * 2 - 1); }

Problem make_problem(const Shape& s, std::uint64_t seed) {
  SplitMix64 random(seed);
  Problem p;
  p.w = make_packed_matrix(s.type, s.rows, s.shards, s.shard_used);
  std::vector<float> row(static_cast<std::size_t>(p.w.inputs()));
  for (std::int64_t n = 0; n < s.rows; ++n) {
    for (float& value : row) value = uniform(random);
    pack_row(cpu_kernels(), p.w, n, row, 1.0F / 448 * (1 + 0.25F * uniform(random)));
  }
  p.a.assign(static_cast<std::size_t>(s.tokens * p.w.padded_inputs()), 0);
  for (std::int64_t m = 0; m < s.tokens; ++m) {
    for (std::int64_t i = 0; i < p.w.inputs(); ++i) {
      const std::int64_t k = i / s.shard_used * p.w.shard_k + i % s.shard_used;
      p.a[static_cast<std::size_t>(m * p.w.padded_inputs() + k)] = float_to_bf16(uniform(random));
    }
    for (std::int64_t i = 0; i < s.shards; ++i) p.a_scale.push_back(1 + 0.5F * uniform(random));
  }
  return p;
}

std::vector<float> run(const Problem& p, const Shape& s, CpuContext* context, bool finish = true) {
  std::vector<float> out(static_cast<std::size_t>(s.tokens * p.w.padded_rows()));
  GemmArgs args;
  args.a = p.a.data();
  args.a_scale = p.a_scale.data();
  args.w = &p.w;
  args.out = out.data();
  args.ldo = p.w.padded_rows();
  args.rows = s.tokens;
  args.out_bf16 = false;
  args.finish = finish;
  context == nullptr ? gemm_ref(args) : gemm_cpu(*context, args);
  return out;
}

constexpr WeightType kB = WeightType::kBf16;
constexpr WeightType kF = WeightType::kE4m3;
// Odd shapes: one row, part panels, odd inputs, inputs below and just above a block and a chain,
// every count of tokens around the register tile, shards.
const Shape kShapes[] = {
    {kB, 1, 1, 1, 1},     {kB, 65, 1, 63, 2},   {kB, 64, 1, 128, 3}, {kB, 100, 1, 129, 5},
    {kB, 70, 8, 22, 7},   {kB, 64, 2, 130, 13}, {kB, 130, 4, 64, 6}, {kB, 64, 1, 384, 129},
    {kF, 1, 1, 1, 1},     {kF, 65, 1, 63, 2},   {kF, 64, 1, 128, 1}, {kF, 100, 1, 129, 5},
    {kF, 70, 8, 22, 7},   {kF, 64, 2, 256, 2},  {kF, 130, 4, 65, 4}, {kF, 64, 1, 384, 129},
    {kF, 192, 8, 128, 1}, {kF, 64, 1, 256, 8},
};

class GemmTest : public testing::TestWithParam<std::string> {};

TEST_P(GemmTest, EqualsTheReferenceBitForBitOnOddShapes) {
  const FlushSubnormals flush;
  CpuContext context(cpu_kernels(GetParam()), 2, gemm_scratch_floats());
  for (const Shape& shape : kShapes) {
    const Problem p = make_problem(shape, 7);
    for (const bool finish : {true, false}) {
      const std::vector<float> expected = run(p, shape, nullptr, finish);
      const std::vector<float> actual = run(p, shape, &context, finish);
      for (std::int64_t m = 0; m < shape.tokens; ++m) {
        for (std::int64_t n = 0; n < shape.rows; ++n) {
          const auto i = static_cast<std::size_t>(m * p.w.padded_rows() + n);
          ASSERT_EQ(actual[i], expected[i])
              << testing::PrintToString(shape) << " token " << m << " row " << n;
        }
      }
    }
  }
}

TEST_P(GemmTest, ARowDoesNotDependOnTheOthersOfItsBatch) {
  const FlushSubnormals flush;
  CpuContext context(cpu_kernels(GetParam()), 1, gemm_scratch_floats());
  for (const WeightType type : {kB, kF}) {
    const Shape many{type, 96, 8, 128, 131};
    Problem p = make_problem(many, 11);
    const std::vector<float> all = run(p, many, &context);
    for (const std::int64_t m : {0, 1, 64, 125, 126, 130}) {
      Shape one = many;
      one.tokens = 1;
      Problem single = make_problem(one, 11);
      std::memcpy(single.a.data(), p.a.data() + m * p.w.padded_inputs(),
                  single.a.size() * sizeof(bf16));
      std::memcpy(single.a_scale.data(), p.a_scale.data() + m * 8, 8 * sizeof(float));
      std::swap(single.w, p.w);
      const std::vector<float> alone = run(single, one, &context);
      std::swap(single.w, p.w);
      EXPECT_EQ(std::memcmp(alone.data(), all.data() + m * p.w.padded_rows(),
                            alone.size() * sizeof(float)),
                0)
          << m;
    }
  }
}

TEST_P(GemmTest, IsCloseToTheDoublePrecisionProduct) {
  const FlushSubnormals flush;
  CpuContext context(cpu_kernels(GetParam()), 1, gemm_scratch_floats());
  const Shape shape{kF, 64, 1, 1024, 4};
  const Problem p = make_problem(shape, 3);
  const std::vector<float> actual = run(p, shape, &context);
  for (std::int64_t m = 0; m < shape.tokens; ++m) {
    for (std::int64_t n = 0; n < shape.rows; ++n) {
      double sum = 0;
      double magnitude = 0;
      for (std::int64_t k = 0; k < 1024; ++k) {
        const double term = static_cast<double>(packed_value(p.w, n, k)) *
                            bf16_to_float(p.a[static_cast<std::size_t>(m * 1024 + k)]);
        sum += term;
        magnitude += std::fabs(term);
      }
      const double scale = static_cast<double>(p.a_scale[static_cast<std::size_t>(m)]) *
                           p.w.row_scale[static_cast<std::size_t>(n)];
      // 64 additions in a chain, 8 block sums and 2 scales: about 75 roundings of 2^-24 at most.
      EXPECT_NEAR(actual[static_cast<std::size_t>(m * 64 + n)], sum * scale,
                  magnitude * scale * 75 * 0x1p-24);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, GemmTest, testing::ValuesIn(available_cpu_kernels()),
                         [](const auto& p) { return p.param; });

TEST(PackedMatrix, GivesBackWhatWasPacked) {
  SplitMix64 random(5);
  PackedMatrix m = make_packed_matrix(kB, 70, 1, 37);
  for (std::int64_t n = 0; n < 70; ++n) {
    std::vector<float> row(37);
    for (float& v : row) v = bf16_to_float(float_to_bf16(uniform(random)));
    pack_row(cpu_kernels(), m, n, row, 1);
    std::vector<bf16> back(37);
    unpack_row(m, n, back.data());
    for (std::size_t k = 0; k < row.size(); ++k) {
      EXPECT_EQ(bf16_to_float(back[k]), row[k]);
      EXPECT_EQ(packed_value(m, n, static_cast<std::int64_t>(k)), row[k]);
    }
  }
}

}  // namespace
}  // namespace assay::engine
