// Steps that several processes run together: rank 0 announces each, the others follow.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/batch.h"
#include "engine/executor.h"
#include "engine/parallel/process_group.h"

namespace assay::engine {

/// A batch as it travels: ids, positions, sequences with their pages, rows of the queries. What is
/// wanted of the logits stays with rank 0.
std::string encode_batch(const Batch& batch);

/// A batch that owns what its spans point at.
struct ReceivedBatch {
  Batch batch;
  std::vector<std::vector<std::int32_t>> pages;
};
/// Throws: Error(kEnvironment) for bytes that are no batch.
ReceivedBatch decode_batch(std::string_view bytes);

/// Rank 0's executor: announces a step, then runs its own part of it.
class LeadingExecutor : public Executor {
 public:
  /// `group` outlives this.
  LeadingExecutor(ProcessGroup& group, std::unique_ptr<Executor> own)
      : group_(group), own_(std::move(own)) {}
  /// Tells the others that this model is done with.
  ~LeadingExecutor() override;
  LeadingExecutor(const LeadingExecutor&) = delete;
  LeadingExecutor& operator=(const LeadingExecutor&) = delete;
  LeadingExecutor(LeadingExecutor&&) = delete;
  LeadingExecutor& operator=(LeadingExecutor&&) = delete;

  [[nodiscard]] std::int64_t max_rows() const override { return own_->max_rows(); }
  [[nodiscard]] bool takes_logit_bias() const override { return own_->takes_logit_bias(); }
  void run(const Batch& batch, std::span<LogitResult> results) override;
  [[nodiscard]] std::uint64_t progress() const override { return own_->progress(); }

 private:
  ProcessGroup& group_;
  std::unique_ptr<Executor> own_;
  bool failed_ = false;
};

/// Runs the steps that rank 0 announces, until it is done with the model.
void follow_steps(ProcessGroup& group, Executor& executor);

}  // namespace assay::engine
