// The sandbox on real and on made-up programs: right ones pass, wrong ones fail for the right
// reason, and nothing that a program does reaches outside.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "evals/sandbox/sandbox_client.h"
#include "tests/evals/sandbox/sandbox_or_skip.h"
#include "tests/support/shared_data.h"

namespace assay::evals {
namespace {

Sandbox& sandbox() {
  static const std::unique_ptr<Sandbox> made = make_sandbox({});
  return *made;
}

SandboxResult run(const std::string& body, const std::string& check = "assert candidate(2) == 3",
                  double seconds = 3) {
  SandboxProgram program;
  program.source = "def f(x):\n" + body;
  program.test = "def check(candidate):\n    " + check + "\n";
  program.entry_point = "f";
  program.wall_seconds = seconds;
  return sandbox().run(program);
}

struct Case {
  const char* name;
  const char* body;
  SandboxOutcome outcome;
};

void PrintTo(const Case& value, std::ostream* out) { *out << value.name; }

class Outcomes : public testing::TestWithParam<Case> {};

TEST_P(Outcomes, AreToldApart) {
  ASSAY_SANDBOX_OR_SKIP();
  const SandboxResult result = run(GetParam().body, "assert candidate(2) == 3", 1.5);
  EXPECT_EQ(static_cast<int>(result.outcome), static_cast<int>(GetParam().outcome))
      << result.detail;
}

using O = SandboxOutcome;
INSTANTIATE_TEST_SUITE_P(
    Sandbox, Outcomes,
    testing::Values(
        Case{"right", "    return x + 1\n", O::kPassed},
        Case{"wrong", "    return x\n", O::kWrongAnswer},
        Case{"exception", "    raise ValueError('no')\n", O::kFailed},
        Case{"own_assertion", "    assert False\n", O::kFailed},
        Case{"syntax", "    return (\n", O::kFailed},
        Case{"system_exit", "    raise SystemExit(0)\n", O::kFailed},
        Case{"os_exit", "    import os\n    os._exit(0)\n", O::kFailed},
        Case{"sleep", "    import time\n    time.sleep(30)\n", O::kTimedOut},
        Case{"loop", "    while True: pass\n", O::kTimedOut},
        Case{"memory", "    return bytearray(1 << 31)\n", O::kOutOfMemory},
        Case{"abort", "    import os\n    os.abort()\n", O::kKilled},
        Case{"kill_self", "    import posix\n    posix.kill(posix.getpid(), 9)\n", O::kKilled},
        Case{"fork", "    import posix\n    posix.fork()\n    return 3\n", O::kRefusedCall},
        Case{"refused_in_try",
             "    import socket\n    try:\n        socket.socket()\n    except OSError:\n"
             "        pass\n    return x + 1\n",
             O::kPassed},
        Case{"always_equal",
             "    class A:\n        def __eq__(self, other): return True\n    return A()\n",
             O::kWrongAnswer},
        Case{"int_subclass",
             "    class I(int):\n        def __eq__(self, o): return True\n"
             "    return I(99)\n",
             O::kWrongAnswer},
        Case{"thread",
             "    import threading\n    t = threading.Thread(target=print)\n"
             "    t.start()\n    t.join()\n    return x + 1\n",
             O::kPassed},
        Case{"scratch_file", "    open('a', 'w').write('1')\n    return x + 1\n", O::kPassed},
        Case{"output", "    print('x' * 10000000)\n    return x + 1\n", O::kPassed},
        Case{"stdin", "    return input() or 3\n", O::kFailed}),
    [](const auto& each) { return std::string(each.param.name); });

TEST(Sandbox, StrengthIsMeasured) {
  ASSAY_SANDBOX_OR_SKIP();
  const SandboxStrength strength = measure_sandbox({});
  EXPECT_EQ(strength.problem, "");
  EXPECT_EQ(strength.checks.size(), 9U);
  for (const auto& check : strength.checks) EXPECT_TRUE(check.holds) << check.name;
}

// The upstream solutions are what every sandbox has to leave alone.
TEST(Sandbox, CanonicalSolutionsPass) {
  ASSAY_SANDBOX_OR_SKIP();
  ASSAY_SHARED_OR_SKIP(path, "datasets/humaneval/HumanEval.jsonl.gz");
  const std::vector<Json> problems = test::read_jsonl(path);
  std::atomic<std::size_t> next = 0;
  std::atomic<int> passed = 0;
  sandbox();
  const auto work = [&] {
    for (std::size_t i = next++; i < problems.size(); i = next++) {
      SandboxProgram program;
      program.reference = problems[i].at("prompt").as_string();
      program.source = program.reference + problems[i].at("canonical_solution").as_string();
      program.test = problems[i].at("test").as_string();
      program.entry_point = problems[i].at("entry_point").as_string();
      const SandboxResult result = sandbox().run(program);
      passed += result.outcome == SandboxOutcome::kPassed ? 1 : 0;
      if (result.outcome != SandboxOutcome::kPassed) {
        ADD_FAILURE() << problems[i].at("task_id").as_string() << ": "
                      << static_cast<int>(result.outcome) << " " << result.detail;
      }
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(passed, 164);
}

}  // namespace
}  // namespace assay::evals
