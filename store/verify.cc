// Finds rows whose content changed behind SQLite's back.
#include <fmt/format.h>

#include "store/digests.h"
#include "store/impl.h"

namespace assay::store {

namespace {

constexpr std::size_t kMaxProblems = 100;

class Problems {
 public:
  explicit Problems(VerifyReport& report) : report_(&report) {}
  ~Problems() {
    if (more_ > 0) report_->problems.push_back(fmt::format("... and {} more", more_));
  }
  Problems(const Problems&) = delete;
  Problems& operator=(const Problems&) = delete;
  Problems(Problems&&) = delete;
  Problems& operator=(Problems&&) = delete;
  void add(std::string text) {
    if (report_->problems.size() < kMaxProblems) {
      report_->problems.push_back(std::move(text));
    } else {
      ++more_;
    }
  }

 private:
  VerifyReport* report_;
  std::size_t more_ = 0;
};

void check_structure(Connection& connection, Problems& problems) {
  SQLite::Statement integrity(connection.db(), "PRAGMA integrity_check(20)");
  while (integrity.executeStep()) {
    const std::string line = integrity.getColumn(0).getString();
    if (line != "ok") problems.add("structure: " + line);
  }
  SQLite::Statement keys(connection.db(), "PRAGMA foreign_key_check");
  while (keys.executeStep()) {
    problems.add("structure: a row of " + keys.getColumn(0).getString() + " without its owner");
  }
}

void check_sample(Connection& connection, const std::string& place, const SampleRecord& sample,
                  Problems& problems) {
  const std::int64_t row = sample.generation.row;
  Query stored(connection, "SELECT digest, output_hash FROM generation WHERE id=?");
  stored.with(row).step();
  if (generation_digest(sample) != stored.bytes(0) ||
      output_hash(sample.generation) != stored.bytes(1)) {
    problems.add(fmt::format("{}: the stored response does not fit its digest", place));
  }
}

}  // namespace

VerifyReport Store::verify(std::int64_t run_row) const {
  Connection& connection = impl_->connection;
  VerifyReport report;
  Problems problems(report);
  guarded(path(), [&] {
    check_structure(connection, problems);
    for (const RunRecord& run : list_runs()) {
      if (run_row != 0 && run.row != run_row) continue;
      for (const RunTaskRecord& task : load_tasks(run.row)) {
        for_each_sample(task.row, {}, [&](const SampleRecord& sample) {
          ++report.samples;
          check_sample(
              connection,
              fmt::format("{} {} repeat {}", run.name, sample.item.key, sample.generation.repeat),
              sample, problems);
          return true;
        });
        const TaskScores scores = load_scores(task.row);
        report.scores += static_cast<std::int64_t>(scores.rows.size()) + scores.damaged;
        if (scores.damaged > 0) {
          problems.add(fmt::format("{} {}: {} scores do not fit their digests", run.name, task.name,
                                   scores.damaged));
        }
      }
    }
  });
  return report;
}

}  // namespace assay::store
