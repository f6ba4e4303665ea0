// The number of ranks changes no bit with sums over eighths, and does without: every head layout of
// the published models, and fewer KV heads than ranks.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/cpu_executor.h"
#include "tests/engine/answers.h"
#include "tests/engine/layouts.h"

namespace assay::engine {
namespace {

using test::Answers;
using test::Ask;

constexpr std::int64_t kPages = 24;
constexpr std::int64_t kContext = 256;

struct Case {
  const char* setting;
  KvType kv;
};
constexpr Case kCases[] = {{"bf16", KvType::kBf16},      {"fp8", KvType::kFp8},
                           {"fp8", KvType::kBf16},       {"fp8-tensor", KvType::kFp8},
                           {"w8a16-fp8", KvType::kBf16}, {"fp8-block", KvType::kFp8}};

Answers with_ranks(const ModelConfig& config, const Case& one, int ranks, RowSums sums,
                   const std::vector<Ask>& all) {
  const PrecisionSetting setting = find_setting(one.setting);
  CpuExecutor executor(config, test::LoudWeights(),
                       {.setting = &setting,
                        .kv = one.kv,
                        .ranks = ranks,
                        .sums = sums,
                        .threads = 1,
                        .context = kContext,
                        .pages = kPages,
                        .max_rows = 48});
  return test::answer(executor, kPages, all, 8, false);
}

TEST(Ranks, EveryHeadLayoutGivesTheSameBitsWith1248Ranks) {
  for (const test::Layout& layout : test::layouts()) {
    const ModelConfig config = test::small_model(layout);
    const std::vector<Ask> all = test::asks(config.vocab, 70);
    for (const Case& one : kCases) {
      const Answers alone = with_ranks(config, one, 1, RowSums::kEighths, all);
      for (const int ranks : {2, 4, 8}) {
        test::expect_same(with_ranks(config, one, ranks, RowSums::kEighths, all), alone,
                          fmt::format("{} {} {} ranks", layout.name, one.setting, ranks));
      }
    }
  }
}

/// Without, FP8 results are those of another arithmetic for each number of ranks, and close. (In
/// BF16 the order of a sum shows only where it crosses a boundary between BF16 values.)
TEST(Ranks, SumsOfWholeRanksDifferInBitsAndLittleElse) {
  const ModelConfig config = test::small_model({"8B", 32, 8, false});
  const std::vector<Ask> all = test::asks(config.vocab, 70);
  for (const Case& one : {kCases[0], kCases[2]}) {
    const Answers tree = with_ranks(config, one, 1, RowSums::kEighths, all);
    std::vector<Answers> seen = {tree};
    for (const int ranks : {1, 2, 4}) {
      const Answers own = with_ranks(config, one, ranks, RowSums::kRanks, all);
      // Codes 2^-4 apart and sums of few inputs: a few hundredths.
      EXPECT_LT(test::largest_difference(own, tree, all), 0.1) << one.setting << ranks;
      for (const Answers& other : seen) {
        if (one.setting == std::string("bf16")) break;
        EXPECT_GT(test::largest_difference(own, other, all), 0) << one.setting << ranks;
      }
      seen.push_back(own);
    }
    // A rank's part is an eighth when there are eight of them.
    test::expect_same(with_ranks(config, one, 8, RowSums::kRanks, all), tree, one.setting);
  }
}

}  // namespace
}  // namespace assay::engine
