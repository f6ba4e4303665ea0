// Copies runs from another store. That file is not trusted: it is opened read-only with all checks,
// read column by column, and written again through the same calls that a run uses.
#include "base/error.h"
#include "base/text.h"
#include "store/digests.h"
#include "store/impl.h"

namespace assay::store {

namespace {

constexpr std::size_t kMaxText = std::size_t{16} << 20;
constexpr std::size_t kBatch = 200;

void check_sizes(const std::filesystem::path& path, const SampleRecord& sample) {
  const GenerationRecord& g = sample.generation;
  const bool too_long = sample.item.question.size() > kMaxText || g.prompt.text.size() > kMaxText ||
                        g.text.size() > kMaxText;
  if (too_long) {
    throw_input("{}: a text of sample {} is longer than {} bytes; not imported", path.string(),
                sample.item.key.substr(0, 100), kMaxText);
  }
}

}  // namespace

/// Samples of one task, a batch a transaction.
static void copy_samples(const Store& from, std::int64_t from_task, RunWriter& writer,
                         std::int64_t to_task) {
  std::vector<SampleRecord> batch;
  from.for_each_sample(from_task, {}, [&](const SampleRecord& sample) {
    check_sizes(from.path(), sample);
    batch.push_back(sample);
    if (batch.size() == kBatch) {
      writer.add(to_task, batch);
      batch.clear();
    }
    return true;
  });
  if (!batch.empty()) writer.add(to_task, batch);
}

/// One run with all it has. Nothing of it stays when that fails.
static void copy_run(Store& to, const Store& from, const RunRecord& run) {
  if (!is_plain_name(run.name)) throw_input("a run is named \"{}\"", escaped(run.name, 100));
  const std::vector<RunTaskRecord> tasks = from.load_tasks(run.row);
  const std::int64_t row = to.load_run(to.create_run(run, tasks)).row;
  try {
    const std::vector<RunTaskRecord> own = to.load_tasks(row);
    RunWriter writer(to, row, run.machine);
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      copy_samples(from, tasks[i].row, writer, own[i].row);
    }
    to.add_bench(row, from.load_bench(run.row));
    for (const NumericsRecord& numerics : from.load_numerics(run.row)) {
      to.add_numerics(row, numerics);
    }
    writer.finish(run.status, {run.energy_j, run.peak_memory_bytes});
  } catch (const Error&) {
    to.delete_run(row);
    throw;
  }
}

std::vector<std::string> Store::import_from(const std::filesystem::path& other) {
  const Store from = Store::open(other, OpenMode::kReadOnly);
  const VerifyReport report = from.verify(0);
  if (!report.problems.empty()) {
    throw_input("{}: not imported: {}", other.string(), report.problems.front());
  }
  std::vector<std::string> known;
  for (const RunRecord& run : list_runs()) known.push_back(run.name);
  std::vector<std::string> imported;
  for (const RunRecord& run : from.list_runs()) {
    if (std::find(known.begin(), known.end(), run.name) != known.end()) continue;
    try {
      copy_run(*this, from, run);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kInput) throw;
      throw_input("{}: run {} not imported: {}", other.string(), escaped(run.name, 100),
                  error.what());
    }
    imported.push_back(run.name);
  }
  return imported;
}

}  // namespace assay::store
