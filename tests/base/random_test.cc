#include "base/random.h"

#include <gtest/gtest.h>

namespace assay {
namespace {

// Known answers published with Random123 (kat_vectors, philox 4x32-10).
TEST(Philox, KnownAnswers) {
  using Counter = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (Counter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (Counter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
}

TEST(SplitMix64, BoundedDrawsCoverTheRange) {
  SplitMix64 random(1);
  std::array<int, 7> seen{};
  for (int i = 0; i < 700; ++i) ++seen[random.below(7)];
  for (const int count : seen) EXPECT_GT(count, 50);
}

}  // namespace
}  // namespace assay
