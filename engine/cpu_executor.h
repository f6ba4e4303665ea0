// The CPU backend: one or several tensor-parallel ranks as threads of this process, each with its
// part of the weights, its part of the cache and a team of threads. Other processes may hold more
// ranks of the same model. When the teams take all cores
// that the process may use, their threads are pinned, one to a core; the caller's thread sleeps
// during a step.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "engine/executor.h"
#include "engine/forward.h"
#include "engine/kv_cache.h"
#include "engine/model.h"
#include "engine/parallel/communicator.h"

namespace assay::engine {

struct CpuExecutorOptions {
  const PrecisionSetting* setting = nullptr;
  KvType kv = KvType::kBf16;
  ForwardObserver* observer = nullptr;  // one rank only
  int ranks = 1;                        // 1, 2, 4 or 8, equally many in every process
  RowSums sums = RowSums::kEighths;
  int threads = 1;                      // of all ranks of this process; a rank has at least one
  std::int64_t context = 0;             // longest sequence
  std::int64_t pages = 0;               // of the cache
  std::int64_t max_rows = 0;
  Communicator* processes = nullptr;  // connects the processes, one end in each; null: only one
};

class CpuExecutor : public Executor {
 public:
  /// Loads the weights. Throws: Error(kInput) when the model cannot be cut into so many ranks.
  /// With several processes, results are those of rank 0 alone.
  CpuExecutor(const ModelConfig& config, const WeightSource& source,
              const CpuExecutorOptions& options);
  ~CpuExecutor() override;
  CpuExecutor(const CpuExecutor&) = delete;
  CpuExecutor& operator=(const CpuExecutor&) = delete;
  CpuExecutor(CpuExecutor&&) = delete;
  CpuExecutor& operator=(CpuExecutor&&) = delete;

  [[nodiscard]] std::int64_t max_rows() const override;
  [[nodiscard]] bool takes_logit_bias() const override { return true; }
  void run(const Batch& batch, std::span<LogitResult> results) override;
  [[nodiscard]] std::uint64_t progress() const override;  // of all ranks

  [[nodiscard]] std::int64_t weight_bytes() const;  // of all ranks
  [[nodiscard]] const CpuKernels& kernels() const;

 private:
  struct Rank {
    Model model;
    std::unique_ptr<KvCache> cache;
    std::unique_ptr<Communicator> communicator;
    std::unique_ptr<Forward> forward;
    std::thread thread;
  };
  void work(Rank& rank);
  void rank_main(Rank& rank, int core);
  void end();  // of all ranks' threads

  std::unique_ptr<ThreadGroup> group_;
  std::vector<std::unique_ptr<Rank>> ranks_;
  // The step; written by the caller before `epoch_` changes.
  const Batch* batch_ = nullptr;
  std::span<LogitResult> results_;
  std::atomic<std::uint32_t> epoch_{0};
  std::atomic<std::uint32_t> pending_{0};
  std::atomic<bool> stop_{false};
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;  // the first: what other ranks report follows from it
};

}  // namespace assay::engine
