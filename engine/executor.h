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
  /// results as queries. Throws: Error(kEnvironment) when the device or a rank is lost.
  virtual void run(const Batch& batch, std::span<LogitResult> results) = 0;
  /// Grows while a step goes on, so that a long step is told from one that hangs; from any thread.
  /// Where it stays 0, a step as a whole is the progress.
  [[nodiscard]] virtual std::uint64_t progress() const { return 0; }
};

}  // namespace assay::engine
