// Runs, their tasks and tags.
#include <random>

#include "base/check.h"
#include "base/error.h"
#include "base/text.h"
#include "store/digests.h"
#include "store/impl.h"
#include "store/lock.h"

namespace assay::store {

namespace {

std::string dump_or(const Json& json, const char* fallback) {
  return json.is_null() ? fallback : json.dump_canonical();
}

/// The row of a content-addressed table: found by digest, made when missing.
template <typename... Args>
std::int64_t identity_row(Connection& connection, const char* select, const char* insert,
                          const std::string& digest, const Args&... args) {
  {
    Query find(connection, select);
    if (find.with(digest).step()) return find.integer(0);
  }
  Query(connection, insert).with(digest, args...).run();
  return connection.last_row();
}

std::int64_t model_row(Connection& connection, const ModelRecord& m) {
  const std::string detail = dump_or(m.detail, "{}");
  const std::string digest = FieldDigest()
                                 .text(m.name)
                                 .text(m.digest)
                                 .text(m.tokenizer_digest)
                                 .integer(m.parameters)
                                 .integer(m.weight_bytes)
                                 .text(detail)
                                 .hex();
  return identity_row(connection, "SELECT id FROM model WHERE sha256=?",
                      "INSERT INTO model VALUES (NULL,?,?,?,?,?,?,?)", digest, m.name, m.digest,
                      m.tokenizer_digest, m.parameters, m.weight_bytes, detail);
}

std::int64_t build_row(Connection& connection, const BuildRecord& b) {
  const std::string digest =
      FieldDigest().text(b.version).text(b.git_commit).text(b.compiler).text(b.flags).hex();
  return identity_row(connection, "SELECT id FROM build WHERE sha256=?",
                      "INSERT INTO build VALUES (NULL,?,?,?,?,?)", digest, b.version, b.git_commit,
                      b.compiler, b.flags);
}

std::int64_t suite_row(Connection& connection, const RunRecord& run) {
  const std::string definition = dump_or(run.suite, "{}");
  const std::string digest = run.suite_digest.empty() ? sha256_hex(definition) : run.suite_digest;
  return identity_row(connection, "SELECT id FROM suite WHERE sha256=?",
                      "INSERT INTO suite VALUES (NULL,?,?,?)", digest, run.suite_name, definition);
}

std::int64_t task_row(Connection& connection, const RunTaskRecord& t) {
  const std::string metrics = metrics_to_json(t.metrics).dump();
  const std::string definition = dump_or(t.definition, "{}");
  const std::string digest = FieldDigest()
                                 .text(t.name)
                                 .text(t.protocol)
                                 .integer(t.protocol_version)
                                 .text(t.split)
                                 .text(t.dataset_digest)
                                 .integer(t.dataset_published ? 1 : 0)
                                 .text(t.prompts_digest)
                                 .text(metrics)
                                 .text(definition)
                                 .hex();
  return identity_row(connection, "SELECT id FROM task WHERE sha256=?",
                      "INSERT INTO task VALUES (NULL,?,?,?,?,?,?,?,?,?,?)", digest, t.name,
                      t.protocol, t.protocol_version, t.split, t.dataset_digest,
                      t.dataset_published, t.prompts_digest, metrics, definition);
}

/// "20261124-104501-k3f9x2": sorts by time, ends in something short to type.
std::string new_run_name() {
  std::string name;
  for (const char c : utc_now()) {
    if (c >= '0' && c <= '9') name += c;
    if (c == 'T') name += '-';
  }
  name += '-';
  constexpr std::string_view kAlphabet = "abcdefghjkmnpqrstvwxyz23456789";
  std::random_device device;
  for (int i = 0; i < 6; ++i) name += kAlphabet[device() % kAlphabet.size()];
  return name;
}

void insert_task(Connection& connection, std::int64_t run_row, std::int64_t position,
                 const RunTaskRecord& task) {
  Query(connection, "INSERT INTO run_task VALUES (NULL,?,?,?,?,?,?)")
      .with(run_row, task_row(connection, task),
            scorer_row(connection, task.scorer, task.scorer_version), position, task.items,
            task.repeats)
      .run();
}

constexpr const char* kSelectRun =
    "SELECT r.id, r.name, r.label, r.identity, r.inputs, r.setting, r.kv, r.device, r.arithmetic, "
    "r.engine, r.seed, r.branch, r.revision, r.sandbox, r.language_data, r.status, r.started_at, "
    "r.finished_at, r.energy_j, r.peak_memory_bytes, r.notes, s.name, s.sha256, s.definition, "
    "m.name, m.digest, m.tokenizer_digest, m.parameters, m.weight_bytes, m.detail, b.version, "
    "b.git_commit, b.compiler, b.flags, h.class, h.host, h.os, h.cpu, h.cores, h.memory_bytes, "
    "h.gpu, h.gpu_count, h.driver, h.cuda, h.nccl, h.detail, "
    "(SELECT count(*) FROM attempt a WHERE a.run_id = r.id), "
    "(SELECT ifnull(sum(active_ns), 0) FROM attempt a WHERE a.run_id = r.id) "
    "FROM run r JOIN suite s ON s.id = r.suite_id JOIN model m ON m.id = r.model_id "
    "JOIN build b ON b.id = r.build_id JOIN machine h ON h.id = r.machine_id "
    "WHERE ?1 = 0 OR r.id = ?1 ORDER BY r.started_at DESC, r.id DESC";

/// Reads the columns of kSelectRun one after the other.
RunRecord read_run(const Query& row) {
  RunRecord run;
  int column = 0;
  const auto text = [&] { return row.text(column++); };
  const auto integer = [&] { return row.integer(column++); };
  const auto json = [&] { return parse_json(row.text(column++), "store"); };
  run.row = integer();
  run.name = text();
  run.label = text();
  run.identity = text();
  run.inputs = json();
  run.setting = text();
  run.kv = text();
  run.device = text();
  run.arithmetic = text();
  run.engine = json();
  run.seed = std::strtoull(text().c_str(), nullptr, 10);
  run.branch = text();
  run.revision = text();
  run.sandbox = text();
  run.language_data = text();
  run.status = parse_run_status(text());
  run.started_at = text();
  run.finished_at = text();
  if (!row.is_null(column)) run.energy_j = row.real(column);
  ++column;
  if (!row.is_null(column)) run.peak_memory_bytes = row.integer(column);
  ++column;
  run.notes = text();
  run.suite_name = text();
  run.suite_digest = text();
  run.suite = json();
  run.model = {text(), text(), text(), integer(), integer(), json()};
  run.build = {text(), text(), text(), text()};
  run.machine = {text(), text(),    text(), text(), integer(), integer(),
                 text(), integer(), text(), text(), text(),    json()};
  run.attempts = integer();
  run.active_ns = integer();
  return run;
}

std::vector<RunRecord> read_runs(Connection& connection, std::int64_t run_row) {
  std::vector<RunRecord> runs;
  Query query(connection, kSelectRun);
  query.with(run_row);
  while (query.step()) runs.push_back(read_run(query));
  Query tags(connection,
             "SELECT name, run_id FROM tag t WHERE number = (SELECT max(number) FROM tag u "
             "WHERE u.name = t.name) ORDER BY name");
  while (tags.step()) {
    for (RunRecord& run : runs) {
      if (run.row == tags.integer(1)) run.tags.push_back(tags.text(0));
    }
  }
  return runs;
}

}  // namespace

bool is_plain_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_./").find(c) != std::string_view::npos;
  };
  return !name.empty() && name.size() <= 100 && name.front() != '/' &&
         name.find("..") == std::string_view::npos && std::all_of(name.begin(), name.end(), plain);
}

