// The writer of one run.
#include <unistd.h>

#include <chrono>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "store/digests.h"
#include "store/impl.h"
#include "store/lock.h"

namespace assay::store {

namespace {

std::int64_t item_row(Connection& connection, const ItemRecord& item) {
  const std::string digest = item_digest(item);
  {
    Query find(connection, "SELECT id FROM item WHERE sha256=?");
    if (find.with(Blob{digest}).step()) return find.integer(0);
  }
  Query(connection, "INSERT INTO item VALUES (NULL,?,?,?,?,?,?,?)")
      .with(Blob{digest}, item.key, item.group, item.category, item.cluster, item.question,
            item.target)
      .run();
  return connection.last_row();
}

std::int64_t prompt_row(Connection& connection, const PromptRecord& prompt) {
  const std::string digest = prompt_digest(prompt);
  {
    Query find(connection, "SELECT id FROM prompt WHERE sha256=?");
    if (find.with(Blob{digest}).step()) return find.integer(0);
  }
  Query(connection, "INSERT INTO prompt VALUES (NULL,?,?,?)")
      .with(Blob{digest}, prompt.text, Blob{pack_ids(prompt.ids)})
      .run();
  return connection.last_row();
}

std::int64_t metric_row(Connection& connection, const std::string& name) {
  {
    Query find(connection, "SELECT id FROM metric_name WHERE name=?");
    if (find.with(name).step()) return find.integer(0);
  }
  Query(connection, "INSERT INTO metric_name VALUES (NULL,?)").with(name).run();
  return connection.last_row();
}

struct Scorer {
  std::int64_t row = 0;
  std::string label;  // "name version", as digests cover it
};

Scorer scorer_of(Connection& connection, std::int64_t run_task_row) {
  Query find(connection,
             "SELECT s.id, s.name || ' ' || s.version FROM run_task rt "
             "JOIN scorer s ON s.id = rt.scorer_id WHERE rt.id=?");
  ASSAY_CHECK(find.with(run_task_row).step(), "no such task of a run");
  return {find.integer(0), find.text(1)};
}

/// An error that was stored for this place makes way; its attempts count on.
std::int64_t replace_error(Connection& connection, std::int64_t run_task_row,
                           const GenerationRecord& generation) {
  std::int64_t attempts = 0;
  {
    Query find(connection,
               "SELECT attempts, finish_reason FROM generation "
               "WHERE run_task_id=? AND position=? AND repeat=?");
    if (!find.with(run_task_row, generation.position, generation.repeat).step()) return 0;
    attempts = find.integer(0);
    ASSAY_CHECK(find.text(1) == "error", "a stored response was to be written again");
  }
  Query(connection, "DELETE FROM generation WHERE run_task_id=? AND position=? AND repeat=?")
      .with(run_task_row, generation.position, generation.repeat)
      .run();
  return attempts;
}

void insert_score(Connection& connection, std::int64_t generation_row, const Scorer& scorer,
                  const std::string& response_key, const ScoreRecord& score) {
  Query(connection,
        "DELETE FROM score WHERE generation_id=? AND scorer_id=? AND verdict='unscored'")
      .with(generation_row, scorer.row)
      .run();
  const std::string detail = score.detail.dump();
  const std::string digest = score_digest({response_key, scorer.label, verdict_name(score.verdict),
                                           score.value, score.answer, score.reason, detail},
                                          score.parts);
  Query(connection, "INSERT INTO score VALUES (?,?,?,?,?,?,?,?)")
      .with(generation_row, scorer.row, verdict_name(score.verdict), score.value, score.answer,
            score.reason, detail, Blob{digest})
      .run();
  std::int64_t number = 0;
  for (const PartRecord& part : score.parts) {
    Query(connection, "INSERT INTO score_part VALUES (?,?,?,?,?,?)")
        .with(generation_row, scorer.row, number++, metric_row(connection, part.metric), part.value,
              part.count)
        .run();
  }
}

void insert_served(Connection& connection, std::int64_t generation_row,
                   const ServedRecord& served) {
  if (served.endpoint.empty()) return;
  Json faults{Json::Array{}};
  for (const std::string& fault : served.faults) faults.push_back(storable_text(fault));
  Query(connection, "INSERT INTO served VALUES (?,?,?,?,?,?,?)")
      .with(generation_row, storable_text(served.endpoint), storable_text(served.model),
            storable_text(served.fingerprint), served.attempts, served.waited_ns, faults.dump())
      .run();
}

void insert_generation(Connection& connection, std::int64_t run_task_row, SampleRecord& sample) {
  GenerationRecord& g = sample.generation;
  g.attempts += replace_error(connection, run_task_row, g);
  const std::string digest = generation_digest(sample);
  Query(connection, "INSERT INTO generation VALUES (NULL,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)")
      .with(run_task_row, g.position, g.repeat, item_row(connection, sample.item),
            prompt_row(connection, g.prompt), g.attempts, Blob{bytes_of_hex(g.response_key)},
            Blob{output_hash(g)}, g.finish_reason, g.prompt_tokens, g.cached_tokens,
            g.output_tokens, g.scheduled_ns, g.sent_ns, g.first_ns, g.last_ns, Blob{digest})
      .run();
  g.row = connection.last_row();
  Query(connection, "INSERT INTO generation_text VALUES (?,?,?,?,?)")
      .with(g.row, g.text, Blob{pack_ids(g.ids)}, choices_to_json(g.choices), g.error)
      .run();
  insert_served(connection, g.row, g.served);
}

/// Valid UTF-8 everywhere, before anything is digested.
void make_storable(ScoreRecord& score) {
  for (std::string* text : {&score.answer, &score.reason}) *text = storable_text(*text);
  for (PartRecord& part : score.parts) part.metric = storable_text(part.metric);
}

void make_storable(SampleRecord& sample) {
  ItemRecord& item = sample.item;
  GenerationRecord& g = sample.generation;
  if (item.cluster.empty()) item.cluster = item.key;
  for (std::string* text : {&item.key, &item.group, &item.category, &item.cluster, &item.question,
                            &item.target, &g.prompt.text, &g.text, &g.error}) {
    *text = storable_text(*text);
  }
  if (sample.score) make_storable(*sample.score);
}

}  // namespace

struct RunWriter::State {
  Connection* connection = nullptr;
  std::int64_t run_row = 0;
  std::int64_t attempt = 0;
  RunLock lock;
  std::chrono::steady_clock::time_point counted;  // active time is stored up to here
  bool finished = false;

