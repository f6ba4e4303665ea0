// A step that hangs, one that is slow, and one that ends: told apart by progress alone. The times
// here are hundredths of a second, the program's are minutes.
#include "engine/step_watch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>

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
        std::move(held),
        StepWatchOptions{.limit = limit, .on_hang = [this](const std::string& why) {
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

}  // namespace
}  // namespace assay::engine
