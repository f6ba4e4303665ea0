// Reading samples back.
#include "base/error.h"
#include "base/text.h"
#include "store/digests.h"
#include "store/impl.h"
#include "store/migrate.h"

namespace assay::store {

namespace {

constexpr const char* kSelectSamples =
    "SELECT g.id, g.position, g.repeat, g.attempts, g.response_key, g.finish_reason, "
    "g.prompt_tokens, g.cached_tokens, g.output_tokens, g.scheduled_ns, g.sent_ns, g.first_ns, "
    "g.last_ns, i.key, i.grp, i.category, i.cluster, i.question, i.target, p.text, p.ids, "
    "x.output, x.ids, x.choices, x.error, s.verdict, s.value, s.answer, s.reason, s.detail, "
    "s.scorer_id "
    "FROM generation g JOIN run_task rt ON rt.id = g.run_task_id JOIN item i ON i.id = g.item_id "
    "JOIN prompt p ON p.id = g.prompt_id JOIN generation_text x ON x.generation_id = g.id "
    "LEFT JOIN score s ON s.generation_id = g.id AND s.scorer_id = rt.scorer_id "
    "WHERE g.run_task_id = ?1 AND g.position >= ?2 AND (?3 = 0 OR g.id = ?3) "
    "ORDER BY g.position, g.repeat";

/// The same without long columns, so that they are not read from the file.
constexpr const char* kSelectShort =
    "SELECT g.id, g.position, g.repeat, g.attempts, g.response_key, g.finish_reason, "
    "g.prompt_tokens, g.cached_tokens, g.output_tokens, g.scheduled_ns, g.sent_ns, g.first_ns, "
    "g.last_ns, i.key, i.grp, i.category, i.cluster, '', i.target, '', x'', "
    "'', x'', '[]', '', s.verdict, s.value, s.answer, s.reason, s.detail, s.scorer_id "
    "FROM generation g JOIN run_task rt ON rt.id = g.run_task_id JOIN item i ON i.id = g.item_id "
    "LEFT JOIN score s ON s.generation_id = g.id AND s.scorer_id = rt.scorer_id "
    "WHERE g.run_task_id = ?1 AND g.position >= ?2 AND (?3 = 0 OR g.id = ?3) "
    "ORDER BY g.position, g.repeat";

GenerationRecord read_generation(const Query& row) {
  GenerationRecord g;
  g.row = row.integer(0);
  g.position = bounded(row.integer(1), kMaxCount, "position");
  g.repeat = bounded(row.integer(2), kMaxCount, "repeat");
  g.attempts = bounded(row.integer(3), kMaxCount, "attempts");
  g.response_key = hex_of_bytes(row.bytes(4));
  g.finish_reason = row.text(5);
  g.prompt_tokens = bounded(row.integer(6), kMaxCount, "prompt_tokens");
  g.cached_tokens = bounded(row.integer(7), kMaxCount, "cached_tokens");
  g.output_tokens = bounded(row.integer(8), kMaxCount, "output_tokens");
  g.scheduled_ns = bounded(row.integer(9), kMaxNanoseconds, "scheduled_ns");
  g.sent_ns = bounded(row.integer(10), kMaxNanoseconds, "sent_ns");
  g.first_ns = bounded(row.integer(11), kMaxNanoseconds, "first_ns");
  g.last_ns = bounded(row.integer(12), kMaxNanoseconds, "last_ns");
  g.prompt.text = row.text(19);
  g.prompt.ids = unpack_ids(row.bytes(20));
  g.text = row.text(21);
  g.ids = unpack_ids(row.bytes(22));
  g.choices = choices_from_json(row.text(23));
  g.error = row.text(24);
  return g;
}

ScoreRecord read_score(Connection& connection, const Query& row) {
  ScoreRecord score;
  score.verdict = parse_verdict(row.text(25));
  score.value = row.real(26);
  score.answer = row.text(27);
  score.reason = row.text(28);
  score.detail = parse_json(row.text(29), "store");
  Query parts(connection,
              "SELECT m.name, p.value, p.count FROM score_part p JOIN metric_name m "
              "ON m.id = p.metric_id WHERE p.generation_id=? AND p.scorer_id=? ORDER BY p.number");
  parts.with(row.integer(0), row.integer(30));
  while (parts.step()) score.parts.push_back({parts.text(0), parts.real(1), parts.real(2)});
  return score;
}

/// Empty for models of the process itself, and in stores of before there was such a table.
ServedRecord read_served(Connection& connection, std::int64_t generation_row) {
  ServedRecord served;
  Query row(connection,
            "SELECT endpoint, model, fingerprint, attempts, waited_ns, faults FROM served "
            "WHERE generation_id=?");
  if (!row.with(generation_row).step()) return served;
  served.endpoint = row.text(0);
  served.model = row.text(1);
  served.fingerprint = row.text(2);
  served.attempts = row.integer(3);
  served.waited_ns = row.integer(4);
  for (const Json& fault : parse_json(row.text(5), "store").as_array()) {
    served.faults.push_back(fault.as_string());
  }
  return served;
}

}  // namespace

std::int64_t bounded(std::int64_t value, std::int64_t most, const char* what) {
  if (value < 0 || value > most) {
    throw_input("store: {} is {}, which is not between 0 and {}", what, value, most);
  }
  return value;
}

const char* verdict_name(Verdict verdict) {
  constexpr const char* kNames[] = {"correct", "incorrect", "unscored"};
  return kNames[static_cast<int>(verdict)];
}

Verdict parse_verdict(std::string_view name) {
  if (name == "correct") return Verdict::kCorrect;
  if (name == "incorrect") return Verdict::kIncorrect;
  if (name == "unscored") return Verdict::kUnscored;
  throw_input("store: unknown verdict \"{}\"", escaped(name));
}

std::vector<StoredKey> Store::stored_keys(std::int64_t run_task_row) const {
  return guarded(path(), [&] {
    std::vector<StoredKey> keys;
    Query row(impl_->connection,
              "SELECT g.id, g.position, g.repeat, g.response_key, g.finish_reason = 'error', "
              "ifnull(s.verdict <> 'unscored', 0) FROM generation g "
              "JOIN run_task rt ON rt.id = g.run_task_id LEFT JOIN score s "
              "ON s.generation_id = g.id AND s.scorer_id = rt.scorer_id "
              "WHERE g.run_task_id = ? ORDER BY g.position, g.repeat");
    row.with(run_task_row);
    while (row.step()) {
      keys.push_back({row.integer(0), row.integer(1), row.integer(2), hex_of_bytes(row.bytes(3)),
                      row.integer(4) != 0, row.integer(5) != 0});
    }
    return keys;
  });
}

void Store::for_each_sample(std::int64_t run_task_row, const SampleQuery& query,
                            const std::function<bool(const SampleRecord&)>& visit) const {
  guarded(path(), [&] {
    Query row(impl_->connection, query.texts ? kSelectSamples : kSelectShort);
    row.with(run_task_row, query.first_position, query.row);
    const bool served =
        query.texts && impl_->connection.integer_pragma("user_version") >= kServedVersion;
    while (row.step()) {
      const bool has_score = !row.is_null(25);
      if (query.without_score_only && has_score && row.text(25) != "unscored") continue;
      SampleRecord sample;
      sample.item = {row.text(13), row.text(14), row.text(15),
                     row.text(16), row.text(17), row.text(18)};
      sample.generation = read_generation(row);
      if (served) sample.generation.served = read_served(impl_->connection, row.integer(0));
      if (has_score) sample.score = read_score(impl_->connection, row);
      if (!visit(sample)) return;
    }
  });
}

std::vector<std::pair<std::int64_t, ItemRecord>> Store::load_items(
    std::int64_t run_task_row) const {
  return guarded(path(), [&] {
    std::vector<std::pair<std::int64_t, ItemRecord>> items;
    Query row(
        impl_->connection,
        "SELECT i.id, i.key, i.grp, i.category, i.cluster, i.target FROM item i WHERE i.id IN "
        "(SELECT item_id FROM generation WHERE run_task_id=?) ORDER BY i.id");
    row.with(run_task_row);
    while (row.step()) {
      items.emplace_back(row.integer(0), ItemRecord{row.text(1), row.text(2), row.text(3),
                                                    row.text(4), "", row.text(5)});
    }
    return items;
  });
}

ItemRecord Store::load_item(std::int64_t item_row) const {
  return guarded(path(), [&] {
    Query row(impl_->connection, "SELECT key, grp, category, cluster, target FROM item WHERE id=?");
    if (!row.with(item_row).step())
      throw_input("{}: item {} is missing", path().string(), item_row);
    return ItemRecord{row.text(0), row.text(1), row.text(2), row.text(3), "", row.text(4)};
  });
}

std::string Store::load_prompt_text(std::int64_t prompt_row) const {
  return guarded(path(), [&] {
    Query row(impl_->connection, "SELECT text FROM prompt WHERE id=?");
    if (!row.with(prompt_row).step()) {
      throw_input("{}: prompt {} is missing", path().string(), prompt_row);
    }
    return row.text(0);
  });
}

}  // namespace assay::store