const char* run_status_name(RunStatus status) {
  constexpr const char* kNames[] = {"running", "done", "incomplete", "interrupted", "failed"};
  return kNames[static_cast<int>(status)];
}

RunStatus parse_run_status(std::string_view name) {
  for (int i = 0; i < 5; ++i) {
    if (run_status_name(static_cast<RunStatus>(i)) == name) return static_cast<RunStatus>(i);
  }
  throw_input("store: unknown run status \"{}\"", escaped(name));
}

std::int64_t machine_row(Connection& connection, const MachineRecord& m) {
  const std::string detail = dump_or(m.detail, "{}");
  FieldDigest digest;
  digest.text(m.machine_class).text(m.host).text(m.os).text(m.cpu).integer(m.cores);
  digest.integer(m.memory_bytes).text(m.gpu).integer(m.gpu_count).text(m.driver).text(m.cuda);
  digest.text(m.nccl).text(detail);
  return identity_row(connection, "SELECT id FROM machine WHERE sha256=?",
                      "INSERT INTO machine VALUES (NULL,?,?,?,?,?,?,?,?,?,?,?,?,?)", digest.hex(),
                      m.machine_class, m.host, m.os, m.cpu, m.cores, m.memory_bytes, m.gpu,
                      m.gpu_count, m.driver, m.cuda, m.nccl, detail);
}

