// R20: each call of a small run that opens, writes, syncs, truncates or deletes fails, once or from
// then on, or is the moment of a power cut that drops any part of what was not synced. Afterwards
// the file is sound, holds every sample that was reported as stored, and the run goes on to the
// same end.
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "base/error.h"
#include "store/export.h"
#include "tests/store/fault_vfs.h"
#include "tests/store/fixture.h"
#include "tests/support/shared_data.h"

namespace assay::store {
namespace {

using test::Fault;

constexpr int kItems = 3;

struct Attempt {
  std::set<std::int64_t> told;  // positions that `add` reported as stored
  std::string error;            // "" when the run was finished
};

/// As a command does: makes or opens the store, continues the run, stores what is missing.
Attempt attempt(const std::filesystem::path& file) {
  Attempt out;
  try {
    Store store = Store::open(file, OpenMode::kCreate);
    if (!store.list_runs().empty() && store.list_runs()[0].status == RunStatus::kDone) return out;
    std::optional<RunRecord> run = store.find_unfinished("example/bf16");
    if (!run) {
      run = store.load_run(
          store.create_run(test::example_run(), std::vector{test::example_task("gsm8k", kItems)}));
    }
    const std::int64_t task = store.load_tasks(run->row)[0].row;
    std::set<std::int64_t> stored;
    for (const StoredKey& key : store.stored_keys(task)) stored.insert(key.position);
    RunWriter writer(store, run->row, run->machine);
    for (int i = 0; i < kItems; ++i) {
      if (stored.contains(i)) continue;
      std::vector<SampleRecord> one{test::example_sample(i, i != 1)};
      writer.add(task, one);
      out.told.insert(i);
    }
    writer.finish(RunStatus::kDone);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kEnvironment) << error.what();
    EXPECT_NE(std::string(error.what()).find(file.string()), std::string::npos) << error.what();
    out.error = error.what();
  }
  return out;
}

std::string exported(const std::filesystem::path& file) {
  const Store store = Store::open(file, OpenMode::kReadOnly);
  const std::vector<RunRecord> runs = store.list_runs();
  EXPECT_EQ(runs.size(), 1U);
  const RunTaskRecord task = store.load_tasks(runs[0].row)[0];
  std::string out;
  store.for_each_sample(task.row, {}, [&](const SampleRecord& sample) {
    out += sample_json(task, sample, false).dump() + "\n";
    return true;
  });
  return out;
}

/// Sound, and with every sample in it that was told of.
void check_kept(const std::filesystem::path& file, const Attempt& attempt) {
  if (attempt.told.empty() && !std::filesystem::exists(file)) return;
  std::set<std::int64_t> stored;
  try {
    const Store store = Store::open(file, OpenMode::kReadOnly);
    const VerifyReport report = store.verify(0);
    EXPECT_TRUE(report.problems.empty()) << report.problems.front();
    for (const RunRecord& run : store.list_runs()) {
      for (const StoredKey& key : store.stored_keys(store.load_tasks(run.row)[0].row)) {
        stored.insert(key.position);
      }
    }
  } catch (const Error& error) {  // allowed only before the store was made
    EXPECT_TRUE(attempt.told.empty()) << error.what();
    EXPECT_TRUE(std::string(error.what()).find("empty") != std::string::npos) << error.what();
  }
  for (const std::int64_t position : attempt.told) EXPECT_TRUE(stored.contains(position));
}

struct Case {
  const char* name;
  Fault fault;
  int write_error;
  bool shared_memory = true;
};
void PrintTo(const Case& value, std::ostream* out) { *out << value.name; }

class StoreFault : public ::testing::TestWithParam<Case> {};

TEST_P(StoreFault, AtAnyCallLosesNothingAndTheRunGoesOn) {
  const test::TemporaryFolder folder;
  test::FaultVfs vfs(GetParam().shared_memory);
  vfs.arm(Fault::kNone, 0);
  ASSERT_EQ(attempt(folder.path() / "whole.db").error, "");
  const std::string whole = exported(folder.path() / "whole.db");
  const char* chosen = std::getenv("ASSAY_TEST_SEED");
  const std::uint64_t seed = chosen != nullptr ? std::strtoull(chosen, nullptr, 10) : 20;
  SplitMix64 random(seed);
  std::int64_t calls = 0;
  std::int64_t stopped = 0;
  for (std::int64_t call = 1;; ++call) {
    SCOPED_TRACE(fmt::format("call {}, ASSAY_TEST_SEED={}", call, seed));
    const std::filesystem::path file = folder.path() / fmt::format("{}.db", call);
    vfs.arm(GetParam().fault, call, GetParam().write_error);
    const Attempt first = attempt(file);
    const bool fired = vfs.fired();
    vfs.disarm();
    if (GetParam().fault == Fault::kPowerCut) vfs.lose_unsynced(random);
    check_kept(file, first);
    const Attempt second = attempt(file);
    ASSERT_EQ(second.error, "");
    ASSERT_EQ(exported(file), whole);
    if (!fired) break;
    ++calls;
    stopped += first.error.empty() ? 0 : 1;
  }
  std::printf("%lld calls failed (%s), %lld of them stopped the run\n",
              static_cast<long long>(calls), GetParam().name, static_cast<long long>(stopped));
  EXPECT_GT(calls, 100);
  EXPECT_GT(stopped, 50);
}

INSTANTIATE_TEST_SUITE_P(
    , StoreFault,
    ::testing::Values(Case{"full_once", Fault::kOnce, SQLITE_FULL},
                      Case{"io_error_once", Fault::kOnce, SQLITE_IOERR_WRITE},
                      Case{"full_forever", Fault::kForever, SQLITE_FULL},
                      Case{"power_cut", Fault::kPowerCut, SQLITE_IOERR_WRITE},
                      Case{"journal_io_error_once", Fault::kOnce, SQLITE_IOERR_WRITE, false},
                      Case{"journal_full_forever", Fault::kForever, SQLITE_FULL, false},
                      Case{"journal_power_cut", Fault::kPowerCut, SQLITE_IOERR_WRITE, false}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace assay::store
