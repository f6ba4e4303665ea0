// The store keeps what it was given, refuses what is not a store, and never rewrites a response.
#include "store/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/check.h"
#include "base/error.h"
#include "base/file.h"
#include "store/sqlite.h"
#include "tests/store/fixture.h"
#include "tests/support/shared_data.h"

namespace assay::store {
namespace {

using ::assay::test::error_message;
using ::assay::test::example_run;
using ::assay::test::example_sample;
using ::assay::test::example_task;
using ::testing::HasSubstr;

class StoreTest : public ::testing::Test {
 protected:
  std::filesystem::path file() const { return folder_.path() / "results.db"; }
  Store create() const { return Store::open(file(), OpenMode::kCreate); }
  /// A store with one finished run of three samples; returns the run's name.
  std::string make_finished() const {
    Store store = create();
    const std::string name = store.create_run(example_run(), std::vector{example_task()});
    const RunRecord run = store.load_run(name);
    RunWriter writer(store, run.row, run.machine);
    std::vector<SampleRecord> samples;
    for (int i = 0; i < 3; ++i) samples.push_back(example_sample(i, i != 1));
    writer.add(store.load_tasks(run.row)[0].row, samples);
    writer.finish(RunStatus::kDone);
    return name;
  }

  test::TemporaryFolder folder_;
};

std::vector<SampleRecord> all_samples(const Store& store, std::int64_t task_row) {
  std::vector<SampleRecord> out;
  store.for_each_sample(task_row, {}, [&](const SampleRecord& sample) {
    out.push_back(sample);
    return true;
  });
  return out;
}

TEST_F(StoreTest, ARunComesBackAsItWasStored) {
  const std::string name = make_finished();
  const Store store = Store::open(file(), OpenMode::kReadOnly);
  const RunRecord run = store.load_run(name);
  const RunRecord given = example_run();
  EXPECT_EQ(run.label, given.label);
  EXPECT_EQ(run.inputs, given.inputs);
  EXPECT_EQ(run.model.digest, given.model.digest);
  EXPECT_EQ(run.model.parameters, 260000);
  EXPECT_EQ(run.build, given.build);
  EXPECT_EQ(run.machine.cores, 2);
  EXPECT_EQ(run.seed, given.seed);
  EXPECT_EQ(run.status, RunStatus::kDone);
  EXPECT_EQ(run.attempts, 1);
  EXPECT_GT(run.active_ns, 0);
  const std::vector<RunTaskRecord> tasks = store.load_tasks(run.row);
  ASSERT_EQ(tasks.size(), 1U);
  EXPECT_EQ(tasks[0].metrics, example_task().metrics);
}

TEST_F(StoreTest, SamplesComeBackWholeAndInOrder) {
  const std::string name = make_finished();
  const Store store = Store::open(file(), OpenMode::kReadOnly);
  const auto samples = all_samples(store, store.load_tasks(store.load_run(name).row)[0].row);
  ASSERT_EQ(samples.size(), 3U);
  for (int i = 0; i < 3; ++i) {
    SampleRecord expected = example_sample(i, i != 1);
    expected.item.cluster = expected.item.key;
    expected.generation.row = samples[static_cast<std::size_t>(i)].generation.row;
    EXPECT_EQ(samples[static_cast<std::size_t>(i)].item, expected.item);
    EXPECT_EQ(samples[static_cast<std::size_t>(i)].generation, expected.generation);
    EXPECT_EQ(samples[static_cast<std::size_t>(i)].score, expected.score);
  }
}

TEST_F(StoreTest, HostileTextAndInfiniteLogProbabilitiesSurvive) {
  Store store = create();
  const RunRecord run =
      store.load_run(store.create_run(example_run(), std::vector{example_task()}));
  const std::int64_t task = store.load_tasks(run.row)[0].row;
  std::vector<SampleRecord> samples{example_sample(0, true)};
  samples[0].generation.text = std::string("a\0b'); DROP TABLE run;--\xff", 25);
  samples[0].generation.finish_reason = "scored";
  samples[0].generation.choices = {{-std::numeric_limits<double>::infinity(), 2, false},
                                   {-1.25, 1, true}};
  RunWriter(store, run.row, run.machine).add(task, samples);
  const auto back = all_samples(store, task);
  ASSERT_EQ(back.size(), 1U);
  EXPECT_EQ(back[0].generation.text, std::string("a\0b'); DROP TABLE run;--\xEF\xBF\xBD", 27));
  EXPECT_EQ(back[0].generation.choices, samples[0].generation.choices);
  EXPECT_TRUE(store.verify(0).problems.empty());
}

TEST_F(StoreTest, AnErrorIsTriedAgainAndAResponseIsNot) {
  Store store = create();
  const RunRecord run =
      store.load_run(store.create_run(example_run(), std::vector{example_task()}));
  const std::int64_t task = store.load_tasks(run.row)[0].row;
  std::vector<SampleRecord> samples{example_sample(0, true)};
  samples[0].generation.finish_reason = "error";
  samples[0].generation.error = "server gone";
  samples[0].score.reset();
  RunWriter writer(store, run.row, run.machine);
  writer.add(task, samples);
  EXPECT_TRUE(store.stored_keys(task)[0].error);
  std::vector<SampleRecord> again{example_sample(0, true)};
  writer.add(task, again);
  ASSERT_EQ(store.stored_keys(task).size(), 1U);
  EXPECT_FALSE(store.stored_keys(task)[0].error);
  EXPECT_EQ(all_samples(store, task)[0].generation.attempts, 2);
  EXPECT_THROW(writer.add(task, again), CheckFailure);
  EXPECT_EQ(all_samples(store, task).size(), 1U);
}

TEST_F(StoreTest, ScoringLaterNeedsNoModelAndUnscoredIsReplaced) {
  Store store = create();
  const RunRecord run =
      store.load_run(store.create_run(example_run(), std::vector{example_task()}));
  const std::int64_t task = store.load_tasks(run.row)[0].row;
  std::vector<SampleRecord> samples{example_sample(0, true)};
  const ScoreRecord score = *samples[0].score;
  samples[0].score.reset();
  RunWriter writer(store, run.row, run.machine);
  writer.add(task, samples);
  const std::int64_t row = samples[0].generation.row;
  ScoreRecord unscored;
  unscored.verdict = Verdict::kUnscored;
  unscored.reason = "sandbox fault";
  writer.add_scores(task, std::vector<RunWriter::StoredScore>{{row, unscored}});
  EXPECT_FALSE(store.stored_keys(task)[0].scored);
  writer.add_scores(task, std::vector<RunWriter::StoredScore>{{row, score}});
  EXPECT_TRUE(store.stored_keys(task)[0].scored);
  EXPECT_EQ(all_samples(store, task)[0].score, score);
}

TEST_F(StoreTest, ASecondWriterIsRefusedAndTheLockEndsWithTheFirst) {
  Store store = create();
  const RunRecord run =
      store.load_run(store.create_run(example_run(), std::vector{example_task()}));
  Store other = Store::open(file(), OpenMode::kReadWrite);
  {
    const RunWriter writer(store, run.row, run.machine);
    const std::string message =
        error_message([&] { const RunWriter second(other, run.row, run.machine); });
    EXPECT_THAT(message, HasSubstr("being written by process " + std::to_string(getpid())));
    EXPECT_THAT(message, HasSubstr("on here"));
  }
  const RunWriter second(other, run.row, run.machine);
  EXPECT_EQ(store.load_run(run.name).attempts, 2);
}

TEST_F(StoreTest, TwoRunsAreWrittenAtOnceAndReadersAreNotBlocked) {
  Store a = create();
  Store b = Store::open(file(), OpenMode::kReadWrite);
  const RunRecord first = a.load_run(a.create_run(example_run("a"), std::vector{example_task()}));
  const RunRecord second = b.load_run(b.create_run(example_run("b"), std::vector{example_task()}));
  RunWriter writer_a(a, first.row, first.machine);
  RunWriter writer_b(b, second.row, second.machine);
  const Store reader = Store::open(file(), OpenMode::kReadOnly);
  for (int i = 0; i < 3; ++i) {
    std::vector<SampleRecord> one{example_sample(i, true)};
    writer_a.add(a.load_tasks(first.row)[0].row, one);
    std::vector<SampleRecord> two{example_sample(i, false)};
    writer_b.add(b.load_tasks(second.row)[0].row, two);
    EXPECT_EQ(reader.stored_keys(a.load_tasks(first.row)[0].row).size(),
              static_cast<std::size_t>(i) + 1);
  }
}

TEST_F(StoreTest, AnUnfinishedRunIsFoundByItsIdentityAndChangedInputsAreNamed) {
  Store store = create();
  const std::string name = store.create_run(example_run(), std::vector{example_task()});
  const auto found = store.find_unfinished("example/bf16");
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->name, name);
  EXPECT_FALSE(store.find_unfinished("example/fp8").has_value());
  EXPECT_EQ(changed_inputs(found->inputs, parse_json(R"({"suite":"s1","model":"m2","x":1})", "t")),
            "model, x");
  { RunWriter(store, found->row, found->machine).finish(RunStatus::kDone); }
  EXPECT_FALSE(store.find_unfinished("example/bf16").has_value());
}

TEST_F(StoreTest, ATagMovesAndKeepsItsHistory) {
  Store store = create();
  const RunRecord a = store.load_run(store.create_run(example_run("a"), {}));
  const RunRecord b = store.load_run(store.create_run(example_run("b"), {}));
  store.set_tag(a.row, "main", "first");
  store.set_tag(b.row, "main", "better");
  EXPECT_EQ(store.load_run("main").name, b.name);
  ASSERT_EQ(store.tag_history("main").size(), 2U);
  EXPECT_EQ(store.tag_history("main")[1].reason, "first");
  EXPECT_EQ(store.load_run(a.name.substr(a.name.size() - 6)).name, a.name);
  EXPECT_THAT(error_message([&] { (void)store.load_run("mian"); }), HasSubstr("\"main\""));
  EXPECT_THAT(error_message([&] { store.set_tag(a.row, "x y", ""); }), HasSubstr("letters"));
}

TEST_F(StoreTest, DeletingARunRemovesItsSamplesAndKeepsTheOthers) {
  const std::string first = make_finished();
  const std::string second = make_finished();
  Store store = Store::open(file(), OpenMode::kReadWrite);
  store.delete_run(store.load_run(first).row);
  ASSERT_EQ(store.list_runs().size(), 1U);
  const RunRecord left = store.load_run(second);
  EXPECT_EQ(all_samples(store, store.load_tasks(left.row)[0].row).size(), 3U);
  EXPECT_TRUE(store.verify(0).problems.empty());
}

TEST_F(StoreTest, OnlyAStoreWithoutRunsThatNobodyElseHasOpenIsTakenAway) {
  {
    const Store store = create();
    const Store other = Store::open(file(), OpenMode::kReadOnly);
    remove_unused_store(file());
    EXPECT_TRUE(std::filesystem::exists(file()));
  }
  remove_unused_store(file());
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
  make_finished();
  remove_unused_store(file());
  EXPECT_TRUE(std::filesystem::exists(file()));
}

TEST_F(StoreTest, AFinishedStoreIsOneFile) {
  make_finished();
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
    names.push_back(entry.path().filename().string());
  }
  EXPECT_THAT(names, ::testing::ElementsAre("results.db"));
}

