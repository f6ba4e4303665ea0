// Hostile programs between right and wrong ones: the attack fails, the neighbours' verdicts stand,
// and the host is as it was. Run as the caller's user and, where that is root, as another one too
// (tests/evals/sandbox/CMakeLists.txt).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <set>
#include <thread>

#include "base/text.h"
#include "evals/sandbox/landlock.h"
#include "evals/sandbox/sandbox_client.h"
#include "tests/evals/sandbox/as_user.h"
#include "tests/evals/sandbox/corpus.h"
#include "tests/evals/sandbox/host_watch.h"
#include "tests/evals/sandbox/sandbox_or_skip.h"

namespace assay::evals {
namespace {

// The address sanitizer holds back what is freed, so that a later use is seen.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kKeepsFreed = true;
#else
constexpr bool kKeepsFreed = false;
#endif

struct World {  // made by main, before the spawner and before root is given up
  std::vector<HostileCase> cases;
  std::unique_ptr<HostWatch> watch;
};

World& world() {
  static World made;
  return made;
}

SandboxProgram neighbour(const char* answer) {
  SandboxProgram program;
  program.source = std::string("def f(x):\n    return ") + answer + "\n";
  program.test = "def check(candidate):\n    assert candidate(2) == 3\n";
  program.entry_point = "f";
  program.wall_seconds = 30;  // their time is not what is tested
  return program;
}

/// What is stored of a result is short, valid text without control characters.
void expect_clean(const std::string& detail) {
  EXPECT_LE(detail.size(), 2048U);
  EXPECT_EQ(replace_invalid_utf8(detail), detail);
  for (const char c : detail) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
}

/// Runs the case with both neighbours at its side.
void run_case(Sandbox& sandbox, const HostileCase& hostile,
              const std::vector<std::string>& outcomes) {
  SCOPED_TRACE(hostile.name);
  const SandboxProgram program = filled(hostile, world().watch->names());
  std::array<SandboxResult, 3> results;
  const std::array<SandboxProgram, 3> programs = {program, neighbour("x + 1"), neighbour("x")};
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < programs.size(); ++i) {
    threads.emplace_back([&, i] { results[i] = sandbox.run(programs[i]); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(outcomes, testing::Contains(outcome_word(results[0].outcome))) << results[0].detail;
  EXPECT_EQ(outcome_word(results[1].outcome), "passed") << results[1].detail;
  EXPECT_EQ(outcome_word(results[2].outcome), "wrong") << results[2].detail;
  for (const SandboxResult& result : results) expect_clean(result.detail);
  EXPECT_THAT(world().watch->changes(results[0].detail), testing::IsEmpty());
}

TEST(HostilePrograms, CoverEveryClass) {
  EXPECT_GE(world().cases.size(), 100U);
  std::set<std::string> classes;
  std::set<std::string> names;
  for (const HostileCase& hostile : world().cases) {
    classes.insert(hostile.name.substr(0, 3));
    EXPECT_TRUE(names.insert(hostile.name).second) << hostile.name << " stands twice";
  }
  EXPECT_THAT(classes, testing::ElementsAre("s05", "s06", "s07", "s08", "s09", "s10", "s11", "s12",
                                            "s13", "s14", "s15", "s16", "s17"));
}

bool chosen(const HostileCase& hostile) {
  const char* only = std::getenv("ASSAY_HOSTILE_CASE");
  return only == nullptr || hostile.name.find(only) != std::string::npos;
}

TEST(HostilePrograms, AreHeldBetweenNeighbours) {
  ASSAY_SANDBOX_OR_SKIP();
  const std::unique_ptr<Sandbox> sandbox = make_sandbox({.parallel = 3});
  sandbox->run(neighbour("x"));
  world().watch->begin();
  for (const HostileCase& hostile : world().cases) {
    if (chosen(hostile)) run_case(*sandbox, hostile, hostile.outcomes);
  }
  // What the programs wrote, 20 MB and more, has not stayed in the spawner.
  if (!kKeepsFreed) {
    EXPECT_LT(world().watch->spawner_bytes(), std::size_t{32} << 20);
  }
}

// Landlock, filter and limits alone: the host is as it was here too. What a program sees more of is
// in its case's `reduced=` outcome and in docs/sandbox.md. Left out: time-outs, which do not depend
// on the level, and limits, as its scratch folder has none.
TEST(HostilePrograms, AreHeldAtTheReducedLevelToo) {
  const SandboxOptions options{.level = SandboxLevel::kReduced, .parallel = 3};
  if (landlock_version() == 0) GTEST_SKIP() << "this kernel has no Landlock";
  const std::unique_ptr<Sandbox> sandbox = make_sandbox(options);
  sandbox->run(neighbour("x"));
  world().watch->begin();
  for (const HostileCase& hostile : world().cases) {
    const std::string kind = hostile.name.substr(0, 3);
    if (!chosen(hostile) || kind == "s09" || kind == "s17") continue;
    if (hostile.outcomes == std::vector<std::string>{"timed_out"}) continue;
    const bool differs = !hostile.reduced_outcomes.empty();
    run_case(*sandbox, hostile, differs ? hostile.reduced_outcomes : hostile.outcomes);
  }
}

// Reading of the spawner's memory: the C library keeps some of what it frees, so it is let settle.
TEST(HostilePrograms, AThousandSamplesLeaveNothing) {
  ASSAY_SANDBOX_OR_SKIP();
  const std::unique_ptr<Sandbox> sandbox = make_sandbox({.parallel = 3});
  const std::array<SandboxProgram, 3> programs = {
      neighbour("x + 1"), neighbour("x"),
      neighbour("[open('assay-hostile', 'w').write('y' * 100000), print('z' * 100000), x + 1][2]")};
  const auto run_many = [&](int count) {
    std::atomic<int> next = 0;
    std::atomic<int> passed = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
      threads.emplace_back([&] {
        for (int i = next++; i < count; i = next++) {
          const SandboxResult result = sandbox->run(programs[static_cast<std::size_t>(i % 3)]);
          passed += result.outcome == SandboxOutcome::kPassed ? 1 : 0;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    return passed.load();
  };
  run_many(100);
  world().watch->begin();
  const std::size_t before = world().watch->spawner_bytes();
  EXPECT_EQ(run_many(999), 666);
  if (!kKeepsFreed) {
    EXPECT_LE(world().watch->spawner_bytes(), before + (std::size_t{256} << 10));
  }
  EXPECT_THAT(world().watch->changes(""), testing::IsEmpty());
}

}  // namespace
}  // namespace assay::evals

int main(int argc, char** argv) {
  using namespace assay::evals;  // NOLINT(google-build-using-namespace): one function
  own_descriptors();
  const bool as_user = wants_ordinary_user(argc, argv);
  world().cases = load_hostile_cases(ASSAY_HOSTILE_FOLDER);
  const bool root = geteuid() == 0;
  const uid_t user = as_user ? kOrdinaryUser : root ? kSandboxUserOfRoot : geteuid();
  world().watch = std::make_unique<HostWatch>(user);
  if (as_user) become_ordinary_user();
  start_sandbox_spawner(argc, argv);
  ::testing::InitGoogleMock(&argc, argv);
  const int result = RUN_ALL_TESTS();
  world().watch.reset();
  return result;
}