std::int64_t scorer_row(Connection& connection, std::string_view name, std::string_view version) {
  {
    Query find(connection, "SELECT id FROM scorer WHERE name=? AND version=?");
    if (find.with(name, version).step()) return find.integer(0);
  }
  Query(connection, "INSERT INTO scorer VALUES (NULL,?,?)").with(name, version).run();
  return connection.last_row();
}

Json metrics_to_json(const std::vector<MetricRecord>& metrics) {
  Json out = Json::Array{};
  for (const MetricRecord& metric : metrics) {
    Json of = Json::Array{};
    for (const std::string& name : metric.of) of.push_back(name);
    Json entry;
    entry.set("name", metric.name);
    entry.set("kind", metric.kind);
    entry.set("part", metric.part);
    entry.set("k", metric.k);
    entry.set("of", of);
    out.push_back(entry);
  }
  return out;
}

std::vector<MetricRecord> metrics_from_json(const Json& json) {
  std::vector<MetricRecord> metrics;
  for (const Json& entry : json.as_array()) {
    MetricRecord metric{entry.at("name").as_string(),
                        entry.at("kind").as_string(),
                        entry.at("part").as_string(),
                        entry.at("k").as_int(),
                        {}};
    for (const Json& name : entry.at("of").as_array()) metric.of.push_back(name.as_string());
    metrics.push_back(std::move(metric));
  }
  return metrics;
}

std::string Store::create_run(const RunRecord& run, std::span<const RunTaskRecord> tasks) {
  Connection& connection = impl_->connection;
  const std::string name = run.name.empty() ? new_run_name() : run.name;
  ASSAY_CHECK(is_plain_name(name), "run name: " + name);
  return guarded(path(), [&] {
    WriteTransaction transaction(connection);
    const std::int64_t suite = suite_row(connection, run);
    const std::int64_t model = model_row(connection, run.model);
    const std::int64_t build = build_row(connection, run.build);
    const std::int64_t machine = machine_row(connection, run.machine);
    Query(connection,
          "INSERT INTO run VALUES (NULL,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")
        .with(name, run.label, run.identity, dump_or(run.inputs, "{}"), suite, model, build,
              machine, run.setting, run.kv, run.device, run.arithmetic, dump_or(run.engine, "{}"),
              std::to_string(run.seed), run.branch, run.revision, run.sandbox, run.language_data,
              run_status_name(run.status), run.started_at.empty() ? utc_now() : run.started_at,
              run.finished_at, run.energy_j, run.peak_memory_bytes, run.notes)
        .run();
    const std::int64_t row = connection.last_row();
    std::int64_t position = 0;
    for (const RunTaskRecord& task : tasks) insert_task(connection, row, position++, task);
    transaction.commit();
    return name;
  });
}

std::vector<RunRecord> Store::list_runs() const {
  return guarded(path(), [&] { return read_runs(impl_->connection, 0); });
}

RunRecord Store::load_run(std::string_view name_or_tag) const {
  std::vector<RunRecord> found;
  std::vector<std::string> names;
  for (RunRecord& run : list_runs()) {
    const bool tagged = std::find(run.tags.begin(), run.tags.end(), name_or_tag) != run.tags.end();
    if (run.name == name_or_tag || tagged) return std::move(run);
    names.push_back(run.name);
    for (const std::string& tag : run.tags) names.push_back(tag);
    const std::string_view name = run.name;
    if (name_or_tag.size() >= 3 && (name.starts_with(name_or_tag) || name.ends_with(name_or_tag))) {
      found.push_back(std::move(run));
    }
  }
  if (found.size() == 1) return std::move(found.front());
  if (found.size() > 1) {
    throw_input("{}: \"{}\" fits {} runs ({}, {} ...); give more of the name", path().string(),
                escaped(name_or_tag), found.size(), found[0].name, found[1].name);
  }
  throw_input("{}: no run or tag \"{}\"{}; `assay runs list` shows them", path().string(),
              escaped(name_or_tag), suggestion(name_or_tag, names));
}

