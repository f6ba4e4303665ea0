// R19: a writer that is killed at any moment loses and changes nothing that it was told is stored.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "base/random.h"
#include "store/export.h"
#include "tests/store/fixture.h"
#include "tests/support/shared_data.h"

namespace assay::store {
namespace {

constexpr int kItems = 60;
constexpr int kKills = 25;

/// Writes what is missing, one sample a transaction, and tells of each after it is stored.
void write_missing(const std::filesystem::path& file, const std::string& name, int told) {
  Store store = Store::open(file, OpenMode::kReadWrite);
  const RunRecord run = store.load_run(name);
  const std::int64_t task = store.load_tasks(run.row)[0].row;
  const std::size_t done = store.stored_keys(task).size();
  RunWriter writer(store, run.row, run.machine);
  for (int i = static_cast<int>(done); i < kItems; ++i) {
    std::vector<SampleRecord> one{test::example_sample(i, i % 3 != 0)};
    writer.add(task, one);
    if (write(told, "x", 1) != 1) return;
  }
  writer.finish(RunStatus::kDone);
}

/// Runs the writer in a process of its own, kills it `delay_us` after its start, or after the first
/// sample it told of; how many samples it told of.
int write_and_kill(const std::filesystem::path& file, const std::string& name, useconds_t delay_us,
                   bool after_first, int signal) {
  int ends[2];
  if (pipe(ends) != 0) return -1;
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    write_missing(file, name, ends[1]);
    _exit(0);
  }
  close(ends[1]);
  pollfd told_of{.fd = ends[0], .events = POLLIN, .revents = 0};
  if (after_first) poll(&told_of, 1, 10'000);
  usleep(delay_us);
  kill(child, signal);
  int status = 0;
  waitpid(child, &status, 0);
  int told = 0;
  char byte = 0;
  while (read(ends[0], &byte, 1) == 1) ++told;
  close(ends[0]);
  return told;
}

std::string exported(const std::filesystem::path& file, const std::string& name) {
  const Store store = Store::open(file, OpenMode::kReadOnly);
  std::string out;
  const RunTaskRecord task = store.load_tasks(store.load_run(name).row)[0];
  store.for_each_sample(task.row, {}, [&](const SampleRecord& sample) {
    out += sample_json(task, sample, false).dump() + "\n";
    return true;
  });
  return out;
}

std::string new_run(const std::filesystem::path& file) {
  Store store = Store::open(file, OpenMode::kCreate);
  return store.create_run(test::example_run(), std::vector{test::example_task("gsm8k", kItems)});
}

TEST(Kill, NothingStoredIsLostOrChangedAndTheResumedRunEqualsAnUninterruptedOne) {
  const test::TemporaryFolder folder;
  const std::filesystem::path whole = folder.path() / "whole.db";
  const std::string whole_run = new_run(whole);
  int unused[2];
  ASSERT_EQ(pipe(unused), 0);
  write_missing(whole, whole_run, unused[1]);
  const char* chosen = std::getenv("ASSAY_TEST_SEED");
  const std::uint64_t seed = chosen != nullptr ? std::strtoull(chosen, nullptr, 10) : 20261124;
  SCOPED_TRACE("ASSAY_TEST_SEED=" + std::to_string(seed));
  SplitMix64 random(seed);
  const std::filesystem::path file = folder.path() / "killed.db";
  const std::string name = new_run(file);
  std::size_t stored = 0;
  for (int i = 0; i < kKills; ++i) {
    const int told = write_and_kill(file, name, static_cast<useconds_t>(random.below(30'000)),
                                    i % 3 == 2, i % 5 == 0 ? SIGTERM : SIGKILL);
    Store store = Store::open(file, OpenMode::kReadWrite);
    const std::size_t now =
        store.stored_keys(store.load_tasks(store.load_run(name).row)[0].row).size();
    EXPECT_GE(now, stored + static_cast<std::size_t>(told)) << "kill " << i;
    const VerifyReport report = store.verify(0);
    EXPECT_TRUE(report.problems.empty()) << report.problems.front();
    stored = now;
  }
  EXPECT_GT(stored, 0U);
  write_missing(file, name, unused[1]);
  close(unused[0]);
  close(unused[1]);
  EXPECT_EQ(exported(file, name), exported(whole, whole_run));
}

}  // namespace
}  // namespace assay::store
