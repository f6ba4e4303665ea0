#include "engine/parallel/remote_steps.h"

#include <cstring>

#include "base/error.h"

namespace assay::engine {
namespace {

/// 64-bit numbers in the processor's order: all processes run one build.
class Writer {
 public:
  void number(std::int64_t value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  template <typename T>
  void list(std::span<const T> values) {
    number(static_cast<std::int64_t>(values.size()));
    bytes_.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  std::int64_t number() {
    std::int64_t value = 0;
    copy(&value, sizeof(value));
    return value;
  }
  template <typename T>
  std::vector<T> list() {
    const std::int64_t size = number();
    if (size < 0 || static_cast<std::size_t>(size) > bytes_.size() / sizeof(T)) fail();
    std::vector<T> out(static_cast<std::size_t>(size));
    copy(out.data(), out.size() * sizeof(T));
    return out;
  }
  void finish() const {
    if (!bytes_.empty()) fail();
  }
  [[noreturn]] static void fail() { throw_environment("rank 0 sent bytes that are no step"); }

 private:
  void copy(void* to, std::size_t size) {
    if (size > bytes_.size()) fail();
    if (size > 0) std::memcpy(to, bytes_.data(), size);
    bytes_.remove_prefix(size);
  }
  std::string_view bytes_;
};

/// Everything that an executor takes for granted.
void check(const Batch& batch) {
  const auto rows = static_cast<std::int64_t>(batch.ids.size());
  std::int64_t next = 0;
  for (const SequenceRows& sequence : batch.sequences) {
    const bool sound = sequence.first_row == next && sequence.rows > 0 &&
                       sequence.rows <= rows - next && sequence.first_position >= 0;
    if (!sound) Reader::fail();
    next += sequence.rows;
  }
  bool sound = next == rows && batch.positions.size() == batch.ids.size();
  for (const LogitQuery& query : batch.queries) sound &= query.row >= 0 && query.row < rows;
  if (!sound) Reader::fail();
}

}  // namespace

std::string encode_batch(const Batch& batch) {
  Writer out;
  out.list<TokenId>(batch.ids);
  out.list<std::int64_t>(batch.positions);
  out.number(static_cast<std::int64_t>(batch.sequences.size()));
  for (const SequenceRows& sequence : batch.sequences) {
    out.number(sequence.first_row);
    out.number(sequence.rows);
    out.number(sequence.first_position);
    out.list(sequence.pages);
  }
  std::vector<std::int64_t> rows;
  rows.reserve(batch.queries.size());
  for (const LogitQuery& query : batch.queries) rows.push_back(query.row);
  out.list<std::int64_t>(rows);
  return out.take();
}

ReceivedBatch decode_batch(std::string_view bytes) {
  Reader in(bytes);
  ReceivedBatch out;
  out.batch.ids = in.list<TokenId>();
  out.batch.positions = in.list<std::int64_t>();
  const std::int64_t sequences = in.number();
  for (std::int64_t i = 0; i < sequences; ++i) {
    SequenceRows sequence;
    sequence.first_row = in.number();
    sequence.rows = in.number();
    sequence.first_position = in.number();
    // Moving a vector keeps its elements in place, so the span stays right.
    out.pages.push_back(in.list<std::int32_t>());
    sequence.pages = out.pages.back();
    out.batch.sequences.push_back(sequence);
  }
  for (const std::int64_t row : in.list<std::int64_t>()) out.batch.queries.push_back({.row = row});
  in.finish();
  check(out.batch);
  return out;
}

LeadingExecutor::~LeadingExecutor() {
  if (failed_) return;
  try {
    (void)group_.broadcast("");
  } catch (const Error&) {  // whoever uses the group next hears of it
  }
}

void LeadingExecutor::run(const Batch& batch, std::span<LogitResult> results) {
  failed_ = true;  // until the step has run on all ranks
  (void)group_.broadcast(encode_batch(batch));
  own_->run(batch, results);
  failed_ = false;
}

void follow_steps(ProcessGroup& group, Executor& executor) {
  for (std::string message = group.broadcast(""); !message.empty(); message = group.broadcast("")) {
    const ReceivedBatch step = decode_batch(message);
    std::vector<LogitResult> unused(step.batch.queries.size());
    executor.run(step.batch, unused);
  }
}

}  // namespace assay::engine
