// Normal forms of other graders: equal to what their own code gave on the shared vectors.
#include "evals/extract/math_normal_forms.h"

#include <gtest/gtest.h>

#include "tests/support/shared_data.h"

namespace assay::evals {
namespace {

/// The reference's form; where it raised an error the vectors hold an object.
std::optional<std::string> expected_form(const Json& value) {
  return value.is_string() ? std::optional(value.as_string()) : std::nullopt;
}

TEST(MathNormalForms, EqualTheReferencesOnGoldAnswers) {
  ASSAY_SHARED_OR_SKIP(path, "vectors/math_gold.jsonl");
  const std::vector<Json> rows = test::read_jsonl(path);
  ASSERT_EQ(rows.size(), 981U);
  for (const Json& row : rows) {
    const std::string& gold = row.at("gold").as_string();
    EXPECT_EQ(hendrycks_normal_form(gold), expected_form(row.at("hendrycks_norm"))) << gold;
    EXPECT_EQ(minerva_normal_form(gold), row.at("minerva_norm").as_string()) << gold;
    EXPECT_EQ(hendrycks_normal_form(gold, HendrycksFlavour::kLmEval).value_or(gold),
              row.at("lm_eval_norm").is_string() ? row.at("lm_eval_norm").as_string() : gold)
        << gold;
  }
}

TEST(MathNormalForms, EqualTheReferencesOnPairs) {
  ASSAY_SHARED_OR_SKIP(path, "vectors/math_pairs.jsonl");
  const std::vector<Json> rows = test::read_jsonl(path);
  ASSERT_EQ(rows.size(), 135U);
  for (const Json& row : rows) {
    const std::string& gold = row.at("gold").as_string();
    const std::string& prediction = row.at("pred").as_string();
    const std::string& id = row.at("id").as_string();
    EXPECT_EQ(hendrycks_normal_form(gold), expected_form(row.at("hendrycks_norm_gold"))) << id;
    EXPECT_EQ(hendrycks_normal_form(prediction), expected_form(row.at("hendrycks_norm_pred")))
        << id;
    EXPECT_EQ(hendrycks_equal(gold, prediction), row.at("hendrycks").as_bool()) << id;
    EXPECT_EQ(hendrycks_equal(gold, prediction, HendrycksFlavour::kLmEval),
              row.at("lm_eval_hendrycks").as_bool())
        << id;
    EXPECT_EQ(minerva_normal_form(gold), row.at("minerva_norm_gold").as_string()) << id;
    EXPECT_EQ(minerva_normal_form(prediction), row.at("minerva_norm_pred").as_string()) << id;
    EXPECT_EQ(minerva_normal_form(gold) == minerva_normal_form(prediction),
              row.at("minerva_string_eq").as_bool())
        << id;
  }
}

TEST(HendrycksNormalForm, FlavoursDifferInTheSlashRuleAlone) {
  EXPECT_TRUE(hendrycks_equal("x/2", "x / 2"));
  EXPECT_FALSE(hendrycks_equal("x/2", "x / 2", HendrycksFlavour::kLmEval));
  EXPECT_TRUE(hendrycks_equal("1/2", "0.5", HendrycksFlavour::kLmEval));
}

TEST(HendrycksNormalForm, FailsWhereTheReferenceRaises) {
  EXPECT_FALSE(hendrycks_normal_form("5\\text{ a}\\text{ b}"));
  EXPECT_FALSE(hendrycks_normal_form("\\frac"));
}

TEST(MinervaNormalForm, DamagesCommandsAsTheReferenceDoes) {
  EXPECT_EQ(minerva_normal_form("x=5"), "5");
  EXPECT_EQ(minerva_normal_form("1,2"), "12");
  EXPECT_EQ(minerva_normal_form("\\left(1,2\\right)"), "\\le(1,2\\right)");
}

}  // namespace
}  // namespace assay::evals