// Files that are no sound store are refused in one line and stay as they are.
TEST_F(StoreTest, ForeignNewerAndTruncatedFilesAreRefusedUnchanged) {
  make_finished();
  const std::string good = read_file(file());
  const auto refuse = [&](std::string bytes, const std::string& part) {
    std::ofstream(file(), std::ios::binary) << bytes;
    for (const OpenMode mode : {OpenMode::kReadOnly, OpenMode::kReadWrite}) {
      const std::string message = error_message([&] { Store::open(file(), mode); });
      EXPECT_THAT(message, HasSubstr(part));
      EXPECT_THAT(message, HasSubstr(file().string()));
      EXPECT_EQ(message.find('\n'), std::string::npos);
    }
    EXPECT_EQ(read_file(file()), bytes);
  };
  refuse("hello, this is no database but long enough to look at", "not an assay store");
  std::string stranger = good;
  stranger[68] = 'X';  // application_id
  refuse(stranger, "not an assay store");
  std::string newer = good;
  newer[63] = 9;  // user_version
  refuse(newer, "use a newer assay");
  refuse(good.substr(0, good.size() / 2), "");
  refuse("", "empty file");
  EXPECT_THAT(error_message([&] { Store::open(folder_.path() / "no.db", OpenMode::kReadOnly); }),
              HasSubstr("no such store"));
}

