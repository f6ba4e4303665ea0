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
  std::int64_t group = 0, first_input = 0;
  ActivationType activations = ActivationType::kBf16;
};

void PrintTo(const Shape& s, std::ostream* out) {
  constexpr const char* kNames[] = {"bf16 ", "e4m3 ", "int8 ", "int4 ", "e2m1 ", "compressed "};
  *out << kNames[static_cast<int>(s.type)] << s.rows << "x" << s.shards << "*" << s.shard_used
       << " group " << s.group << " from " << s.first_input << ", " << s.tokens << " tokens";
}

struct Problem {
  PackedMatrix w;
  std::vector<bf16> a;
  std::vector<float> a_scale;
};

float uniform(SplitMix64& random) { return static_cast<float>(random.uniform() * 2 - 1); }

/// A code of the type, of all that it has.
float random_code(WeightType type, SplitMix64& random) {
  const auto bits = static_cast<std::uint8_t>(random());
  if (type == WeightType::kInt8) return static_cast<float>(static_cast<std::int8_t>(bits));
  if (type == WeightType::kInt4) return static_cast<float>(bits & 15U);
  if (type == WeightType::kE2m1) return e2m1_to_float(bits & 15U);
  return e4m3_to_float((bits & 0x7FU) == 0x7F ? std::uint8_t{0} : bits);
}

void fill_codes(PackedMatrix& w, const Shape& s, SplitMix64& random) {
  if (s.group > 0) set_groups(w, s.group, s.first_input);
  std::vector<float> codes(static_cast<std::size_t>(w.inputs()));
  const auto groups = s.group == 0 ? 0U : static_cast<std::size_t>(w.inputs() / s.group + 2);
  std::vector<float> scales(groups);
  std::vector<std::uint8_t> zeros(groups);
  for (std::int64_t n = 0; n < s.rows; ++n) {
    for (float& code : codes) code = random_code(s.type, random);
    for (float& scale : scales) {
      // Scales of E2M1 are such that products are BF16 values.
      scale = s.type == WeightType::kE2m1 ? e4m3_to_float(static_cast<e4m3>(8 + random.below(100)))
                                          : 1 + 0.5F * uniform(random);
    }
    for (std::uint8_t& zero : zeros) zero = static_cast<std::uint8_t>(random.below(16));
    pack_codes(cpu_kernels(), w, n,
               {.codes = codes, .group_scale = scales, .zero_points = zeros, .row_scale = 0.01F});
  }
}

/// Now and then zero, subnormal in BF16 or, so seldom that a matrix is still compressed, of an
/// exponent that has no code.
float compressible(SplitMix64& random) {
  const float x = uniform(random);
  switch (random.below(400)) {
    case 0:
      return 0;
    case 1:
      return -0.0F;
    case 2:
      return x * 0x1p-126F;
    case 3:
      return x * 0x1p-20F;
    case 4:
      return x * 0x1p-100F;
    default:
      return x + (x < 0 ? -0.01F : 0.01F);
  }
}

