// Published prompts and results: both forms, joins, and what is refused.
#include "evals/published.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/digest.h"
#include "evals/benchmark.h"
#include "tests/support/shared_data.h"

namespace assay::evals {
namespace {

const std::string kPrompt =
    "<|start_header_id|>user<|end_header_id|>\n\nSay: what is 2+3?<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n";

std::string meta_line(const std::string& question, const std::string& task,
                      const std::string& extra = "") {
  return fmt::format(
      R"({{"subtask_name": {}, "input_question": {}, "input_final_prompts": [{}], )"
      R"("input_final_prompts_hash": ["{}"], "output_prediction_text": ["It is 5."], )"
      R"("output_parsed_answer": "5", "is_correct": true{}}})",
      json_quote(task), json_quote(question), json_quote(kPrompt), sha256_hex(kPrompt), extra);
}

TEST(PublishedSet, ReadsMetaSetsAndJoinsByQuestion) {
  const std::string text = meta_line("What  is\n2+3?", "en") + "\n" + meta_line("other", "en");
  ASSERT_TRUE(PublishedSet::looks_published(text));
  const PublishedSet set(text, "evals.jsonl");
  const Sample sample{.id = "a", .question = "What is 2+3?", .choices = {}};
  const PublishedItem* item = set.find(sample);
  ASSERT_NE(item, nullptr);
  EXPECT_EQ(item->response, "It is 5.");
  EXPECT_EQ(item->correct, true);
  const Prompt prompt = set.prompt(sample);
  EXPECT_EQ(prompt.form, PromptForm::kRendered);
  EXPECT_EQ(prompt.text, kPrompt);
}

TEST(PublishedSet, JoinsByTheUserTurnWhereTheQuestionIsWrittenOtherwise) {
  const PublishedSet set(meta_line("[{\"role\": \"user\"}]", "ifeval"), "evals.jsonl");
  EXPECT_NE(set.find({.question = "Say: what is 2+3?", .choices = {}}), nullptr);
}

TEST(PublishedSet, OfEqualQuestionsTakesThoseWithTheSameChoicesThenTheSameGroup) {
  const auto choices = [](const char* a, const char* b) {
    return fmt::format(R"(, "input_choice_list": {{"A": "{}", "B": "{}"}})", a, b);
  };
  const PublishedSet set(meta_line("q", "mmlu_chat.anatomy", choices("x", "y")) + "\n" +
                             meta_line("q", "mmlu_chat.virology", choices("y", "z")) + "\n" +
                             meta_line("q", "mmlu_chat.virology", choices("x", "y")),
                         "evals.jsonl");
  EXPECT_EQ(set.find({.group = "anatomy", .question = "q", .choices = {"y", "x"}})->line, 1);
  EXPECT_EQ(set.find({.group = "anatomy", .question = "q", .choices = {"z", "y"}})->line, 2);
  EXPECT_EQ(set.find({.group = "virology", .question = "q", .choices = {"x", "y"}})->line, 3);
}

TEST(PublishedSet, ReadsSampleLogsOfLmEval) {
  const std::string generated =
      R"({"doc_id": 0, "doc": {"question": "q1"}, "target": "5", )"
      R"("arguments": [["Q: q1\nA:", {"until": ["Q:"]}]], )"
      R"("resps": [["5."]], "filtered_resps": ["5"], "exact_match": 1.0})";
  const std::string likelihood =
      R"({"doc_id": 1, "doc": {"question": "q2", "subject": "anatomy", "choices": ["a", "b"]}, )"
      R"("arguments": {"gen_args_0": {"arg_0": "q2\nAnswer:", "arg_1": " A"}, )"
      R"("gen_args_1": {"arg_0": "q2\nAnswer:", "arg_1": " B"}}, )"
      R"("resps": [[["-1.0", "True"]], [["-2.0", "False"]]], "acc": 0.0})";
  const PublishedSet set(generated + "\n" + likelihood, "samples.jsonl");
  EXPECT_EQ(set.prompt({.question = "q1", .choices = {}}).text, "Q: q1\nA:");
  EXPECT_EQ(set.prompt({.question = "q1", .choices = {}}).form, PromptForm::kText);
  EXPECT_EQ(set.items()[0].response, "5.");
  EXPECT_EQ(set.items()[0].correct, true);
  const Prompt prompt = set.prompt({.question = "q2", .choices = {"a", "b"}});
  EXPECT_EQ(prompt.continuations, (std::vector<std::string>{" A", " B"}));
  EXPECT_EQ(set.items()[1].correct, false);
}

TEST(PublishedSet, RefusesWhatDoesNotFitWithFileAndLine) {
  std::string wrong = meta_line("q", "t");
  wrong.replace(wrong.find(sha256_hex(kPrompt)), 4, "0000");
  EXPECT_NE(test::error_message([&] { PublishedSet(wrong, "f"); }).find("f:1: "),
            std::string::npos);
  EXPECT_NE(
      test::error_message([&] { PublishedSet(meta_line("q", "t") + "\n{}", "f"); }).find("f:2: "),
      std::string::npos);
  const PublishedSet set(meta_line("q", "t"), "f");
  EXPECT_NE(
      test::error_message([&] { (void)set.prompt({.id = "x/1", .question = "no"}); }).find("x/1"),
      std::string::npos);
  EXPECT_FALSE(PublishedSet::looks_published("{\n \"meta\": {}}"));
  EXPECT_FALSE(PublishedSet::looks_published("{\"id\": \"a\", \"response\": \"b\"}"));
}

TEST(PublishedSet, GpqaVerdictsFollowThePublishedOrder) {
  const std::string line = meta_line(
      "q", "gpqa", R"(, "input_choice_list": {"A": "w1", "B": "right ", "C": "w2", "D": "w3"})");
  const PublishedSet set(line, "f");
  Sample sample{.id = "gpqa/diamond/x", .question = "q", .choices = {"right", "w1", "w2", "w3"}};
  sample.extra.set("row", 0);
  sample.extra.set("split", "diamond");
  const Benchmark& gpqa = find_benchmark("gpqa");
  const Score score = gpqa.score(set.annotated(sample), {.text = "The best answer is B."}, {});
  EXPECT_EQ(score.verdict, Verdict::kCorrect);
  EXPECT_EQ(score.detail.at("target").as_string(), "B");
}

}  // namespace
}  // namespace assay::evals