TEST_F(StoreTest, AFlippedBitInAResponseIsFoundByItsDigest) {
  make_finished();
  std::string bytes = read_file(file());
  const std::size_t at = bytes.find("the answer is 8");
  ASSERT_NE(at, std::string::npos);
  bytes[at + 14] = '9';
  std::ofstream(file(), std::ios::binary) << bytes;
  const Store store = Store::open(file(), OpenMode::kReadOnly);
  const VerifyReport report = store.verify(0);
  ASSERT_EQ(report.problems.size(), 1U);
  EXPECT_THAT(report.problems[0], HasSubstr("gsm8k/test/1"));
}

TEST_F(StoreTest, AFlippedVerdictIsLeftOutOfTheStatistics) {
  const std::string name = make_finished();
  std::string bytes = read_file(file());
  std::size_t at = bytes.find("differs");
  ASSERT_NE(at, std::string::npos);
  bytes[at] = 'D';
  std::ofstream(file(), std::ios::binary) << bytes;
  const Store store = Store::open(file(), OpenMode::kReadOnly);
  const TaskScores scores = store.load_scores(store.load_tasks(store.load_run(name).row)[0].row);
  EXPECT_EQ(scores.damaged, 1);
  EXPECT_EQ(scores.rows.size(), 2U);
}

