// Extraction of the answer: the reference harnesses' rules on the shared vectors, and what our own
// rule forgives.
#include "evals/extract/boxed.h"

#include <gtest/gtest.h>

#include "evals/extract/math_equal.h"
#include "evals/extract/math_extraction.h"
#include "tests/support/shared_data.h"

namespace assay::evals {
namespace {

void expect_text(const Json& expected, const std::optional<std::string>& found,
                 const std::string& what) {
  const std::optional<std::string> want =
      expected.is_null() ? std::nullopt : std::optional(expected.as_string());
  EXPECT_EQ(found, want) << what;
}

TEST(MathExtraction, AgreesWithTheReferencesOnEveryVector) {
  ASSAY_SHARED_OR_SKIP(path, "vectors/math_extraction.jsonl");
  const std::vector<Json> rows = test::read_jsonl(path);
  ASSERT_FALSE(rows.empty());
  for (const Json& row : rows) {
    const std::string& response = row.at("response").as_string();
    const std::string& id = row.at("id").as_string();
    const Json& extract = row.at("extract");
    expect_text(extract.at("lm_eval_boxed"), boxed_upstream(response), id + " boxed");
    expect_text(extract.at("meta_recipe_boxed"), boxed_upstream(response), id + " meta");
    expect_text(extract.at("minerva_final_answer"), minerva_final_answer(response), id);
    expect_text(extract.at("lm_eval_hendrycks_dollar"), between_dollars(response), id + " dollar");
    expect_text(extract.at("simple_evals_answer_line"), answer_line(response), id + " line");
    expect_text(extract.at("opencompass_boxed"), boxed_opencompass(response, false), id + " oc");
    expect_text(extract.at("opencompass_boxed_strip2"), boxed_opencompass(response, true),
                id + " oc strip2");
  }
}

// Math-Verify's answer is a parsed expression; ours is text that means the same.
TEST(MathExtraction, FindsTheAnswerThatMathVerifyFinds) {
  ASSAY_SHARED_OR_SKIP(path, "vectors/math_extraction.jsonl");
  for (const Json& row : test::read_jsonl(path)) {
    const Json& expected = row.at("extract").at("math_verify");
    const Json::Array& texts = expected.at("text").as_array();
    const std::optional<std::string> found = math_verify_answer(row.at("response").as_string());
    const std::string& id = row.at("id").as_string();
    if (texts.empty()) {
      EXPECT_EQ(found, std::nullopt) << id;
    } else if (!expected.at("expr").as_array().empty()) {
      // A stray brace and "1 and 1", as its own normalisation leaves them.
      std::string text = texts[0].as_string();
      if (text == "5}") text = "5";
      ASSERT_TRUE(found) << id;
      EXPECT_TRUE(math_equal(text, *found)) << id << ": " << text << " | " << *found;
    }
  }
}

TEST(BoxedLenient, TakesTheLastBoxAndNamesWhatItForgave) {
  struct Case {
    const char* response;
    const char* content;
    const char* leniency;
  };
  constexpr Case kCases[] = {
      {"so $\\boxed{42}$.", "42", ""},
      {"\\boxed{1} then \\boxed{2}", "2", ""},
      {"\\boxed{ 7 }", "7", ""},
      {"\\boxed{\\frac{1}{2}}", "\\frac{1}{2}", ""},
      {"\\boxed {5}", "5", "space before brace"},
      {"\\boxed 5", "5", "one token"},
      {"$\\boxed5$", "5", "one token"},
      {"$\\boxed\\pi$", "\\pi", "one token"},
      {"\\\\boxed{5}", "5", "doubled backslash"},
      {"\\fbox{3}", "3", ""},
      {"$\\boxed{\\boxed{4}}$", "4", ""},
      {"\\boxed{}", "", ""},
  };
  for (const Case& test : kCases) {
    const std::optional<BoxedAnswer> found = boxed_lenient(test.response);
    ASSERT_TRUE(found) << test.response;
    EXPECT_EQ(found->content, test.content) << test.response;
    EXPECT_EQ(found->leniency, test.leniency) << test.response;
  }
}

TEST(BoxedLenient, FindsNothingInATruncatedOrMissingBox) {
  for (const char* response :
       {"", "42", "\\boxed", "\\boxed{", "\\boxed{\\frac{1}{2}", "\\boxed$"}) {
    EXPECT_FALSE(boxed_lenient(response)) << response;
  }
}

TEST(MinervaFinalAnswer, MayLackTheClosingWordsAfterAFinalDot) {
  EXPECT_EQ(minerva_final_answer("Final Answer: The final answer is $5$. "), "$5$");
  EXPECT_EQ(minerva_final_answer("Final Answer: The final answer is $5$."), "[invalidanswer]");
}

}  // namespace
}  // namespace assay::evals
