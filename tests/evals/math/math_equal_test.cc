// The grader on labelled pairs, on all gold answers, and on hostile input.
#include "evals/extract/math_equal.h"

#include <gtest/gtest.h>

#include "base/text.h"
#include "evals/extract/boxed.h"
#include "tests/support/shared_data.h"

namespace assay::evals {
namespace {

TEST(MathEqual, AgreesWithLabelledPairs) {
  ASSAY_SHARED_OR_SKIP(path, "vectors/math_pairs.jsonl");
  int labelled = 0;
  int agreed = 0;
  for (const Json& row : test::read_jsonl(path)) {
    if (row.at("label").is_null()) continue;
    const std::string& gold = row.at("gold").as_string();
    const std::string& prediction = row.at("pred").as_string();
    const bool expected = row.at("label").as_int() == 1;
    const bool found = math_equal(gold, prediction);
    ++labelled;
    agreed += found == expected ? 1 : 0;
    EXPECT_EQ(found, expected) << gold << " | " << prediction;
  }
  EXPECT_GE(agreed * 100, labelled * 98);
}

TEST(MathEqual, EveryGoldAnswerEqualsItsVariants) {
  ASSAY_SHARED_OR_SKIP(path, "datasets/math/test.jsonl.gz");
  for (const Json& row : test::read_jsonl(path)) {
    const std::optional<BoxedAnswer> box = boxed_lenient(row.at("solution").as_string());
    ASSERT_TRUE(box) << row.at("idx").as_int();
    const std::string& gold = box->content;
    EXPECT_TRUE(math_equal(gold, gold)) << gold;
    EXPECT_TRUE(math_equal(gold, "$" + gold + "$")) << gold;
    EXPECT_TRUE(math_equal(gold, replace_all(gold, "\\frac", "\\dfrac"))) << gold;
    EXPECT_TRUE(math_equal(gold, replace_all(replace_all(gold, "\\left", ""), "\\right", "")))
        << gold;
    EXPECT_TRUE(math_equal(gold, replace_all(gold, "+", " + "))) << gold;
  }
}

TEST(MathEqual, HostileInputEndsAndIsNotEqual) {
  const std::string braces(100'000, '{');
  const std::string long_text(1'000'000, 'x');
  for (const std::string& text :
       {std::string("2^{2^{2^{100}}}"), braces, long_text, std::string("1e999999999"),
        std::string("(x+y+z+1)^{5000}"), std::string("99999!"),
        std::string("x^{99999999999999999999}"),
        // cut off where something must follow
        std::string("x_"), std::string("204_"), std::string("x_{1"), std::string("2^"),
        std::string("\\frac{1}"), std::string("\\begin"), std::string("10 cm^")}) {
    EXPECT_FALSE(math_equal(text, "5"));
    EXPECT_TRUE(math_equal(text, text));
  }
}

}  // namespace
}  // namespace assay::evals