TEST_F(StoreTest, ScoresComeWithTheirParts) {
  const std::string name = make_finished();
  const Store store = Store::open(file(), OpenMode::kReadOnly);
  const TaskScores scores = store.load_scores(store.load_tasks(store.load_run(name).row)[0].row);
  ASSERT_EQ(scores.rows.size(), 3U);
  EXPECT_THAT(scores.metric_names, ::testing::ElementsAre("accuracy"));
  EXPECT_TRUE(scores.rows[0].correct);
  EXPECT_FALSE(scores.rows[1].correct);
  EXPECT_EQ(scores.rows[0].part_count, 1U);
  EXPECT_EQ(scores.rows[0].output_hash, scores.rows[2].output_hash);
  EXPECT_NE(scores.rows[0].output_hash, scores.rows[1].output_hash);
}

TEST_F(StoreTest, ImportCopiesRunsOnceAndRefusesDamagedFiles) {
  const std::string name = make_finished();
  const std::filesystem::path other = folder_.path() / "other.db";
  Store target = Store::open(other, OpenMode::kCreate);
  EXPECT_THAT(target.import_from(file()), ::testing::ElementsAre(name));
  EXPECT_TRUE(target.import_from(file()).empty());
  const RunRecord copy = target.load_run(name);
  EXPECT_EQ(copy.status, RunStatus::kDone);
  EXPECT_EQ(all_samples(target, target.load_tasks(copy.row)[0].row).size(), 3U);
  EXPECT_TRUE(target.verify(0).problems.empty());
  std::string bytes = read_file(file());
  bytes[bytes.find("the answer is 8") + 14] = '9';
  std::ofstream(file(), std::ios::binary) << bytes;
  EXPECT_THAT(error_message([&] { target.import_from(file()); }), HasSubstr("not imported"));
}

