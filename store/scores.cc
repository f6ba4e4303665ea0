// Scores without texts, for statistics over many samples. Each score row is checked by its digest.
#include <cstring>

#include "base/error.h"
#include "base/json.h"
#include "base/random.h"
#include "store/digests.h"
#include "store/impl.h"

namespace assay::store {

namespace {

struct PartsReader {
  explicit PartsReader(Connection& connection, std::int64_t run_task_row)
      : query(connection,
              "SELECT p.generation_id, p.metric_id, p.value, p.count FROM generation g "
              "JOIN run_task rt ON rt.id = g.run_task_id "
              "CROSS JOIN score_part p ON p.generation_id = g.id AND p.scorer_id = rt.scorer_id "
              "WHERE g.run_task_id = ? ORDER BY g.position, g.repeat, p.number") {
    query.with(run_task_row);
    more = query.step();
  }
  Query query;
  bool more = false;
};

/// Index of each metric's name; the store's own row keys are small and dense.
class MetricNames {
 public:
  MetricNames(Connection& connection, TaskScores& scores) : scores_(&scores) {
    Query row(connection, "SELECT id, name FROM metric_name");
    while (row.step()) by_row_[row.integer(0)] = row.text(1);
  }
  std::uint32_t index(std::int64_t row) {
    const auto found = index_.find(row);
    if (found != index_.end()) return found->second;
    const auto next = static_cast<std::uint32_t>(scores_->metric_names.size());
    const auto name = by_row_.find(row);
    if (name == by_row_.end()) throw_input("store: a score names metric {}, which is missing", row);
    scores_->metric_names.push_back(name->second);
    return index_[row] = next;
  }

 private:
  TaskScores* scores_;
  std::unordered_map<std::int64_t, std::string> by_row_;
  std::unordered_map<std::int64_t, std::uint32_t> index_;
};

/// Equal for answers that a majority counts as one; 0 for no answer. A scorer that holds
/// differently written answers equal says so in its detail.
std::uint64_t vote_hash(std::string_view answer, std::string_view detail) {
  std::string vote(answer);
  if (detail.find("\"vote\"") != std::string_view::npos) {
    const Json parsed = parse_json(detail, "score detail");
    const Json* found = parsed.is_object() ? parsed.find("vote") : nullptr;
    if (found != nullptr && found->is_string()) vote = found->as_string();
  }
  return vote.empty() ? 0 : fnv1a(vote) | 1;
}

ScoreRow read_row(const Query& row) {
  ScoreRow out;
  out.generation = row.integer(0);
  out.position = bounded(row.integer(1), kMaxCount, "position");
  out.repeat = bounded(row.integer(2), kMaxCount, "repeat");
  out.item = row.integer(3);
  out.prompt = row.integer(4);
  const std::string_view hash = row.bytes(5);
  std::memcpy(out.output_hash.data(), hash.data(), std::min(hash.size(), out.output_hash.size()));
  out.error = row.bytes(6) == "error";
  out.truncated = row.bytes(6) == "length";
  out.output_tokens = bounded(row.integer(7), kMaxCount, "output_tokens");
  const std::int64_t sent = bounded(row.integer(16), kMaxNanoseconds, "sent_ns");
  const std::int64_t first = bounded(row.integer(17), kMaxNanoseconds, "first_ns");
  const std::int64_t last = bounded(row.integer(18), kMaxNanoseconds, "last_ns");
  if (first > sent) out.first_token_ns = first - sent;
  if (last > sent) out.total_ns = last - sent;
  if (row.is_null(9)) return out;
  const Verdict verdict = parse_verdict(row.bytes(9));
  out.scored = verdict != Verdict::kUnscored;
  out.correct = verdict == Verdict::kCorrect;
  out.value = row.real(10);
  out.vote_hash = vote_hash(row.bytes(11), row.bytes(13));
  return out;
}

}  // namespace

TaskScores Store::load_scores(std::int64_t run_task_row) const {
  Connection& connection = impl_->connection;
  return guarded(path(), [&] {
    TaskScores out;
    MetricNames names(connection, out);
    PartsReader parts(connection, run_task_row);
    Query row(connection,
              "SELECT g.id, g.position, g.repeat, g.item_id, g.prompt_id, g.output_hash, "
              "g.finish_reason, g.output_tokens, g.response_key, s.verdict, s.value, s.answer, "
              "s.reason, s.detail, s.digest, c.name || ' ' || c.version, g.sent_ns, g.first_ns, "
              "g.last_ns FROM generation g "
              "JOIN run_task rt ON rt.id = g.run_task_id JOIN scorer c ON c.id = rt.scorer_id "
              "LEFT JOIN score s ON s.generation_id = g.id AND s.scorer_id = rt.scorer_id "
              "WHERE g.run_task_id = ? ORDER BY g.position, g.repeat");
    row.with(run_task_row);
    std::vector<PartRecord> own;
    while (row.step()) {
      ScoreRow entry = read_row(row);
      entry.first_part = static_cast<std::uint32_t>(out.parts.size());
      own.clear();
      while (parts.more && parts.query.integer(0) == entry.generation) {
        out.parts.push_back(
            {names.index(parts.query.integer(1)), parts.query.real(2), parts.query.real(3)});
        own.push_back({out.metric_names[out.parts.back().metric], out.parts.back().value,
                       out.parts.back().count});
        parts.more = parts.query.step();
      }
      entry.part_count = static_cast<std::uint32_t>(own.size());
      const bool sound = row.is_null(9) ||
                         score_digest({hex_of_bytes(row.bytes(8)), row.bytes(15), row.bytes(9),
                                       row.real(10), row.bytes(11), row.bytes(12), row.bytes(13)},
                                      own) == row.bytes(14);
      if (sound) {
        out.rows.push_back(entry);
      } else {
        ++out.damaged;
      }
    }
    return out;
  });
}

}  // namespace assay::store
