// Copies runs from another store. That file is not trusted: it is opened read-only with all checks,
// read column by column, and written again through the same calls that a run uses.
#include <algorithm>
#include <map>
#include <set>

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

constexpr const char* kShardNote = "shards ";  // then the names of the runs that were put together

/// Which shards a run holds.
struct ShardList {
  std::set<std::int64_t> indices;
  std::int64_t count = 0;

  [[nodiscard]] std::string text() const {
    std::string out;
    for (const std::int64_t index : indices) {
      out += (out.empty() ? "" : ",") + std::to_string(index);
    }
    return out + "/" + std::to_string(count);
  }
};

/// Of "1,3/4". Throws: Error(kInput): the text may come from another's store.
ShardList shards_of(const RunRecord& run) {
  const std::string text = run.inputs.at(kShard).as_string();
  const std::size_t slash = std::min(text.find('/'), text.size());
  ShardList out;
  out.count = parse_int(text.substr(std::min(slash + 1, text.size()))).value_or(0);
  for (const std::string_view index : split(std::string_view(text).substr(0, slash), ',')) {
    const std::int64_t number = parse_int(index).value_or(0);
    if (number < 1 || number > out.count || !out.indices.insert(number).second) {
      throw_input("run {}: \"{}\" names no shards", run.name, escaped(text));
    }
  }
  return out;
}

ShardList merged(ShardList a, const ShardList& b) {
  a.indices.insert(b.indices.begin(), b.indices.end());
  return a;
}

/// Whether the run, or a run that it became part of, is here.
bool is_known(const RunRecord& run, const std::vector<RunRecord>& here) {
  return std::any_of(here.begin(), here.end(), [&](const RunRecord& other) {
    if (other.name == run.name) return true;
    if (!other.notes.starts_with(kShardNote)) return false;
    const auto names = split(std::string_view(other.notes), ' ');
    return std::find(names.begin(), names.end(), run.name) != names.end();
  });
}

/// What must agree between shards of one run.
Json without_shard(const Json& inputs) {
  Json out{Json::Object{}};
  for (const auto& [name, value] : inputs.as_object()) {
    if (name != kShard) out.set(name, value);
  }
  return out;
}

/// Refuses one that is not finished, and notes its name.
void begin_shard(RunRecord& run) {
  if (run.status != RunStatus::kDone && run.status != RunStatus::kIncomplete) {
    throw_input("shard {} is not finished; its command continues it", shards_of(run).text());
  }
  run.notes = kShardNote + run.name;
}

/// The run here that lacks this shard and has others of the same run.
const RunRecord* find_target(const RunRecord& shard, const std::vector<RunRecord>& here) {
  const ShardList own = shards_of(shard);
  const auto fits = [&](const RunRecord& run) {
    if (run.inputs.find(kShard) == nullptr) return false;
    if (!changed_inputs(without_shard(run.inputs), without_shard(shard.inputs)).empty()) {
      return false;
    }
    const ShardList others = shards_of(run);
    return others.count == own.count &&
           std::none_of(own.indices.begin(), own.indices.end(),
                        [&](std::int64_t index) { return others.indices.contains(index); });
  };
  const auto found = std::find_if(here.begin(), here.end(), fits);
  return found == here.end() ? nullptr : &*found;
}

bool same_tasks(const std::vector<RunTaskRecord>& a, const std::vector<RunTaskRecord>& b) {
  return std::equal(
      a.begin(), a.end(), b.begin(), b.end(), [](const RunTaskRecord& x, const RunTaskRecord& y) {
        return x.name == y.name && x.protocol == y.protocol &&
               x.protocol_version == y.protocol_version && x.split == y.split &&
               x.dataset_digest == y.dataset_digest && x.prompts_digest == y.prompts_digest &&
               x.repeats == y.repeats && x.definition == y.definition;
      });
}

}  // namespace

