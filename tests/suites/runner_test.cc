// The runner on a made-up model: what is asked, stored and resumed, without an engine.
#include "suites/runner.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>

#include "base/file.h"
#include "evals/benchmark.h"
#include "suites/interrupt.h"
#include "tests/support/shared_data.h"

namespace assay::suites {
namespace {

/// Answers each GSM8K question with "The answer is <n>." and counts what it was asked.
class FakeGenerator : public engine::Generator {
 public:
  FakeGenerator(std::string digest, std::atomic<int>& asked, int interrupt_after)
      : asked_(asked), interrupt_after_(interrupt_after) {
    info_.name = "fake";
    info_.digest = std::move(digest);
    info_.setting = "bf16";
    info_.kv = "bf16";
    info_.device = "cpu";
  }
  const engine::ModelInfo& info() const override { return info_; }
  void run(std::span<const engine::Request> requests, const engine::CompletionSink& sink) override {
    for (std::size_t i = requests.size(); i-- > 0;) {  // last first: order must not matter
      engine::Completion completion;
      completion.prompt_ids = {1, 2, 3};
      completion.text = "The answer is " + std::to_string(requests[i].id.size()) + ".";
      completion.ids = {static_cast<engine::TokenId>(i)};
      completion.finish_reason = engine::FinishReason::kEos;
      if (++asked_ == interrupt_after_) set_interrupt_for_test(SIGINT);
      if (!sink(i, std::move(completion))) return;
    }
  }

 private:
  engine::ModelInfo info_;
  std::atomic<int>& asked_;
  int interrupt_after_;
};

class Runner : public ::testing::Test {
 protected:
  void SetUp() override {
    set_interrupt_for_test(0);
    std::filesystem::create_directories(folder_.path() / "gsm8k");
    write_questions(40);
    write_suite(R"(["bf16"])", 0);
  }
  void write_questions(int count) {
    std::string rows;
    for (int i = 0; i < count; ++i) {
      rows += R"({"question": "q)" + std::to_string(i) + R"(", "answer": "#### 14"})" + "\n";
    }
    write_file_atomic(folder_.path() / "gsm8k/test.jsonl", rows);
  }
  void TearDown() override { set_interrupt_for_test(0); }

  void write_suite(const std::string& settings, int limit, const std::string& engine = "{}") {
    write_file_atomic(folder_.path() / "s.jsonc",
                      R"({"assay_suite": 1, "name": "s", "model": "m", "engine": )" + engine +
                          R"(, "settings": )" + settings +
                          R"(, "tasks": [{"task": "gsm8k@assay-0shot", "custom_data": true,)" +
                          R"( "limit": )" + std::to_string(limit) + "}]}");
  }

  std::vector<RunReport> run(int interrupt_after = -1, const std::string& digest = "d",
                             bool fresh = false) {
    asked_ = 0;
    RunnerOptions options;
    options.plan.data = folder_.path();
    options.fresh = fresh;
    options.build.version = "1";
    if (stop_after_ > 0) {
      options.early_stopping = [&](const store::RunRecord&, auto tasks) {
        EXPECT_EQ(tasks.size(), 1U);
        return EarlyStopping{.baseline = "base", .decided = [&](const store::RunTaskRecord& task) {
                               looks_.push_back(std::ssize(open().stored_keys(task.row)));
                               return looks_.back() >= stop_after_;
                             }};
      };
    }
    options.make_generator = [&](const engine::EngineOptions& engine) {
      fast_ = engine.fast;
      return std::make_unique<FakeGenerator>(digest, asked_, interrupt_after);
    };
    store::Store store = store::Store::open(folder_.path() / "r.db", store::OpenMode::kCreate);
    return run_suite(load_suite(folder_.path() / "s.jsonc"), store, options);
  }

  store::Store open() {
    return store::Store::open(folder_.path() / "r.db", store::OpenMode::kReadOnly);
  }