/// A store with one finished shard: samples [begin, end) of six.
std::filesystem::path shard_store(const std::filesystem::path& folder, int index,
                                  RunStatus status = RunStatus::kDone) {
  const std::filesystem::path file = folder / fmt::format("shard{}.db", index);
  Store store = Store::open(file, OpenMode::kCreate);
  RunRecord run = example_run();
  run.identity = fmt::format("shard {}", index);
  run.inputs.set(kShard, fmt::format("{}/3", index));
  run.inputs.set(kWholeRun, "whole identity");
  const RunTaskRecord task = example_task("gsm8k", 2);
  const RunRecord stored = store.load_run(store.create_run(run, std::vector{task}));
  RunWriter writer(store, stored.row, run.machine);
  std::vector<SampleRecord> samples;
  for (std::int64_t i = 2 * (index - 1); i < 2 * index; ++i) {
    samples.push_back(example_sample(i, i % 2 == 0));
  }
  writer.add(store.load_tasks(stored.row)[0].row, samples);
  if (status != RunStatus::kInterrupted) writer.finish(status);
  return file;
}

TEST_F(StoreTest, ShardsBecomeTheWholeRunInAnyOrderEachOnce) {
  Store target = create();
  const auto first = shard_store(folder_.path(), 3);
  const auto second = shard_store(folder_.path(), 1);
  EXPECT_EQ(target.import_from(first).size(), 1U);
  EXPECT_EQ(target.import_from(second).size(), 1U);
  EXPECT_TRUE(target.import_from(first).empty());
  EXPECT_TRUE(target.import_from(second).empty());
  ASSERT_EQ(target.list_runs().size(), 1U);
  EXPECT_EQ(target.list_runs()[0].inputs.at(kShard).as_string(), "1,3/3");
  EXPECT_FALSE(target.find_unfinished("whole identity"));

  EXPECT_EQ(target.import_from(shard_store(folder_.path(), 2)).size(), 1U);
  const RunRecord whole = target.list_runs()[0];
  EXPECT_EQ(target.list_runs().size(), 1U);
  EXPECT_EQ(whole.inputs, example_run().inputs);
  EXPECT_EQ(whole.identity, "whole identity");
  EXPECT_EQ(whole.status, RunStatus::kDone);
  const RunTaskRecord task = target.load_tasks(whole.row)[0];
  EXPECT_EQ(task.items, 6);
  const auto samples = all_samples(target, task.row);
  ASSERT_EQ(samples.size(), 6U);
  for (std::int64_t i = 0; i < 6; ++i) {
    EXPECT_EQ(samples[static_cast<std::size_t>(i)].generation.position, i);
  }
  EXPECT_TRUE(target.verify(0).problems.empty());
  EXPECT_TRUE(target.import_from(first).empty());
}

TEST_F(StoreTest, ShardsOfOtherInputsStayApartAndUnfinishedOnesAreRefused) {
  Store target = create();
  (void)target.import_from(shard_store(folder_.path(), 1));
  const auto other = shard_store(folder_.path(), 2);
  {
    Store changed = Store::open(folder_.path() / "changed.db", OpenMode::kCreate);
    RunRecord run = example_run();
    run.inputs = parse_json(R"({"model": "m2", "suite": "s1", "shard": "2/3"})", "t");
    run.inputs.set(kWholeRun, "whole identity");
    run.status = RunStatus::kDone;
    (void)changed.create_run(run, std::vector{example_task("gsm8k", 2)});
  }
  (void)target.import_from(folder_.path() / "changed.db");
  EXPECT_EQ(target.list_runs().size(), 2U);
  (void)target.import_from(other);
  EXPECT_EQ(target.list_runs().size(), 2U);
  std::filesystem::remove(other);
  const auto cut = shard_store(folder_.path(), 2, RunStatus::kInterrupted);
  EXPECT_THAT(error_message([&] { target.import_from(cut); }), HasSubstr("not finished"));
}

