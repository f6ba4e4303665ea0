// What runs the steps of a model: the CPU's threads or a GPU. The scheduler knows this interface
// alone.
#pragma once

#include <cstdint>
#include <span>

#include "engine/batch.h"

namespace assay::engine {

/// Used by one thread. Keys and values live with the executor, in pages whose numbers the batch
/// carries. A row's results depend on that row's sequence alone: never on the rest of the batch, on
/// how a prompt was cut into steps, or on which pages hold it.
class Executor {
 public:
  virtual ~Executor() = default;

  /// Rows that one step may hold.
  [[nodiscard]] virtual std::int64_t max_rows() const = 0;
  /// Whether SamplingParams::logit_bias is heeded; sequences that have one are refused otherwise.
  [[nodiscard]] virtual bool takes_logit_bias() const = 0;
  /// Runs one step; results[i] answers batch.queries[i]. REQUIRES: 0 < rows <= max_rows(), as many
  /// results as queries, no step started. Throws: Error(kEnvironment) when the device or a rank is
  /// lost.
  virtual void run(const Batch& batch, std::span<LogitResult> results) = 0;

  // The same in two halves, so that a device need not wait for its host between steps.

  /// Whether a step may be started while one that was started before it is not finished: one, never
  /// more. Such a step may read tokens that the one before it chooses (Batch::chosen).
  [[nodiscard]] virtual bool runs_ahead() const { return false; }
  /// REQUIRES: as `run` of the batch. It lives until `finish`; what it points at as long, where
  /// steps do not run ahead, else until this returns. Throws: as `run`.
  virtual void start(const Batch& batch) { started_ = &batch; }
  /// Waits for the step that was started first. Throws: as `run`.
  virtual void finish(std::span<LogitResult> results) { run(*started_, results); }
  /// Nobody will finish the steps that were started.
  virtual void forget() noexcept {}

  /// Grows while a step goes on, so that a long step is told from one that hangs; from any thread.
  /// Where it stays 0, a step as a whole is the progress.
  [[nodiscard]] virtual std::uint64_t progress() const { return 0; }

 private:
  const Batch* started_ = nullptr;
};

}  // namespace assay::engine
