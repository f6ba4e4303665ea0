// MGSM: the reference extractions in eleven languages, and the lenient reading of numbers.
#include <gtest/gtest.h>

#include "evals/extract/mgsm_answer.h"
#include "evals/extract/number_answer.h"
#include "tests/support/shared_data.h"

namespace assay::evals {
namespace {

struct Judged {
  std::string answer;
  bool right;
};

Judged judge(const std::string& rule, const std::string& response, const MgsmLanguage& language,
             const std::string& gold) {
  if (rule == "simple-evals") {
    const std::string answer = mgsm_simple_evals(response, language);
    return {answer, mgsm_simple_evals_match(answer, gold)};
  }
  std::string answer;
  if (rule.ends_with("flexible-extract")) answer = gsm8k_lm_eval_flexible(response);
  if (rule == "lm_eval_direct/remove_whitespace") answer = mgsm_direct(response);
  if (rule == "lm_eval_native_cot/strict-match") answer = mgsm_native_strict(response, language);
  if (rule == "lm_eval_en_cot/strict-match") {
    answer = mgsm_native_strict(response, *find_mgsm_language("en"));
  }
  return {answer, mgsm_lm_eval_match(answer, gold)};
}

TEST(MgsmVectors, EveryReferenceExtractsAndJudgesAlike) {
  ASSAY_SHARED_OR_SKIP(path, "vectors/mgsm.jsonl");
  int compared = 0;
  for (const Json& row : test::read_jsonl(path)) {
    if (row.find("response") == nullptr) continue;
    const MgsmLanguage& language = *find_mgsm_language(row.at("lang").as_string());
    const std::string& response = row.at("response").as_string();
    for (const auto& [rule, expected] : row.at("extract").as_object()) {
      const Judged judged = judge(rule, response, language, row.at("gold").as_string());
      EXPECT_EQ(judged.answer, expected.as_string()) << rule << " on " << response;
      EXPECT_EQ(judged.right, row.at("match").at(rule).as_bool()) << rule << " on " << response;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 55 * 7);
}

TEST(MgsmLenient, ReadsDigitsAndMarksOfTheLanguage) {
  const std::vector<std::tuple<std::string, std::string, std::string>> cases = {
      {"bn", "উত্তর: ৬৪", "64"},
      {"de", "Antwort: 1.234 km2", "1234"},
      {"de", "Antwort: 22,0", "22"},
      {"de", "Antwort: 114,200", "114200"},
      {"en", "Answer: 1,234.50", "1234.5"},
      {"en", "Answer: 1.234", "1.234"},
      {"fr", "Re\u0301ponse : 7", "7"},
      {"es", "son 8 en total", "8"},
      {"zh", "答案：６４", "64"},
      {"ru", "Ответ: -5", "-5"}};
  for (const auto& [code, text, expected] : cases) {
    EXPECT_EQ(mgsm_lenient(text, *find_mgsm_language(code)), expected) << text;
  }
}

}  // namespace
}  // namespace assay::evals