std::optional<RunRecord> Store::find_unfinished(std::string_view identity) const {
  return guarded(path(), [&]() -> std::optional<RunRecord> {
    std::int64_t row = 0;
    {
      Query query(impl_->connection,
                  "SELECT id FROM run WHERE identity=? AND status <> 'done' "
                  "ORDER BY started_at DESC, id DESC LIMIT 1");
      if (!query.with(identity).step()) return std::nullopt;
      row = query.integer(0);
    }
    return read_runs(impl_->connection, row).front();
  });
}

std::vector<RunTaskRecord> Store::load_tasks(std::int64_t run_row) const {
  return guarded(path(), [&] {
    std::vector<RunTaskRecord> tasks;
    Query row(impl_->connection,
              "SELECT rt.id, t.name, t.protocol, t.protocol_version, t.split, t.dataset_digest, "
              "t.dataset_published, t.prompts_digest, t.metrics, t.definition, s.name, s.version, "
              "rt.items, rt.repeats FROM run_task rt JOIN task t ON t.id = rt.task_id "
              "JOIN scorer s ON s.id = rt.scorer_id WHERE rt.run_id = ? ORDER BY rt.position");
    row.with(run_row);
    while (row.step()) {
      RunTaskRecord task;
      task.row = row.integer(0);
      task.name = row.text(1);
      task.protocol = row.text(2);
      task.protocol_version = row.integer(3);
      task.split = row.text(4);
      task.dataset_digest = row.text(5);
      task.dataset_published = row.integer(6) != 0;
      task.prompts_digest = row.text(7);
      task.metrics = metrics_from_json(parse_json(row.text(8), "store"));
      task.definition = parse_json(row.text(9), "store");
      task.scorer = row.text(10);
      task.scorer_version = row.text(11);
      task.items = bounded(row.integer(12), kMaxCount, "items");
      task.repeats = bounded(row.integer(13), kMaxCount, "repeats");
      tasks.push_back(std::move(task));
    }
    return tasks;
  });
}

void Store::delete_run(std::int64_t run_row) {
  const std::optional<RunLock> lock = RunLock::try_lock(path(), run_row);
  if (!lock) throw_input("{}: another process writes this run; stop it first", path().string());
  guarded(path(), [&] {
    Connection& connection = impl_->connection;
    WriteTransaction transaction(connection);
    Query(connection, "DELETE FROM run WHERE id=?").with(run_row).run();
    connection.execute("DELETE FROM item WHERE id NOT IN (SELECT item_id FROM generation)");
    connection.execute("DELETE FROM prompt WHERE id NOT IN (SELECT prompt_id FROM generation)");
    transaction.commit();
  });
}

void Store::set_notes(std::int64_t run_row, std::string_view notes) {
  guarded(path(), [&] {
    Query(impl_->connection, "UPDATE run SET notes=? WHERE id=?").with(notes, run_row).run();
  });
}

void Store::set_tag(std::int64_t run_row, std::string_view tag, std::string_view reason) {
  if (!is_plain_name(tag)) {
    throw_input("tag \"{}\": letters, digits and -_./ only, at most 100", escaped(tag));
  }
  guarded(path(), [&] {
    Query(impl_->connection,
          "INSERT INTO tag VALUES (?1, 1 + ifnull((SELECT max(number) FROM tag WHERE name=?1), 0), "
          "?2, ?3, ?4)")
        .with(tag, run_row, utc_now(), reason)
        .run();
  });
}

std::vector<TagRecord> Store::tag_history(std::string_view tag) const {
  return guarded(path(), [&] {
    std::vector<TagRecord> out;
    Query row(impl_->connection,
              "SELECT t.name, r.name, t.set_at, t.reason FROM tag t JOIN run r ON r.id = t.run_id "
              "WHERE t.name=? ORDER BY t.number DESC");
    row.with(tag);
    while (row.step()) out.push_back({row.text(0), row.text(1), row.text(2), row.text(3)});
    return out;
  });
}

}  // namespace assay::store
