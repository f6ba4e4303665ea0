// Keys of answers: one for what the grader holds equal, another for what it holds apart.
#include "evals/extract/math_key.h"

#include <gtest/gtest.h>

#include "evals/extract/math_equal.h"
#include "tests/support/shared_data.h"

namespace assay::evals {
namespace {

TEST(MathKey, JoinsDifferentWritingsOfOneAnswer) {
  const std::vector<std::vector<const char*>> classes = {
      {"0.5", R"(\frac12)", R"(\frac{2}{4})", "1/2", "$.5$", "x=0.5"},
      {R"(\frac{1}{\sqrt2})", R"(\frac{\sqrt2}{2})", R"(\sqrt{\frac12})"},
      {R"(\frac{1}{1+\sqrt2})", R"(\sqrt2-1)", R"(-1+\sqrt{2})"},
      {"x+y", "y+x"},
      {R"((x+1)^2)", "x^2+2x+1", "1+2x+x^2"},
      {R"(\frac{1}{x-y})", R"(-\frac{1}{y-x})"},
      {"1,2", "2,1", R"(\{2,1\})", R"(x=1 \text{ or } x=2)"},
      {R"(\pm 2)", "2,-2"},
      {"0<x<1", "(0,1)", R"(x\in(0,1))"},
      {R"(\begin{pmatrix}2\\4\end{pmatrix})", R"(2\begin{bmatrix}1\\2\end{bmatrix})"},
      {R"(\text{Evelyn})", "evelyn"},
      {R"(10\text{ cm})", "10"},
      {"1,000", R"(1000)"},
  };
  std::vector<std::string> keys;
  for (const auto& members : classes) {
    for (const char* member : members) EXPECT_EQ(math_key(member), math_key(members[0])) << member;
    keys.push_back(math_key(members[0]));
  }
  std::sort(keys.begin(), keys.end());
  EXPECT_EQ(std::unique(keys.begin(), keys.end()), keys.end());
}

TEST(MathKey, SeparatesWhatTheGraderHoldsApart) {
  ASSAY_SHARED_OR_SKIP(path, "vectors/math_pairs.jsonl");
  int equal = 0;
  int joined = 0;
  for (const Json& row : test::read_jsonl(path)) {
    const std::string& gold = row.at("gold").as_string();
    const std::string& prediction = row.at("pred").as_string();
    const bool same = math_key(gold) == math_key(prediction);
    if (math_equal(gold, prediction)) {
      ++equal;
      joined += same ? 1 : 0;
    } else if (!row.at("label").is_null()) {
      EXPECT_FALSE(same) << gold << " | " << prediction;
    }
  }
  // The rest are readings that need the other side.
  EXPECT_GE(joined * 100, equal * 90) << joined << " of " << equal;
}

}  // namespace
}  // namespace assay::evals