  /// Adds the time since the last transaction; part of every transaction.
  void count_time() {
    const auto now = std::chrono::steady_clock::now();
    const auto passed = std::chrono::duration_cast<std::chrono::nanoseconds>(now - counted).count();
    Query(*connection, "UPDATE attempt SET active_ns = active_ns + ? WHERE run_id=? AND number=?")
        .with(passed, run_row, attempt)
        .run();
    counted = now;
  }
};

namespace {

[[noreturn]] void refuse_second_writer(Connection& connection, std::int64_t run_row) {
  Query holder(connection,
               "SELECT r.name, a.pid, m.host FROM run r LEFT JOIN attempt a ON a.run_id = r.id "
               "LEFT JOIN machine m ON m.id = a.machine_id WHERE r.id=? "
               "ORDER BY a.number DESC LIMIT 1");
  holder.with(run_row);
  const bool known = holder.step();
  throw_input("{}: run {} is being written by process {} on {}; wait for it or stop it",
              connection.path().string(), known ? holder.text(0) : "?",
              known ? holder.integer(1) : 0, known ? holder.text(2) : "?");
}

}  // namespace

RunWriter::RunWriter(Store& store, std::int64_t run_row, const MachineRecord& machine) {
  Connection& connection = store.impl_->connection;
  std::optional<RunLock> lock = RunLock::try_lock(store.path(), run_row);
  guarded(store.path(), [&] {
    if (!lock) refuse_second_writer(connection, run_row);
    WriteTransaction transaction(connection);
    Query(connection,
          "INSERT INTO attempt VALUES (?1, 1 + ifnull((SELECT max(number) FROM attempt "
          "WHERE run_id=?1), 0), ?2, ?3, ?4, 0, 'running')")
        .with(run_row, machine_row(connection, machine), static_cast<std::int64_t>(getpid()),
              utc_now())
        .run();
    std::int64_t number = 0;
    {
      Query last(connection, "SELECT max(number) FROM attempt WHERE run_id=?");
      if (last.with(run_row).step()) number = last.integer(0);
    }
    Query(connection, "UPDATE run SET status='running', finished_at='' WHERE id=?")
        .with(run_row)
        .run();
    transaction.commit();
    state_ = std::make_unique<State>(State{&connection, run_row, number, std::move(*lock),
                                           std::chrono::steady_clock::now(), false});
  });
}

RunWriter::~RunWriter() {
  if (!state_ || state_->finished) return;
  try {
    finish(RunStatus::kInterrupted);
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch): the run stays "running", resumable
  }
}