Problem make_problem(const Shape& s, std::uint64_t seed) {
  SplitMix64 random(seed);
  Problem p;
  const bool compressed = s.type == WeightType::kBf16Compressed;
  p.w = make_packed_matrix(compressed ? WeightType::kBf16 : s.type, s.rows, s.shards, s.shard_used);
  p.w.activations = s.activations;
  const bool plain = s.group == 0 && (p.w.is_bf16() || s.type == WeightType::kE4m3);
  if (!plain) fill_codes(p.w, s, random);
  std::vector<float> row(static_cast<std::size_t>(p.w.inputs()));
  for (std::int64_t n = 0; plain && n < s.rows; ++n) {
    for (float& value : row) value = compressed ? compressible(random) : uniform(random);
    pack_row(cpu_kernels(), p.w, n, row, 1.0F / 448 * (1 + 0.25F * uniform(random)));
  }
  if (compressed) {
    ThreadTeam team(2);
    compress_matrix(cpu_kernels(), p.w, team);
    EXPECT_EQ(p.w.type, WeightType::kBf16Compressed) << testing::PrintToString(s);
  }
  p.a.assign(static_cast<std::size_t>(s.tokens * p.w.padded_inputs()), 0);
  for (std::int64_t m = 0; m < s.tokens; ++m) {
    for (std::int64_t i = 0; i < p.w.inputs(); ++i) {
      const std::int64_t k = i / s.shard_used * p.w.shard_k + i % s.shard_used;
      const float x =
          is_int8(s.activations) ? std::nearbyint(127 * uniform(random)) : uniform(random);
      p.a[static_cast<std::size_t>(m * p.w.padded_inputs() + k)] = float_to_bf16(x);
    }
    for (std::int64_t i = 0; i < p.w.input_scales(); ++i)
      p.a_scale.push_back(1 + 0.5F * uniform(random));
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
constexpr WeightType kC = WeightType::kBf16Compressed;
// Odd shapes: one row, part panels, odd inputs, inputs below and just above a block and a chain,
// every count of tokens around the register tile, shards.
const Shape kShapes[] = {
    {kB, 1, 1, 1, 1},     {kB, 65, 1, 63, 2},    {kB, 64, 1, 128, 3},  {kB, 100, 1, 129, 5},
    {kB, 70, 8, 22, 7},   {kB, 64, 2, 130, 13},  {kB, 130, 4, 64, 6},  {kB, 64, 1, 384, 129},
    {kF, 1, 1, 1, 1},     {kF, 65, 1, 63, 2},    {kF, 64, 1, 128, 1},  {kF, 100, 1, 129, 5},
    {kF, 70, 8, 22, 7},   {kF, 64, 2, 256, 2},   {kF, 130, 4, 65, 4},  {kF, 64, 1, 384, 129},
    {kF, 192, 8, 128, 1}, {kF, 64, 1, 256, 8},   {kC, 1, 1, 1, 1},     {kC, 65, 1, 63, 2},
    {kC, 64, 1, 128, 1},  {kC, 100, 1, 129, 5},  {kC, 70, 8, 22, 7},   {kC, 64, 2, 256, 2},
    {kC, 130, 4, 65, 4},  {kC, 64, 1, 384, 129}, {kC, 192, 8, 128, 1}, {kC, 64, 1, 512, 8},
    {kC, 70, 2, 256, 3},  {kC, 64, 1, 260, 7},   {kF, 70, 2, 256, 3},  {kF, 64, 1, 260, 7},
    {kC, 64, 4, 128, 4},  {kC, 64, 1, 128, 5},   {kC, 64, 1, 128, 6},  {kF, 64, 1, 128, 4},
    {kF, 64, 1, 128, 5},  {kF, 64, 1, 128, 6},
};

constexpr WeightType kI8 = WeightType::kInt8;
constexpr WeightType kI4 = WeightType::kInt4;
constexpr WeightType k4 = WeightType::kE2m1;
constexpr ActivationType kBlocks = ActivationType::kE4m3Group;
constexpr ActivationType kInt = ActivationType::kInt8Token;
// Groups that end inside a shard, a block, a chain and a pair; parts that begin inside a group.
const Shape kGrouped[] = {
    {kI8, 1, 1, 1, 1, 0, 0, kInt},
    {kI8, 70, 8, 22, 7, 0, 0, kInt},
    {kI8, 64, 1, 4000, 3, 0, 0, kInt},
    {kI8, 65, 2, 130, 129},
    {kI8, 64, 1, 256, 2, 128, 0},
    {kF, 64, 1, 256, 1, 128, 0, kBlocks},
    {kF, 130, 8, 80, 9, 128, 0, kBlocks},
    {kF, 70, 8, 22, 127, 128, 0, kBlocks},
    {kF, 65, 4, 80, 3, 128, 320, kBlocks},
    {kF, 64, 1, 300, 4, 48, 0},
    {kI4, 1, 1, 1, 1, 128, 0},
    {kI4, 64, 1, 256, 1, 128, 0},
    {kI4, 130, 8, 80, 7, 128, 0},
    {kI4, 65, 2, 33, 2, 32, 66},
    {kI4, 64, 1, 300, 129, 31, 0},
    {k4, 1, 1, 1, 1, 16, 0},
    {k4, 64, 1, 256, 1, 16, 0},
    {k4, 130, 8, 80, 7, 32, 0},
    {k4, 65, 8, 13, 3, 16, 0},
    {k4, 70, 2, 33, 129, 32, 66},
};

class GemmTest : public testing::TestWithParam<std::string> {};

TEST_P(GemmTest, EqualsTheReferenceBitForBitOnOddShapes) {
  const FlushSubnormals flush;
  CpuContext context(cpu_kernels(GetParam()), 2, gemm_scratch_floats());
  std::vector<Shape> shapes(std::begin(kShapes), std::end(kShapes));
  shapes.insert(shapes.end(), std::begin(kGrouped), std::end(kGrouped));
  for (const Shape& shape : shapes) {
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
  for (const Shape& many :
       {Shape{kB, 96, 8, 128, 131}, Shape{kF, 96, 8, 128, 131}, Shape{kC, 96, 8, 128, 131},
        Shape{kI8, 96, 8, 128, 131, 0, 0, kInt}, Shape{kF, 96, 8, 80, 131, 128, 0, kBlocks},
        Shape{kI4, 96, 8, 80, 131, 128}, Shape{k4, 96, 8, 80, 131, 16}}) {
    Problem p = make_problem(many, 11);
    const auto scales = static_cast<std::size_t>(p.w.input_scales());
    const std::vector<float> all = run(p, many, &context);
    for (const std::int64_t m : {0, 1, 64, 125, 126, 130}) {
      Shape one = many;
      one.tokens = 1;
      Problem single = make_problem(one, 11);
      std::memcpy(single.a.data(), p.a.data() + m * p.w.padded_inputs(),
                  single.a.size() * sizeof(bf16));
      std::memcpy(single.a_scale.data(), p.a_scale.data() + static_cast<std::size_t>(m) * scales,
                  scales * sizeof(float));
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

/// 600 rows of BF16 values.
PackedMatrix plain_matrix(SplitMix64& random, float (*value)(SplitMix64&)) {
  PackedMatrix m = make_packed_matrix(kB, 600, 1, 131);
  for (std::int64_t n = 0; n < m.rows; ++n) {
    std::vector<float> row(131);
    for (float& v : row) v = value(random);
    pack_row(cpu_kernels(), m, n, row, 1);
  }
  return m;
}

std::vector<bf16> rows_of(const PackedMatrix& m) {
  std::vector<bf16> out(static_cast<std::size_t>(m.rows * m.inputs()));
  for (std::int64_t n = 0; n < m.rows; ++n) unpack_row(m, n, out.data() + n * m.inputs());
  return out;
}

TEST_P(GemmTest, CompressesWithoutLoss) {
  SplitMix64 random(6);
  PackedMatrix m = plain_matrix(random, compressible);
  const std::vector<bf16> before = rows_of(m);
  const std::int64_t bytes = m.bytes();
  ThreadTeam team(2);
  compress_matrix(cpu_kernels(GetParam()), m, team);
  ASSERT_EQ(m.type, kC);
  EXPECT_GT(m.exceptions.size(), 100U);
  EXPECT_EQ(m.bytes() * 4, bytes * 3);
  EXPECT_EQ(rows_of(m), before);
  for (std::int64_t n = 0; n < m.rows; ++n) {
    for (std::int64_t k = 0; k < m.inputs(); ++k) {
      ASSERT_EQ(float_to_bf16(packed_value(m, n, k)),
                before[static_cast<std::size_t>(n * m.inputs() + k)]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, GemmTest, testing::ValuesIn(available_cpu_kernels()),
                         [](const auto& p) { return p.param; });

TEST(PackedMatrix, StaysAsItIsWhereExponentsDiffer) {
  SplitMix64 random(6);
  PackedMatrix m = plain_matrix(
      random, [](SplitMix64& r) { return std::ldexp(uniform(r), -static_cast<int>(r.below(60))); });
  const std::vector<bf16> before = rows_of(m);
  ThreadTeam team(2);
  compress_matrix(cpu_kernels(), m, team);
  EXPECT_EQ(m.type, kB);
  EXPECT_TRUE(m.exceptions.empty());
  EXPECT_EQ(rows_of(m), before);
}

TEST(PackedMatrix, KeepsInfinityAndNan) {
  SplitMix64 random(6);
  PackedMatrix m = plain_matrix(random, compressible);
  for (const float odd : {INFINITY, -INFINITY, NAN}) {
    std::vector<float> row(131, odd);
    pack_row(cpu_kernels(), m, 70, row, 1);
    const std::vector<bf16> before = rows_of(m);
    ThreadTeam team(1);
    compress_matrix(cpu_kernels(), m, team);  // beside infinity all else of the panel has no code
    EXPECT_EQ(m.type, kB);
    EXPECT_EQ(rows_of(m), before);
  }
}

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
