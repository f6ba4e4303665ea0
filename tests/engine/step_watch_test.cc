// A step that hangs, one that is slow, and one that ends: told apart by progress alone. The times
// here are hundredths of a second, the program's are minutes.
#include "engine/step_watch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace assay::engine {
namespace {

using std::chrono::milliseconds;

/// Its step goes on until the test lets it end.
class HeldExecutor : public Executor {
 public:
  [[nodiscard]] std::int64_t max_rows() const override { return 8; }
  [[nodiscard]] bool takes_logit_bias() const override { return true; }
  [[nodiscard]] std::uint64_t progress() const override { return progressed; }
  void run(const Batch& /*batch*/, std::span<LogitResult> /*results*/) override {
    began.set_value();
    release.get_future().wait();
  }
  std::promise<void> began;
  std::promise<void> release;
  std::atomic<std::uint64_t> progressed{0};
};

struct Watched {
  explicit Watched(milliseconds limit) {
    auto held = std::make_unique<HeldExecutor>();
    inner = held.get();
    executor = std::make_unique<WatchedExecutor>(
        std::move(held), WatchOptions{.limit = limit, .on_hang = [this](const std::string& why) {
                                        ++hangs;
                                        said.set_value(why);
                                      }});
  }
  /// One step of three rows, on a thread of its own, up to where it is held.
  void begin() {
    batch.ids = {1, 2, 3};
    step = std::thread([this] { executor->run(batch, {}); });
    inner->began.get_future().wait();
  }
  void end() {
    inner->release.set_value();
    step.join();
  }

  std::atomic<int> hangs{0};
  std::promise<std::string> said;
  HeldExecutor* inner = nullptr;
  std::unique_ptr<WatchedExecutor> executor;
  Batch batch;
  std::thread step;
};

TEST(StepWatch, AStepWithoutProgressIsToldOnce) {
  Watched watched(milliseconds(40));
  watched.begin();
  const std::string why = watched.said.get_future().get();
  EXPECT_NE(why.find("no progress for 0 s in a step of 3 rows"), std::string::npos) << why;
  EXPECT_NE(why.find("ASSAY_STALL_SECONDS"), std::string::npos) << why;
  std::this_thread::sleep_for(milliseconds(100));
  watched.end();
  EXPECT_EQ(watched.hangs, 1);
}

/// Two steps in flight: the one that is waited for hangs.
TEST(StepWatch, AStepThatWasStartedIsWatchedWhileItIsWaitedFor) {
  Watched watched(milliseconds(40));
  Batch first;
  first.ids = {1, 2};
  watched.batch.ids = {1, 2, 3};
  watched.executor->start(first);
  watched.executor->start(watched.batch);
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(watched.hangs, 0);  // nobody waits yet
  watched.step = std::thread([&] { watched.executor->finish({}); });
  const std::string why = watched.said.get_future().get();
  EXPECT_NE(why.find("in a step of 2 rows"), std::string::npos) << why;
  watched.end();
  EXPECT_EQ(watched.hangs, 1);
}

/// Longer than the limit, with something done all the time.
TEST(StepWatch, ALongStepThatGoesOnIsLeftAlone) {
  Watched watched(milliseconds(1000));
  watched.begin();
  for (int layer = 0; layer < 150; ++layer) {
    std::this_thread::sleep_for(milliseconds(10));
    ++watched.inner->progressed;
  }
  watched.end();
  EXPECT_EQ(watched.hangs, 0);
}

TEST(StepWatch, NothingHangsBetweenSteps) {
  Watched watched(milliseconds(20));
  std::this_thread::sleep_for(milliseconds(100));
  watched.begin();
  watched.end();
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(watched.hangs, 0);
}

/// Gives rows until it is held.
class HeldWeights : public WeightSource {
 public:
  [[nodiscard]] bool has(const std::string& /*name*/) const override { return true; }
  void read_row(const std::string& /*name*/, std::int64_t row,
                std::span<float> out) const override {
    std::fill(out.begin(), out.end(), 0.5F);
    if (row == held_row) std::promise<void>().get_future().wait();
  }
  std::int64_t held_row = -1;
};

/// Longer than the limit, with rows all the time.
TEST(StepWatch, WeightsThatAreReadAreProgress) {
  std::atomic<int> hangs = 0;
  const HeldWeights source;
  const WatchedWeights weights(
      source, {.limit = milliseconds(1000), .on_hang = [&](const std::string&) { ++hangs; }});
  std::vector<float> row(8);
  for (int i = 0; i < 150; ++i) {
    std::this_thread::sleep_for(milliseconds(10));
    weights.read_row("matrix", i, row);
  }
  EXPECT_EQ(hangs, 0);
}

TEST(StepWatchDeathTest, TheProcessEndsWithAnEnvironmentFault) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        auto held = std::make_unique<HeldExecutor>();
        WatchedExecutor executor(std::move(held), {.limit = milliseconds(40), .on_hang = {}});
        executor.run({}, {});
      },
      testing::ExitedWithCode(6),
      "assay: the engine made no progress .* what is finished is stored");
}

TEST(StepWatchDeathTest, AModelThatIsLoadedIsWatched) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const ModelConfig config = parse_model_config(
      R"({"model_type": "llama", "hidden_size": 64, "num_hidden_layers": 1,
          "num_attention_heads": 2,
          "intermediate_size": 64, "vocab_size": 40, "max_position_embeddings": 64})",
      "", "m");
  HeldWeights source;
  source.held_row = 39;  // of the output matrix
  EXPECT_EXIT(
      {
        ::setenv("ASSAY_STALL_SECONDS", "1", 1);
        (void)load_model(config, make_partition(config, 1, 0), source, find_setting("fp8"), 64, 1);
      },
      testing::ExitedWithCode(6), "no progress for 1 s while it read weights");
}

}  // namespace
}  // namespace assay::engine