void RunWriter::add(std::int64_t run_task_row, std::span<SampleRecord> samples) {
  Connection& connection = *state_->connection;
  for (SampleRecord& sample : samples) make_storable(sample);
  guarded(connection.path(), [&] {
    WriteTransaction transaction(connection);
    const Scorer scorer = scorer_of(connection, run_task_row);
    for (SampleRecord& sample : samples) {
      insert_generation(connection, run_task_row, sample);
      if (sample.score) {
        insert_score(connection, sample.generation.row, scorer, sample.generation.response_key,
                     *sample.score);
      }
    }
    state_->count_time();
    transaction.commit();
  });
}

void RunWriter::add_scores(std::int64_t run_task_row, std::span<const StoredScore> scores) {
  Connection& connection = *state_->connection;
  guarded(connection.path(), [&] {
    WriteTransaction transaction(connection);
    const Scorer scorer = scorer_of(connection, run_task_row);
    for (const StoredScore& stored : scores) {
      std::string key;
      {
        Query find(connection, "SELECT response_key FROM generation WHERE id=? AND run_task_id=?");
        ASSAY_CHECK(find.with(stored.generation_row, run_task_row).step(), "no such generation");
        key = hex_of_bytes(find.bytes(0));
      }
      ScoreRecord score = stored.score;
      make_storable(score);
      insert_score(connection, stored.generation_row, scorer, key, score);
    }
    state_->count_time();
    transaction.commit();
  });
}

void RunWriter::set_scorer(std::int64_t run_task_row, std::string_view scorer,
                           std::string_view version) {
  Connection& connection = *state_->connection;
  guarded(connection.path(), [&] {
    WriteTransaction transaction(connection);
    Query(connection, "UPDATE run_task SET scorer_id=? WHERE id=?")
        .with(scorer_row(connection, scorer, version), run_task_row)
        .run();
    transaction.commit();
  });
}

void RunWriter::finish(RunStatus status, const RunTotals& totals) {
  ASSAY_CHECK(!state_->finished, "a run was finished twice");
  Connection& connection = *state_->connection;
  guarded(connection.path(), [&] {
    WriteTransaction transaction(connection);
    state_->count_time();
    Query(connection,
          "UPDATE run SET status=?, finished_at=?, energy_j=coalesce(?, energy_j), "
          "peak_memory_bytes=max(ifnull(?, 0), ifnull(peak_memory_bytes, 0)) WHERE id=?")
        .with(run_status_name(status), utc_now(), totals.energy_j, totals.peak_memory_bytes,
              state_->run_row)
        .run();
    Query(connection, "UPDATE attempt SET status=? WHERE run_id=? AND number=?")
        .with(run_status_name(status), state_->run_row, state_->attempt)
        .run();
    transaction.commit();
  });
  state_->finished = true;
  // One file afterwards, so that it can be copied. Readers may keep it from being complete; a full
  // disk may too, and then the run is finished all the same.
  try {
    SQLite::Statement(connection.db(), "PRAGMA wal_checkpoint(TRUNCATE)").executeStep();
  } catch (const SQLite::Exception& error) {
    log_warning("{}: all is stored, but in two files, of which {}-wal is one ({})",
                connection.path().string(), connection.path().string(), error.what());
  }
}

}  // namespace assay::store