/// Samples of one task that are not there yet, a batch a transaction.
static void copy_samples(const Store& from, std::int64_t from_task, const Store& to,
                         RunWriter& writer, std::int64_t to_task) {
  std::map<std::pair<std::int64_t, std::int64_t>, std::string> there;
  for (StoredKey& key : to.stored_keys(to_task)) {
    if (!key.error) there[{key.position, key.repeat}] = std::move(key.response_key);
  }
  std::vector<SampleRecord> batch;
  from.for_each_sample(from_task, {}, [&](const SampleRecord& sample) {
    check_sizes(from.path(), sample);
    const auto found = there.find({sample.generation.position, sample.generation.repeat});
    if (found == there.end()) {
      batch.push_back(sample);
    } else if (found->second != sample.generation.response_key) {
      throw_input("{}: sample {} is stored here with another prompt, model or sampling",
                  from.path().string(), sample.item.key.substr(0, 100));
    }
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
      copy_samples(from, tasks[i].row, to, writer, own[i].row);
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

/// Adds the samples of a shard to the run that has the others. What is there already (an import
/// that was cut short) stays.
static void merge_shard(const Store& from, const RunRecord& run, Store& to,
                        const RunRecord& target) {
  const std::vector<RunTaskRecord> tasks = from.load_tasks(run.row);
  const std::vector<RunTaskRecord> own = to.load_tasks(target.row);
  if (!same_tasks(tasks, own)) throw_input("its tasks are not those of {}", target.name);
  RunWriter writer(to, target.row, run.machine);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    copy_samples(from, tasks[i].row, to, writer, own[i].row);
  }
  const bool sound = run.status == RunStatus::kDone && target.status == RunStatus::kDone;
  writer.finish(sound ? RunStatus::kDone : RunStatus::kIncomplete,
                {.peak_memory_bytes = std::max(run.peak_memory_bytes, target.peak_memory_bytes)});
}

std::vector<std::string> Store::import_from(const std::filesystem::path& other) {
  const Store from = Store::open(other, OpenMode::kReadOnly);
  const VerifyReport report = from.verify(0);
  if (!report.problems.empty()) {
    throw_input("{}: not imported: {}", other.string(), report.problems.front());
  }
  std::vector<std::string> imported;
  for (RunRecord& run : from.list_runs()) {
    const std::vector<RunRecord> here = list_runs();
    if (is_known(run, here)) continue;
    try {
      const bool is_shard = run.inputs.find(kShard) != nullptr;
      if (is_shard) begin_shard(run);
      const RunRecord* target = is_shard ? find_target(run, here) : nullptr;
      if (target == nullptr) {
        copy_run(*this, from, run);
      } else {
        merge_shard(from, run, *this, *target);
        add_shard(*target, run, from.load_tasks(run.row));
      }
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kInput) throw;
      throw_input("{}: run {} not imported: {}", other.string(), escaped(run.name, 100),
                  error.what());
    }
    imported.push_back(run.name);
  }
  return imported;
}

/// The run takes the shard's place in the count; with the last one it is the whole run.
void Store::add_shard(const RunRecord& target, const RunRecord& shard,
                      const std::vector<RunTaskRecord>& tasks) {
  const ShardList list = merged(shards_of(target), shards_of(shard));
  const bool whole = std::ssize(list.indices) == list.count;
  Json inputs{Json::Object{}};
  for (const auto& [name, value] : target.inputs.as_object()) {
    if (name == kShard) {
      if (!whole) inputs.set(name, list.text());
    } else if (name != kWholeRun || !whole) {
      inputs.set(name, value);
    }
  }
  const std::string before =
      target.notes.starts_with(kShardNote) ? target.notes : kShardNote + target.name;
  const std::string identity = whole ? target.inputs.at(kWholeRun).as_string() : target.identity;
  guarded(path(), [&] {
    Connection& connection = impl_->connection;
    WriteTransaction transaction(connection);
    Query(connection, "UPDATE run SET inputs=?, identity=?, notes=? WHERE id=?")
        .with(inputs.dump_canonical(), identity, before + " " + shard.name, target.row)
        .run();
    std::int64_t position = 0;
    for (const RunTaskRecord& task : tasks) {
      Query(connection, "UPDATE run_task SET items = items + ? WHERE run_id=? AND position=?")
          .with(task.items, target.row, position++)
          .run();
    }
    transaction.commit();
  });
}

}  // namespace assay::store
