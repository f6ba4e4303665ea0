// One seed replays a whole run with its faults. All that the runner hears of engines and networks
// comes through RunnerOptions::make_generator, and it never waits by itself, so a model that fails
// by seed fails in the same way every time. (The files under it: tests/store/fault_test.cc.)
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "store/export.h"
#include "suites/interrupt.h"
#include "suites/runner.h"
#include "tests/support/shared_data.h"

namespace assay::suites {
namespace {

constexpr int kQuestions = 60;
constexpr int kMostAttempts = 200;

/// Answers by the question's id. Before each answer it may be lost, or hear a signal; some requests
/// fail.
class FaultyGenerator : public engine::Generator {
 public:
  FaultyGenerator(SplitMix64& random, std::string& trace) : random_(random), trace_(trace) {
    info_.name = "faulty";
    info_.digest = "d";
    info_.setting = info_.kv = "bf16";
    info_.device = "cpu";
  }
  const engine::ModelInfo& info() const override { return info_; }
  void run(std::span<const engine::Request> requests, const engine::CompletionSink& sink) override {
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const std::uint64_t fault = random_.below(30);
      if (fault == 0) {
        trace_ += "lost ";
        throw_environment("the server is gone");
      }
      if (fault == 1) {
        trace_ += "signal ";
        set_interrupt_for_test(SIGTERM);
      }
      engine::Completion completion;
      if (fault == 2) {
        trace_ += "failed ";
        completion.error = "no answer";
      } else {
        completion.text = "The answer is " + std::to_string(requests[i].id.size()) + ".";
        completion.finish_reason = engine::FinishReason::kEos;
      }
      trace_ += requests[i].id + " ";
      if (!sink(i, std::move(completion))) return;
    }
  }

 private:
  engine::ModelInfo info_;
  SplitMix64& random_;
  std::string& trace_;
};

struct Replay {
  std::string trace;   // what was asked, and what went wrong
  std::string result;  // the finished run, without times
  int attempts = 0;
};

/// The same command again and again, until nothing is missing.
Replay replay(std::uint64_t seed) {
  const test::TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "gsm8k");
  std::string rows;
  for (int i = 0; i < kQuestions; ++i) {
    rows += R"({"question": "q)" + std::to_string(i) + R"(", "answer": "#### 13"})" + "\n";
  }
  write_file_atomic(folder.path() / "gsm8k/test.jsonl", rows);
  write_file_atomic(folder.path() / "s.jsonc",
                    R"({"assay_suite": 1, "name": "s", "model": "m", "settings": ["bf16"],
                        "allowed_errors": 1000,
                        "tasks": [{"task": "gsm8k@assay-0shot", "custom_data": true}]})");
  Replay out;
  SplitMix64 random(seed);
  RunnerOptions options;
  options.plan.data = folder.path();
  options.build.version = "1";
  options.make_generator = [&](const engine::EngineOptions&) {
    return std::make_unique<FaultyGenerator>(random, out.trace);
  };
  store::Store store = store::Store::open(folder.path() / "r.db", store::OpenMode::kCreate);
  for (bool whole = false; !whole && out.attempts < kMostAttempts; ++out.attempts) {
    set_interrupt_for_test(0);
    try {
      whole = run_suite(load_suite(folder.path() / "s.jsonc"), store, options)[0].unscored == 0;
      out.trace += "end ";
    } catch (const Error& error) {
      out.trace += fmt::format("error {} ", static_cast<int>(error.kind()));
    }
  }
  set_interrupt_for_test(0);
  const store::RunRecord run = store.load_run(store.list_runs().at(0).name);
  for (const store::RunTaskRecord& task : store.load_tasks(run.row)) {
    store.for_each_sample(task.row, {.texts = true}, [&](const store::SampleRecord& sample) {
      out.result += store::sample_json(task, sample, false).dump() + "\n";
      return true;
    });
  }
  return out;
}

TEST(RunnerFaults, OneSeedReplaysAWholeRunAndFaultsLeaveNoTrace) {
  std::string result;
  int attempts = 0;
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    const Replay first = replay(seed);
    const Replay second = replay(seed);
    EXPECT_EQ(first.trace, second.trace) << "seed " << seed;
    EXPECT_EQ(first.result, second.result) << "seed " << seed;
    ASSERT_LT(first.attempts, kMostAttempts) << first.trace;
    if (result.empty()) result = first.result;
    EXPECT_EQ(first.result, result) << "seed " << seed;
    attempts += first.attempts;
  }
  EXPECT_GT(attempts, 3) << "no fault came about";
}

}  // namespace
}  // namespace assay::suites
