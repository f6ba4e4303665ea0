// HumanEval against what the reference harnesses gave: extraction rule by rule, verdicts program by
// program.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <functional>
#include <map>
#include <thread>

#include "base/text.h"
#include "evals/benchmark.h"
#include "evals/extract/python_text.h"
#include "evals/humaneval/reference_code.h"
#include "evals/sandbox/sandbox_client.h"
#include "tests/evals/sandbox/sandbox_or_skip.h"
#include "tests/support/shared_data.h"

namespace assay::evals {
namespace {

Sandbox& sandbox() {
  static const std::unique_ptr<Sandbox> made = make_sandbox({});
  return *made;
}

std::map<std::string, Sample> samples(const std::filesystem::path& path) {
  std::map<std::string, Sample> out;
  for (const Json& line : test::read_jsonl(path)) {
    datasets::Record record;
    record.fields = line;
    Sample sample = find_benchmark("humaneval").to_sample(record);
    out.emplace(sample.id, std::move(sample));
  }
  return out;
}

/// Calls `work(i)` for every i below `count` from three threads.
void each(std::size_t count, const std::function<void(std::size_t)>& work) {
  sandbox();
  std::atomic<std::size_t> next = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = next++; i < count; i = next++) work(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

Score score(const Sample& sample, const std::string& text, const char* protocol) {
  const Benchmark& benchmark = find_benchmark("humaneval");
  const ScoreContext context{
      .protocol = &find_protocol(benchmark, protocol), .sandbox = &sandbox(), .answer_after = ""};
  Response response;
  response.text = text;
  return benchmark.score(sample, response, context);
}

TEST(HumanEval, ExtractionAgreesWithTheReferences) {
  ASSAY_SHARED_OR_SKIP(path, "vectors/humaneval_extraction.jsonl");
  ASSAY_SHARED_OR_SKIP(data, "datasets/humaneval/HumanEval.jsonl.gz");
  const auto all = samples(data);
  int compared = 0;
  for (const Json& line : test::read_jsonl(path)) {
    const std::string& response = line.at("response").as_string();
    const Sample& sample = all.at(line.at("task_id").as_string());
    const Json& extract = line.at("extract");
    const std::string& id = line.at("id").as_string();
    EXPECT_EQ(sample.question + humaneval::until_fence(response),
              extract.at("lm_eval_instruct_program").as_string())
        << id;
    const std::pair<const char*, std::string (*)(std::string_view)> rules[] = {
        {"simple_evals_completion", humaneval::simple_evals_completion},
        {"opencompass_v2", humaneval::opencompass_v2},
        {"opencompass_v3", humaneval::opencompass_v3},
        {"opencompass_internal_v1", humaneval::opencompass_internal_v1},
        {"opencompass_internal_v2", humaneval::opencompass_internal_v2},
        {"bigcode_stop", humaneval::bigcode_completion},
        {"evalplus_code_extract", humaneval::evalplus_code},
    };
    for (const auto& [name, rule] : rules) {
      EXPECT_EQ(rule(response), extract.at(name).as_string()) << id << ' ' << name;
      ++compared;
    }
  }
  EXPECT_EQ(compared, 42 * 7);
}

TEST(HumanEval, VerdictsOnExtractedProgramsAgree) {
  ASSAY_SANDBOX_OR_SKIP();
  ASSAY_SHARED_OR_SKIP(path, "vectors/humaneval_extraction.jsonl");
  ASSAY_SHARED_OR_SKIP(data, "datasets/humaneval/HumanEval.jsonl.gz");
  const auto all = samples(data);
  const std::vector<Json> lines = test::read_jsonl(path);
  each(lines.size(), [&](std::size_t i) {
    const Json& line = lines[i];
    const Sample& sample = all.at(line.at("task_id").as_string());
    for (const auto& [protocol, key] : {std::pair{"simple-evals", "simple_evals"},
                                        std::pair{"lm-eval-instruct", "lm_eval_instruct"},
                                        std::pair{"opencompass", "opencompass_v2_as_completion"},
                                        std::pair{"evalplus", "evalplus_code_extract"}}) {
      const Score got = score(sample, line.at("response").as_string(), protocol);
      const bool passed = line.at("verdict").at(key).as_string() == "passed";
      EXPECT_EQ(got.verdict == Verdict::kCorrect, passed)
          << line.at("id").as_string() << " " << protocol << ": " << got.reason;
    }
  });
}

// Every wrapping of a right answer that holds the whole function or its body is understood.
TEST(HumanEval, OwnRulesFindTheProgramInEveryWrapping) {
  ASSAY_SANDBOX_OR_SKIP();
  ASSAY_SHARED_OR_SKIP(path, "vectors/humaneval_extraction.jsonl");
  ASSAY_SHARED_OR_SKIP(data, "datasets/humaneval/HumanEval.jsonl.gz");
  const auto all = samples(data);
  const std::vector<Json> lines = test::read_jsonl(path);
  each(lines.size(), [&](std::size_t i) {
    const Json& line = lines[i];
    const Score got =
        score(all.at(line.at("task_id").as_string()), line.at("response").as_string(), "assay");
    const bool expected = line.at("kind").as_string() != "prose_only";
    EXPECT_EQ(got.verdict == Verdict::kCorrect, expected)
        << line.at("id").as_string() << " " << line.at("kind").as_string() << ": " << got.reason
        << " [" << got.detail.at("rule").as_string() << "]";
  });
}

TEST(HumanEval, ExecutionAgreesWithTheOriginal) {
  ASSAY_SANDBOX_OR_SKIP();
  ASSAY_SHARED_OR_SKIP(path, "vectors/humaneval_execution.jsonl");
  ASSAY_SHARED_OR_SKIP(data, "datasets/humaneval/HumanEval.jsonl.gz");
  const auto all = samples(data);
  const std::vector<Json> lines = test::read_jsonl(path);
  each(lines.size(), [&](std::size_t i) {
    const Json& line = lines[i];
    const Sample& sample = all.at(line.at("task_id").as_string());
    const SandboxResult result =
        sandbox().run({.source = sample.question + line.at("completion").as_string(),
                       .reference = sample.question,
                       .test = sample.extra.at("test").as_string(),
                       .entry_point = sample.extra.at("entry_point").as_string()});
    EXPECT_EQ(result.outcome == SandboxOutcome::kPassed, line.at("passed").as_bool())
        << line.at("id").as_string() << ": " << result.detail;
  });
}

/// Lines of the standard output of a shell command.
std::vector<Json> command_lines(const std::string& command) {
  FILE* const pipe = popen(command.c_str(), "r");  // NOLINT(cert-env33-c): our own scripts
  if (pipe == nullptr) return {};
  std::string text;
  std::array<char, 65536> buffer{};
  for (std::size_t count = 0; (count = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    text.append(buffer.data(), count);
  }
  EXPECT_EQ(pclose(pipe), 0) << command;
  std::vector<Json> lines;
  for (const std::string_view line : split(text, '\n')) {
    if (!line.empty()) lines.push_back(parse_json(line, "output"));
  }
  return lines;
}

// What the original protocol says of each program stands in its line: exec in one process, 3 s.
TEST(HumanEval, VerdictsOnMutatedSolutionsEqualTheOriginalProtocols) {
  ASSAY_SANDBOX_OR_SKIP();
  ASSAY_SHARED_OR_SKIP(data, "datasets/humaneval/HumanEval.jsonl.gz");
  const std::string scripts = ASSAY_SANDBOX_SCRIPTS;
  if (access((scripts + "/mutate.py").c_str(), R_OK) != 0) {
    GTEST_SKIP() << "this user cannot read " << scripts;
  }
  const std::string python = "/usr/bin/python3 " + scripts;
  const std::vector<Json> lines =
      command_lines(python + "/mutate.py " + data.string() + " 328 1 | " + python +
                    "/original_protocol.py " + data.string());
  ASSERT_EQ(lines.size(), 328U);
  const auto all = samples(data);
  std::atomic<int> right = 0;
  each(lines.size(), [&](std::size_t i) {
    const Sample& sample = all.at(lines[i].at("task_id").as_string());
    const std::string& completion = lines[i].at("completion").as_string();
    const SandboxResult result =
        sandbox().run({.source = sample.question + completion,
                       .reference = sample.question,
                       .test = sample.extra.at("test").as_string(),
                       .entry_point = sample.extra.at("entry_point").as_string()});
    right += lines[i].at("passed").as_bool() ? 1 : 0;
    EXPECT_EQ(result.outcome == SandboxOutcome::kPassed, lines[i].at("passed").as_bool())
        << sample.id << ": " << lines[i].at("result").as_string() << " there, here "
        << static_cast<int>(result.outcome) << " " << result.detail << "\n"
        << completion;
  });
  // Some changes change nothing that the tests see; without them the test would show little.
  EXPECT_GE(right, 10);
}

TEST(HumanEval, LabelledAnswersAgreeButForOne) {
  ASSAY_SANDBOX_OR_SKIP();
  ASSAY_SHARED_OR_SKIP(path, "labelled/humaneval/reflexion.simple_1_gpt-4_pass_at_k_1_py.jsonl.gz");
  ASSAY_SHARED_OR_SKIP(data, "datasets/humaneval/HumanEval.jsonl.gz");
  const auto all = samples(data);
  const std::vector<Json> lines = test::read_jsonl(path);
  std::atomic<int> passed = 0;
  each(lines.size(), [&](std::size_t i) {
    const std::string& id = lines[i].at("task_id").as_string();
    const Score got = score(all.at(id), lines[i].at("solution").as_string(), "assay");
    const bool right = got.verdict == Verdict::kCorrect;
    passed += right ? 1 : 0;
    const bool agrees = right == lines[i].at("is_solved").as_bool();
    EXPECT_EQ(agrees, id != "HumanEval/133") << id << ": " << got.reason;
  });
  EXPECT_EQ(passed, 140);
}

std::string words_of(const std::string& text) {
  std::string out;
  const std::u32string characters = to_code_points(text);
  for (const std::u32string_view word : python_split(std::u32string_view(characters))) {
    out += to_utf8(word) + " ";
  }
  return out;
}

// The default protocol on all problems; under the others the gold program is found as it stands.
TEST(HumanEval, GoldAnswersPassAndThoseOfTheNextProblemDoNot) {
  ASSAY_SANDBOX_OR_SKIP();
  ASSAY_SHARED_OR_SKIP(data, "datasets/humaneval/HumanEval.jsonl.gz");
  const Benchmark& benchmark = find_benchmark("humaneval");
  std::vector<Sample> all;
  for (auto& [id, sample] : samples(data)) all.push_back(sample);
  ASSERT_EQ(all.size(), 164U);
  std::atomic<int> passed = 0;
  std::atomic<int> shifted = 0;
  each(2 * all.size(), [&](std::size_t i) {
    const Sample& sample = all[i / 2];
    const Sample& other = all[(i / 2 + i % 2) % all.size()];
    const bool right = score(sample, benchmark.gold_response(other, {}).text, "assay").verdict ==
                       Verdict::kCorrect;
    (i % 2 == 0 ? passed : shifted) += right ? 1 : 0;
  });
  EXPECT_EQ(passed, 164);
  EXPECT_EQ(shifted, 0);
  for (const Protocol& protocol : benchmark.protocols()) {
    for (const Sample& sample : all) {
      const ScoreContext context{.protocol = &protocol, .answer_after = "", .sample_id = ""};
      const Score gold = benchmark.score(sample, benchmark.gold_response(sample, context), context);
      // Blanks aside: one of the rules drops empty lines.
      EXPECT_NE(words_of(gold.answer).find(words_of(sample.target)), std::string::npos)
          << sample.id << '@' << protocol.name << ": " << gold.answer;
    }
  }
}

TEST(HumanEval, WithoutASandboxAnAnswerIsUnscored) {
  ASSAY_SANDBOX_OR_SKIP();
  const Benchmark& benchmark = find_benchmark("humaneval");
  Sample sample;
  sample.extra.set("entry_point", "f");
  sample.extra.set("test", "");
  EXPECT_EQ(benchmark.score(sample, {}, {}).verdict, Verdict::kUnscored);
}

}  // namespace
}  // namespace assay::evals
