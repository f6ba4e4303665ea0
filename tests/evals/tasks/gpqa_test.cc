// GPQA: orders of the answers, against the reference generator's published digest.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/digest.h"
#include "evals/gpqa/order.h"
#include "tests/support/shared_data.h"

namespace assay::evals {
namespace {

TEST(GpqaOrder, FourRepeatsOfDiamondHaveTheReferenceDigest) {
  ASSAY_SHARED_OR_SKIP(path, "vectors/python_random.jsonl");
  std::string json;
  gpqa::Order last{};
  for (std::int64_t repeat = 0; repeat < 4; ++repeat) {
    for (std::int64_t row = 0; row < 198; ++row) {
      last = gpqa::shown_order(gpqa::OrderRule::kSimpleEvals, {row, 198, repeat});
      json += (json.empty() ? "[" : ", ") + std::string("[");
      for (std::size_t i = 0; i < 4; ++i) json += (i > 0 ? ", " : "") + std::to_string(last[i]);
      json += "]";
    }
  }
  json += "]";
  for (const Json& row : test::read_jsonl(path)) {
    if (row.find("seed") == nullptr || row.at("seed").as_int() != 0) continue;
    const Json::Array& expected_last = row.at("sample4of4_x792_last").as_array();
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(static_cast<std::int64_t>(last[i]), expected_last[i].as_int());
    }
    std::string compact = json;
    std::erase(compact, ' ');
    const std::string& digest = row.at("sample4of4_x792_sha256").as_string();
    EXPECT_TRUE(digest == sha256_hex(json) || digest == sha256_hex(compact));
  }
}

TEST(GpqaOrder, EveryRuleShowsEachAnswerOnce) {
  for (const auto rule : {gpqa::OrderRule::kSimpleEvals, gpqa::OrderRule::kLmEval,
                          gpqa::OrderRule::kHelm, gpqa::OrderRule::kOpenCompass}) {
    for (std::int64_t row = 0; row < 20; ++row) {
      gpqa::Order order = gpqa::shown_order(rule, {row, 20, 0});
      EXPECT_EQ(order[gpqa::correct_position(order)], 0U);
      std::ranges::sort(order);
      EXPECT_EQ(order, (gpqa::Order{0, 1, 2, 3}));
    }
  }
  EXPECT_EQ(gpqa::shown_order(gpqa::OrderRule::kOpenCompass, {6, 9, 0}), (gpqa::Order{2, 3, 0, 1}));
}

}  // namespace
}  // namespace assay::evals
