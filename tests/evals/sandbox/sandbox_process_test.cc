// The processes around a sample: who they are, what they inherit, what repeats and what stays.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkostemp
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/text.h"
#include "evals/sandbox/advice.h"
#include "evals/sandbox/harness.h"
#include "evals/sandbox/job.h"
#include "evals/sandbox/sandbox_client.h"
#include "evals/sandbox/scratch.h"
#include "tests/evals/sandbox/as_user.h"
#include "tests/evals/sandbox/sandbox_or_skip.h"

namespace assay::evals {
namespace {

namespace fs = std::filesystem;

SandboxProgram program(const std::string& source, double seconds = 3,
                       const std::string& check = "assert candidate(2) == 3") {
  SandboxProgram out;
  out.source = source;
  out.test = "def check(candidate):\n    " + check + "\n";
  out.entry_point = "f";
  out.wall_seconds = seconds;
  return out;
}

const std::string kSleep = "import time\ndef f(x):\n    time.sleep(100)\n";

std::string contents(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string status(pid_t pid, const std::string& key) {
  const std::string all = contents(fmt::format("/proc/{}/status", pid));
  const std::size_t at = all.find("\n" + key + ":\t");
  if (at == std::string::npos) return "";
  const std::size_t start = at + key.size() + 3;
  return all.substr(start, all.find('\n', start) - start);
}

std::vector<pid_t> children(pid_t of) {
  std::vector<pid_t> out;
  const std::string text = contents(fmt::format("/proc/{}/task/{}/children", of, of));
  for (const std::string_view word : split(text, ' ')) {
    if (const auto pid = parse_int(word)) out.push_back(static_cast<pid_t>(*pid));
  }
  return out;
}

pid_t spawner() { return children(getpid()).at(0); }

// A sample beside others timed out and had not had the processor: once more, alone.
TEST(SandboxProcess, ATimeOutBesideOthersIsRepeatedAlone) {
  ASSAY_SANDBOX_OR_SKIP();
  const std::unique_ptr<Sandbox> sandbox = make_sandbox({.parallel = 2});
  std::vector<SandboxResult> results(2);
  std::vector<std::thread> threads;
  for (SandboxResult& result : results) {
    threads.emplace_back([&] { result = sandbox->run(program(kSleep, 0.5)); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const SandboxResult& result : results) {
    EXPECT_EQ(result.outcome, SandboxOutcome::kTimedOut);
    EXPECT_EQ(result.runs, 2);
  }
  const SandboxResult alone = sandbox->run(program(kSleep, 0.5));
  EXPECT_EQ(alone.runs, 1);
  EXPECT_EQ(alone.outcome, SandboxOutcome::kTimedOut);
}

// Needs 0.4 s of a processor within 1.2 s: not to be had beside six that work on two cores.
TEST(SandboxProcess, LoadDoesNotTurnARightAnswerIntoATimeOut) {
  ASSAY_SANDBOX_OR_SKIP();
  const std::unique_ptr<Sandbox> sandbox = make_sandbox({.parallel = 7});
  const auto work = [](const char* seconds) {
    return std::string("import time\ndef f(x):\n    while time.process_time() < ") + seconds +
           ": pass\n    return x + 1\n";
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back(
        [&] { EXPECT_EQ(sandbox->run(program(work("1"), 60)).outcome, SandboxOutcome::kPassed); });
  }
  const SandboxResult result = sandbox->run(program(work("0.4"), 1.2));
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(result.outcome, SandboxOutcome::kPassed) << result.detail << " runs " << result.runs;
}

/// Namespaces that two processes share, of those that can be looked at; all of them when none can.
std::string shared_namespaces(pid_t one, pid_t other) {
  std::string out;
  for (const char* kind : {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"}) {
    std::error_code code;
    const fs::path ours = fs::read_symlink(fmt::format("/proc/{}/ns/{}", one, kind), code);
    const fs::path theirs = fs::read_symlink(fmt::format("/proc/{}/ns/{}", other, kind), code);
    if (code || ours == theirs) out += std::string(kind) + " ";
  }
  return out;
}

TEST(SandboxProcess, AreOutsideNobodyAndInNamespacesOfTheirOwn) {
  ASSAY_SANDBOX_OR_SKIP();
  const std::unique_ptr<Sandbox> sandbox = make_sandbox({.parallel = 1});
  std::thread running([&] { sandbox->run(program(kSleep, 1)); });
  std::vector<pid_t> found;
  for (int i = 0; i < 400 && found.size() < 4; ++i) {
    usleep(2000);
    found = children(spawner());  // process 1 of both namespaces
    for (const pid_t pid : std::vector<pid_t>(found)) {
      for (const pid_t child : children(pid)) found.push_back(child);
    }
  }
  for (const pid_t pid : found) {
    const std::string ids = status(pid, "Uid");
    EXPECT_EQ(split(ids, '\t').size(), 4U) << pid << ": " << ids;
    for (const std::string_view id : split(ids, '\t')) EXPECT_NE(id, "0") << pid;
    EXPECT_EQ(status(pid, "CapEff").find_first_not_of('0'), std::string::npos) << pid;
  }
  ASSERT_EQ(found.size(), 4U);
  usleep(50000);  // the last two have become the interpreter
  for (const pid_t pid : {found[2], found[3]}) {
    EXPECT_EQ(shared_namespaces(getpid(), pid), "");
    EXPECT_EQ(status(pid, "NoNewPrivs"), "1");
    EXPECT_EQ(status(pid, "Seccomp"), "2");
  }
  EXPECT_EQ(shared_namespaces(found[2], found[3]), "");
  running.join();
  EXPECT_THAT(children(spawner()), testing::IsEmpty());
}

// The thread sanitizer has one of its own in every process.
#if defined(__SANITIZE_THREAD__)
constexpr const char* kThreads = "2";
#elif defined(__has_feature)
constexpr const char* kThreads = __has_feature(thread_sanitizer) ? "2" : "1";
#else
constexpr const char* kThreads = "1";
#endif

TEST(SandboxProcess, TheSpawnerKeepsNothingOfItsCaller) {
  ASSAY_SANDBOX_OR_SKIP();
  const pid_t pid = spawner();
  EXPECT_EQ(status(pid, "Threads"), kThreads);
  for (const char* file : {"environ", "cmdline"}) {
    const std::string text = contents(fmt::format("/proc/{}/{}", pid, file));
    EXPECT_EQ(text.find_first_not_of('\0'), std::string::npos) << file << ": " << text;
  }
  const auto descriptors = [&] {
    return std::distance(fs::directory_iterator(fmt::format("/proc/{}/fd", pid)),
                         fs::directory_iterator());
  };
  // Between two samples: a pipe of the one that just ended may still be there for a moment.
  for (int tries = 0; tries < 500 && descriptors() != 4; ++tries) usleep(10'000);
  EXPECT_EQ(descriptors(), 4);  // the standard streams and the socket to its caller
  if (geteuid() == 0) {
    EXPECT_EQ(status(pid, "Uid").rfind("65529", 0), 0U);
    EXPECT_EQ(status(pid, "CapPrm"), "0000000000200000");  // CAP_SYS_ADMIN, to make namespaces
  }
}

// Each attempt of the probe succeeds where nothing forbids it: so its failures mean something.
TEST(SandboxProcess, TheProbeReachesEverythingWithoutASandbox) {
  ASSAY_SANDBOX_OR_SKIP();
  const bool root = geteuid() == 0;
  const pid_t victim = fork();
  if (victim == 0) {
    if (root && setresuid(kSandboxUserOfRoot, kSandboxUserOfRoot, kSandboxUserOfRoot) != 0) {
      _exit(1);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a change of user would clear it
    for (;;) pause();
  }
  std::string marker = "/var/tmp/assay-probe-XXXXXX";
  const FileDescriptor file(mkostemp(marker.data(), O_CLOEXEC));
  if (root) {
    ASSERT_EQ(fchown(file.get(), kSandboxUserOfRoot, kSandboxUserOfRoot), 0);
  }
  const std::unique_ptr<Sandbox> sandbox = make_sandbox({.level = SandboxLevel::kUnsafe});
  EXPECT_EQ(sandbox->strength().rfind("none", 0), 0U);
  SandboxProgram probe = program(kProbeScript, 10);
  probe.entry_point = "probe";
  // No server here: the connection is refused by its absence, all else is reached.
  probe.test = fmt::format(
      "def check(candidate):\n    found = candidate('{}', 1, {})\n    assert len(found) == 9\n"
      "    assert [k for k, v in found.items() if not v] == ['connect to loopback'], found\n",
      marker, victim);
  const SandboxResult result = sandbox->run(probe);
  EXPECT_EQ(result.outcome, SandboxOutcome::kPassed) << result.detail;
  EXPECT_TRUE(fs::remove(marker + ".written"));
  EXPECT_TRUE(fs::remove(marker));
  kill(victim, SIGKILL);
  waitpid(victim, nullptr, 0);
}

TEST(SandboxProcess, TheSameSampleGivesTheSameVerdictAndText) {
  ASSAY_SANDBOX_OR_SKIP();
  const std::unique_ptr<Sandbox> sandbox = make_sandbox({});
  const SandboxProgram random = program(
      "import random\ndef f(x):\n    return [random.random(), hash('a'), list({'a', 'b', 'c'})]\n",
      3, "import random; assert candidate(2) == random.random(), repr(candidate(random.random()))");
  const SandboxResult first = sandbox->run(random);
  EXPECT_EQ(first.outcome, SandboxOutcome::kWrongAnswer);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(sandbox->run(random).detail, first.detail);
}

TEST(SandboxProcess, MoreThanAMebibyteOfSourceIsRefused) {
  ASSAY_SANDBOX_OR_SKIP();
  const std::unique_ptr<Sandbox> sandbox = make_sandbox({});
  const SandboxResult result = sandbox->run(program(std::string((1 << 20) + 1, '#')));
  EXPECT_EQ(result.outcome, SandboxOutcome::kFailed);
  EXPECT_EQ(result.detail, "the source has 1048577 bytes, the limit is 1048576");
}

TEST(SandboxProcess, AMissingInterpreterIsNamed) {
  const SandboxStrength strength = measure_sandbox({.interpreter = "/nowhere/python3"});
  EXPECT_THAT(strength.problem, testing::HasSubstr("no Python interpreter at /nowhere/python3"));
}

TEST(SandboxScratch, FoldersOfAnyKindAreRemovedAndLinksNotFollowed) {
  const fs::path outside = make_scratch_folder();
  std::ofstream(outside / "kept") << "kept";
  const fs::path scratch = make_scratch_folder();
  fs::path at = scratch;
  for (int depth = 0; depth < 200; ++depth) {
    at /= std::string(18, 'd');  // as a whole near the longest path there is
    fs::create_directory(at);
    std::ofstream(at / "file") << depth;
    fs::create_symlink(outside, at / "link");
  }
  fs::create_directory(scratch / ".moved-0");
  std::ofstream(scratch / ".moved-1") << "taken";
  for (; at != scratch; at = at.parent_path()) fs::permissions(at, fs::perms::none);
  fs::permissions(scratch, fs::perms::none);
  EXPECT_TRUE(remove_scratch_folder(scratch));
  EXPECT_FALSE(fs::exists(fs::symlink_status(scratch)));
  EXPECT_EQ(contents(outside / "kept"), "kept");
  EXPECT_TRUE(remove_scratch_folder(outside));
}

TEST(SandboxAdvice, NamesWhatStandsInTheWay) {
  NamespaceSettings settings{.max_user_namespaces = 10000, .landlock = 3};
  EXPECT_THAT(sandbox_advice(settings), testing::HasSubstr("do not say why"));
  EXPECT_THAT(sandbox_advice(settings), testing::HasSubstr("--sandbox reduced"));
  settings = {.max_user_namespaces = 0};
  EXPECT_THAT(sandbox_advice(settings), testing::HasSubstr("sysctl user.max_user_namespaces="));
  EXPECT_THAT(sandbox_advice(settings), testing::Not(testing::HasSubstr("--sandbox reduced")));
  settings = {.unprivileged_clone = 0};
  EXPECT_THAT(sandbox_advice(settings), testing::HasSubstr("unprivileged_userns_clone=1"));
  settings = {.apparmor_restricts = 1};
  EXPECT_THAT(sandbox_advice(settings), testing::HasSubstr("scripts/apparmor/assay"));
  settings = {.filtered = true};
  EXPECT_THAT(sandbox_advice(settings), testing::HasSubstr("seccomp"));
}

}  // namespace
}  // namespace assay::evals