  test::TemporaryFolder folder_;
  std::atomic<int> asked_{0};
  bool fast_ = false;                // of the engine's options, last time
  std::int64_t stop_after_ = 0;      // responses; 0: no early stopping
  std::vector<std::int64_t> looks_;  // responses stored when it was asked to decide
};

/// What a fast engine answered is not bit for bit what another would have: neither goes on with
/// the other's run.
TEST_F(Runner, AFastRunNeitherContinuesAnotherNorIsContinuedByIt) {
  EXPECT_THROW(run(10), Error);
  EXPECT_FALSE(fast_);
  const std::string plain = open().list_runs().front().name;
  set_interrupt_for_test(0);
  write_suite(R"(["bf16"])", 0, R"({"fast": true})");
  EXPECT_THROW(run(10), Error);
  EXPECT_TRUE(fast_);
  ASSERT_EQ(open().list_runs().size(), 2U);
  set_interrupt_for_test(0);
  write_suite(R"(["bf16"])", 0);
  const auto again = run();
  EXPECT_EQ(again[0].run, plain);
  EXPECT_LT(asked_, 40);
  for (const store::RunRecord& stored : open().list_runs()) {
    EXPECT_EQ(stored.status == store::RunStatus::kDone, stored.name == plain);
    const store::RunRecord whole = open().load_run(stored.name);
    EXPECT_EQ(whole.engine.at("fast").as_bool(), stored.name != plain);
  }
}

TEST_F(Runner, StoresAndScoresEverySample) {
  const auto reports = run();
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports[0].unscored, 0);
  EXPECT_EQ(asked_, 40);
  const store::Store store = open();
  const store::RunRecord stored = store.load_run(reports[0].run);
  EXPECT_EQ(stored.status, store::RunStatus::kDone);
  const auto tasks = store.load_tasks(stored.row);
  ASSERT_EQ(tasks.size(), 1U);
  int correct = 0;
  std::int64_t position = 0;
  store.for_each_sample(tasks[0].row, {}, [&](const store::SampleRecord& sample) {
    EXPECT_EQ(sample.generation.position, position++);
    EXPECT_EQ(sample.item.key, "gsm8k/test/" + std::to_string(position - 1));
    EXPECT_TRUE(sample.score.has_value());
    correct += sample.score->verdict == store::Verdict::kCorrect ? 1 : 0;
    return true;
  });
  // "gsm8k/test/10".size() is 13, "gsm8k/test/1".size() is 12: no answer is 14 here.
  EXPECT_EQ(correct, 0);
  EXPECT_EQ(position, 40);
}

TEST_F(Runner, AnInterruptedRunContinuesWithoutRepeatingAFinishedSample) {
  EXPECT_THROW(run(15), Error);
  const int first = asked_;
  EXPECT_EQ(first, 15);
  set_interrupt_for_test(0);
  const auto reports = run();
  EXPECT_EQ(first + asked_, 40);
  EXPECT_EQ(reports[0].unscored, 0);
  const store::Store store = open();
  EXPECT_EQ(store.list_runs().size(), 1U);
  EXPECT_EQ(store.load_run(reports[0].run).attempts, 2);
}

/// So many that the first are scored, were they posted while the last are still read: the thread
/// sanitizer would tell of two threads in one store.
TEST_F(Runner, WhatWasStoredWithoutAVerdictIsScoredWithoutAskingAgain) {
  constexpr int kQuestions = 10000;
  write_questions(kQuestions);
  EXPECT_THROW(run(kQuestions - 1), Error);
  // As a kill between an answer and its verdict leaves it.
  SQLite::Database(folder_.path() / "r.db", SQLite::OPEN_READWRITE)
      .exec("DELETE FROM score_part; DELETE FROM score");
  set_interrupt_for_test(0);
  EXPECT_EQ(run()[0].unscored, 0);
  EXPECT_EQ(asked_, 1);
}

TEST_F(Runner, AFinishedCommandMeansANewMeasurement) {
  const std::string first = run()[0].run;
  EXPECT_NE(run()[0].run, first);
  EXPECT_EQ(asked_, 40);
}

TEST_F(Runner, ResumingWithAnotherModelIsRefusedByName) {
  EXPECT_THROW(run(15), Error);
  set_interrupt_for_test(0);
  const std::string message = test::error_message([&] { run(-1, "other"); });
  EXPECT_NE(message.find("model"), std::string::npos) << message;
  EXPECT_NE(message.find("--new"), std::string::npos) << message;
  EXPECT_EQ(asked_, 0);
  EXPECT_EQ(run(-1, "other", true).size(), 1U);
  EXPECT_EQ(asked_, 40);
}

TEST_F(Runner, FinishedSettingsAreKeptWhenALaterOneWasCutShort) {
  write_suite(R"(["bf16", "fp8"])", 0);
  EXPECT_THROW(run(55), Error);  // 40 of the first setting, 15 of the second
  set_interrupt_for_test(0);
  const auto reports = run();
  EXPECT_TRUE(reports[0].already_done);
  EXPECT_FALSE(reports[1].already_done);
  EXPECT_EQ(asked_, 25);
}

TEST_F(Runner, AChangedSuiteDoesNotContinueSilently) {
  EXPECT_THROW(run(15), Error);
  set_interrupt_for_test(0);
  write_suite(R"(["bf16"])", 5);
  EXPECT_NE(test::error_message([&] { run(); }).find("suite"), std::string::npos);
}

TEST_F(Runner, EarlyStoppingLooksAtTheEndsOfBlocksAndLeavesTheRest) {
  write_questions(400);
  stop_after_ = 150;
  const auto reports = run();
  EXPECT_THAT(looks_, ::testing::ElementsAre(64, 128, 192));
  EXPECT_EQ(asked_, 192);
  const store::RunRecord stored = open().load_run(reports[0].run);
  EXPECT_EQ(stored.status, store::RunStatus::kDone);
  EXPECT_EQ(stored.inputs.at(store::kGateBaseline).as_string(), "base");
}

TEST_F(Runner, AStoppedRunThatWasInterruptedAsksTheSameSamples) {
  write_questions(400);
  stop_after_ = 150;
  const auto keys = [&](const std::string& name) {
    std::vector<std::int64_t> positions;
    const store::Store store = open();
    for (const auto& key : store.stored_keys(store.load_tasks(store.load_run(name).row)[0].row)) {
      positions.push_back(key.position);
    }
    std::sort(positions.begin(), positions.end());
    return positions;
  };
  const auto whole = keys(run()[0].run);
  EXPECT_THROW(run(100, "d", true), Error);
  set_interrupt_for_test(0);
  const auto resumed = run();
  EXPECT_EQ(asked_, 92);
  EXPECT_EQ(keys(resumed[0].run), whole);
}

}  // namespace
}  // namespace assay::suites
