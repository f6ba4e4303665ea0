// The result store: one SQLite file. Schema: store/schema.sql; reasons: docs/STORE.md.
// A Store is one connection and belongs to one thread at a time. Every call may throw
// Error(kEnvironment) naming the file and the reason (disk full, locked, I/O error) and
// Error(kInput) for a damaged file. What was committed before such an error stays.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/records.h"
#include "store/score_rows.h"

namespace assay::store {

/// Among a run's inputs: the baseline against which it may have been stopped early.
inline constexpr const char* kGateBaseline = "gate baseline";

/// Among a run's inputs, where it holds only some shards of a run: "1,3/4", and the identity of the
/// whole. Both go when the last shard has come (`Store::import_from`).
inline constexpr const char* kShard = "shard";
inline constexpr const char* kWholeRun = "whole run";

enum class OpenMode {
  kReadOnly,   // works on a closed store in a read-only folder too
  kReadWrite,  // must exist
  kCreate,     // made when missing
};

struct SampleQuery {
  bool texts = true;                // prompt, output, ids, choices and question are filled in
  bool without_score_only = false;  // only responses that the task's scorer has not scored
  std::int64_t first_position = 0;
  std::int64_t row = 0;  // not 0: only this generation
};

struct VerifyReport {
  std::int64_t samples = 0;
  std::int64_t scores = 0;
  std::vector<std::string> problems;  // one line each: at most 100, then a count
};

class RunWriter;

class Store {
 public:
  /// Checks that the file is an assay store of a known version and sound, and migrates an older
  /// one (after a copy beside it). A file that is refused is not modified.
  /// Throws: Error(kInput) in one line for a foreign, newer, damaged or truncated file.
  static Store open(const std::filesystem::path& path, OpenMode mode);
  ~Store();
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const;

  /// Stores the run with its tasks; returns its name. `run.name` is kept when it is not "".
  std::string create_run(const RunRecord& run, std::span<const RunTaskRecord> tasks);
  /// Newest first.
  [[nodiscard]] std::vector<RunRecord> list_runs() const;
  /// By name, tag, or unique beginning or end of a name.
  /// Throws: Error(kInput) when there is none or more than one.
  [[nodiscard]] RunRecord load_run(std::string_view name_or_tag) const;
  /// The newest run of this identity that is not done.
  [[nodiscard]] std::optional<RunRecord> find_unfinished(std::string_view identity) const;
  [[nodiscard]] std::vector<RunTaskRecord> load_tasks(std::int64_t run_row) const;
  /// With all samples. Throws: Error(kInput) while another process writes the run.
  void delete_run(std::int64_t run_row);
  void set_notes(std::int64_t run_row, std::string_view notes);

  /// Moves the tag to the run; earlier places stay as its history. Names: letters, digits, "-_./".
  void set_tag(std::int64_t run_row, std::string_view tag, std::string_view reason);
  [[nodiscard]] std::vector<TagRecord> tag_history(std::string_view tag) const;

  [[nodiscard]] std::vector<StoredKey> stored_keys(std::int64_t run_task_row) const;
  /// In the order (position, repeat), until `visit` returns false.
  void for_each_sample(std::int64_t run_task_row, const SampleQuery& query,
                       const std::function<bool(const SampleRecord&)>& visit) const;
  [[nodiscard]] TaskScores load_scores(std::int64_t run_task_row) const;
  /// Every item of the task by row key, without question; in the order of the row keys.
  [[nodiscard]] std::vector<std::pair<std::int64_t, ItemRecord>> load_items(
      std::int64_t run_task_row) const;
  /// One item, without question.
  [[nodiscard]] ItemRecord load_item(std::int64_t item_row) const;
  [[nodiscard]] std::string load_prompt_text(std::int64_t prompt_row) const;

  void add_bench(std::int64_t run_row, std::span<const BenchCaseRecord> cases);
  [[nodiscard]] std::vector<BenchCaseRecord> load_bench(std::int64_t run_row) const;

  /// Replaces what the run has of the same text.
  void add_numerics(std::int64_t run_row, const NumericsRecord& numerics);
  /// One for each text, in the order they were stored.
  [[nodiscard]] std::vector<NumericsRecord> load_numerics(std::int64_t run_row) const;

  /// Structure and foreign keys of the file, digest of every sample of the run (0: of all runs).
  [[nodiscard]] VerifyReport verify(std::int64_t run_row) const;
  /// Copies every run of another store that is not here yet; returns their names. Finished shards
  /// of one run become one run, which is done when all are there; a shard that came before is left
  /// out. Throws: Error(kInput) for a damaged store or an unfinished shard.
  std::vector<std::string> import_from(const std::filesystem::path& other);

  struct Impl;

 private:
  friend class RunWriter;
  void add_shard(const RunRecord& target, const RunRecord& shard,
                 const std::vector<RunTaskRecord>& tasks);
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

struct RunTotals {
  std::optional<double> energy_j;
  std::optional<std::int64_t> peak_memory_bytes;
};

/// Writes one run. Holds the run's lock, which ends with the process; counts active time.
/// REQUIRES: outlived by its Store; used from one thread.
class RunWriter {
 public:
  /// Starts an attempt. Throws: Error(kInput) naming pid and host when another process writes it.
  RunWriter(Store& store, std::int64_t run_row, const MachineRecord& machine);
  /// Leaves the run "interrupted" unless finish() was called.
  ~RunWriter();
  RunWriter(const RunWriter&) = delete;
  RunWriter& operator=(const RunWriter&) = delete;
  RunWriter(RunWriter&&) = delete;
  RunWriter& operator=(RunWriter&&) = delete;

  /// One transaction for all of them: on return they are on disk. An error stored earlier for the
  /// same place is replaced; a response never is. Sets `generation.row` and `.attempts`.
  void add(std::int64_t run_task_row, std::span<SampleRecord> samples);
  /// Scores of stored responses, by the task's scorer, in one transaction; unscored ones stored
  /// earlier are replaced.
  struct StoredScore {
    std::int64_t generation_row = 0;
    ScoreRecord score;
  };
  void add_scores(std::int64_t run_task_row, std::span<const StoredScore> scores);
  /// From now on this scorer's verdicts count for the task; older ones stay in the file.
  void set_scorer(std::int64_t run_task_row, std::string_view scorer, std::string_view version);
  /// Sets status and end, writes all into the one file.
  void finish(RunStatus status, const RunTotals& totals = {});

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Takes a store away again that holds no run and that nobody else has open; otherwise does
/// nothing.
void remove_unused_store(const std::filesystem::path& path);
/// "model digest, suite": the names whose digests differ or that only one side has; "" when none.
std::string changed_inputs(const Json& before, const Json& now);
/// The time as the store writes it: "2026-11-24T10:45:01Z".
std::string utc_now();

}  // namespace assay::store