TEST_F(StoreTest, MeasurementsOfSpeedComeBack) {
  Store store = create();
  const RunRecord run = store.load_run(store.create_run(example_run(), {}));
  BenchCaseRecord bench{"latency/isl:8", "latency", parse_json(R"({"isl": 8})", "t"), {}};
  bench.reps.push_back({0, 0, false, "", 1000, "", Json(), {{"ttft_ms_p50", 1.5}}});
  store.add_bench(run.row, std::vector{bench});
  const auto back = store.load_bench(run.row);
  ASSERT_EQ(back.size(), 1U);
  EXPECT_EQ(back[0].params, bench.params);
  EXPECT_EQ(back[0].reps[0].values, bench.reps[0].values);
}

NumericsRecord example_numerics() {
  NumericsRecord n;
  n.reference = "bf16";
  n.text_sha256 = std::string(64, 'a');
  n.text_name = "story.txt";
  n.window_tokens = 256;
  n.tokens = 100;
  n.kl_mean = 0.01;
  n.kl_max = 1.5;
  n.top1 = 0.97;
  n.perplexity = 3.5;
  n.perplexity_reference = 3.25;
  n.layers = {{0.01, 40}, {0.02, 34}};
  return n;
}

TEST_F(StoreTest, NumericComparisonsComeBackReplaceThoseOfTheSameTextAndAreImported) {
  Store store = create();
  const std::string name = store.create_run(example_run(), {});
  const RunRecord run = store.load_run(name);
  NumericsRecord n = example_numerics();
  store.add_numerics(run.row, n);
  n.kl_mean = 0.02;
  store.add_numerics(run.row, n);
  EXPECT_THAT(store.load_numerics(run.row), ::testing::ElementsAre(n));
  n.text_sha256[0] = 'b';
  store.add_numerics(run.row, n);
  EXPECT_EQ(store.load_numerics(run.row).size(), 2U);
  Store target = Store::open(folder_.path() / "other.db", OpenMode::kCreate);
  target.import_from(file());
  EXPECT_EQ(target.load_numerics(target.load_run(name).row), store.load_numerics(run.row));
  store.delete_run(run.row);
  EXPECT_TRUE(store.load_numerics(run.row).empty());
}

/// As a program that knew version 1 alone left it.
void make_version_one(const std::filesystem::path& file) {
  SQLite::Database db(file.string(), SQLite::OPEN_READWRITE);
  db.exec(
      "DROP VIEW v_numerics; DROP TABLE numerics_layer; DROP TABLE numerics; DROP TABLE served;"
      "DELETE FROM schema_history WHERE version>1; PRAGMA user_version=1");
}

TEST_F(StoreTest, AStoreOfVersionOneIsReadAsItIsAndMigratedWhenItIsWritten) {
  const std::string name = make_finished();
  make_version_one(file());
  {
    const Store store = Store::open(file(), OpenMode::kReadOnly);
    EXPECT_TRUE(store.load_numerics(store.load_run(name).row).empty());
  }
  Store store = Store::open(file(), OpenMode::kReadWrite);
  const RunRecord run = store.load_run(name);
  EXPECT_TRUE(std::filesystem::exists(file().string() + ".v1.backup"));
  EXPECT_EQ(all_samples(store, store.load_tasks(run.row)[0].row).size(), 3U);
  store.add_numerics(run.row, example_numerics());
  EXPECT_THAT(store.load_numerics(run.row), ::testing::ElementsAre(example_numerics()));
}

}  // namespace
}  // namespace assay::store
