// Attention against the plain softmax in double precision, over ragged batches, pages in any order,
// grouped heads, both kinds of cache; and a row's bits whatever else is in the batch.
#include "engine/ops/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "base/random.h"

namespace assay::engine {
namespace {

struct Case {
  std::int64_t heads, kv_heads, head_dim;
  KvType kv;
};

/// Sequences that are `computed` tokens long and get `rows` more.
struct Shape {
  std::int64_t computed, rows;
};

class Problem {
 public:
  Problem(const Case& c, std::vector<Shape> shapes, std::uint64_t seed)
      : case_(c), cache_({.layers = 2, .kv_heads = c.kv_heads, .head_dim = c.head_dim}, c.kv, 64) {
    SplitMix64 random(seed);
    std::vector<std::int32_t> numbers(64);
    std::iota(numbers.begin(), numbers.end(), 0);
    for (std::size_t i = numbers.size() - 1; i > 0; --i) {
      std::swap(numbers[i], numbers[random() % (i + 1)]);
    }
    std::int64_t row = 0;
    for (const Shape& shape : shapes) {
      const std::int64_t tokens = shape.computed + shape.rows;
      std::vector<std::int32_t> pages;
      for (std::int64_t page = 0; page * kPageTokens < tokens; ++page) {
        pages.push_back(numbers.back());
        numbers.pop_back();
      }
      pages_.push_back(pages);
      for (std::int64_t token = 0; token < tokens; ++token) store(random, pages, token);
      sequences_.push_back({row, shape.rows, shape.computed, {}});
      row += shape.rows;
    }
    for (std::size_t i = 0; i < pages_.size(); ++i) sequences_[i].pages = pages_[i];
    q_.resize(static_cast<std::size_t>(row * width()));
    for (bf16& value : q_) value = draw(random);
  }

  std::int64_t rows() const { return sequences_.back().first_row + sequences_.back().rows; }
  std::int64_t width() const { return case_.heads * case_.head_dim; }

  AttentionArgs args(std::vector<bf16>& out) const {
    out.assign(static_cast<std::size_t>(rows() * width() + 16), 0);
    return {.q = q_.data(),
            .ld = width(),
            .out = out.data(),
            .ldo = width(),
            .layer = 1,
            .sequences = sequences_,
            .heads = case_.heads,
            .kv_heads = case_.kv_heads,
            .head_dim = case_.head_dim};
  }

  std::vector<bf16> run(CpuContext& context) const {
    std::vector<bf16> out;
    attention_cpu(context, cache_, args(out));
    return out;
  }

  /// The row `row` of sequence `s` alone, as a step of its own.
  std::vector<bf16> run_alone(CpuContext& context, std::size_t s, std::int64_t row) const {
    std::vector<bf16> out;
    AttentionArgs one = args(out);
    SequenceRows sequence = sequences_[s];
    sequence.first_row += row;
    sequence.first_position += row;
    sequence.rows = 1;
    one.sequences = {&sequence, 1};
    attention_cpu(context, cache_, one);
    return out;
  }

  std::vector<double> reference() const {
    std::vector<bf16> unused;
    std::vector<double> out(static_cast<std::size_t>(rows() * width()));
    attention_ref(cache_, args(unused), out.data());
    return out;
  }
  const std::vector<SequenceRows>& sequences() const { return sequences_; }

 private:
  static bf16 draw(SplitMix64& random) {
    return float_to_bf16(static_cast<float>(random.uniform() * 4 - 2));
  }

  void store(SplitMix64& random, const std::vector<std::int32_t>& pages, std::int64_t token) {
    std::vector<bf16> key(static_cast<std::size_t>(case_.head_dim));
    std::vector<bf16> value(key.size());
    for (std::int64_t head = 0; head < case_.kv_heads; ++head) {
      for (bf16& x : key) x = draw(random);
      for (bf16& x : value) x = draw(random);
      cache_.store(1, pages[static_cast<std::size_t>(token / kPageTokens)], head,
                   token % kPageTokens, key.data(), value.data());
    }
  }

  Case case_;
  KvCache cache_;
  std::vector<std::vector<std::int32_t>> pages_;
  std::vector<SequenceRows> sequences_;
  std::vector<bf16> q_;
};

const Case kCases[] = {{4, 2, 64, KvType::kBf16},  {4, 2, 64, KvType::kFp8},
                       {8, 1, 128, KvType::kBf16}, {8, 1, 128, KvType::kFp8},
                       {3, 3, 8, KvType::kBf16},   {16, 1, 24, KvType::kFp8}};
// Around a page's end, around a tile of 16 query tokens, long beside short.
const std::vector<Shape> kShapes = {{0, 1},    {63, 1},  {64, 1}, {0, 65},
                                    {100, 17}, {300, 3}, {5, 16}};

class AttentionTest : public testing::TestWithParam<std::string> {
 protected:
  CpuContext context_{cpu_kernels(GetParam()), 2, attention_scratch_floats(16, 128)};
};

TEST_P(AttentionTest, IsTheSoftmaxToTheRoundingOfItsNumeratorsAndResult) {
  const FlushSubnormals flush;
  for (const Case& c : kCases) {
    const Problem problem(c, kShapes, 3);
    const std::vector<bf16> actual = problem.run(context_);
    const std::vector<double> expected = problem.reference();
    for (std::size_t i = 0; i < expected.size(); ++i) {
      // Values are at most 2, each numerator is off by at most 2^-8 of itself, above and below the
      // line, and the result by 2^-8; the FP32 scores of up to 60 in base 2 add a part in 10^4.
      const double mean = std::abs(expected[i]);
      ASSERT_NEAR(bf16_to_float(actual[i]), expected[i], (2 + mean) / 256 + mean / 256 + 2e-4)
          << c.heads << "/" << c.kv_heads << " heads of " << c.head_dim << ", element " << i;
    }
  }
}

TEST_P(AttentionTest, ARowDoesNotDependOnItsStepAndAllKernelsGiveTheSameBits) {
  const FlushSubnormals flush;
  CpuContext portable(cpu_kernels("scalar"), 1, attention_scratch_floats(16, 128));
  for (const Case& c : kCases) {
    const Problem problem(c, kShapes, 5);
    const std::vector<bf16> all = problem.run(context_);
    EXPECT_EQ(all, problem.run(portable));
    for (std::size_t s = 0; s < problem.sequences().size(); ++s) {
      const SequenceRows& sequence = problem.sequences()[s];
      for (std::int64_t row = 0; row < sequence.rows; row += 7) {
        const std::vector<bf16> alone = problem.run_alone(context_, s, row);
        const std::int64_t at = (sequence.first_row + row) * problem.width();
        EXPECT_TRUE(
            std::equal(all.begin() + at, all.begin() + at + problem.width(), alone.begin() + at))
            << "sequence " << s << " row " << row;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, AttentionTest, testing::ValuesIn(available_cpu_kernels()),
                         [](const auto& p) { return p.param; });

}  // namespace
}  // namespace assay::engine
