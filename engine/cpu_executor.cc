#include "engine/cpu_executor.h"

#include <algorithm>

#include "base/check.h"
#include "base/error.h"

namespace assay::engine {

CpuExecutor::CpuExecutor(const ModelConfig& config, const WeightSource& source,
                         const CpuExecutorOptions& options) {
  const int processes = options.processes == nullptr ? 1 : options.processes->size();
  if (options.ranks % processes != 0) {
    throw_input("--tp {}: {} processes cannot hold equally many ranks", options.ranks, processes);
  }
  const int here = options.ranks / processes;
  const int first = options.processes == nullptr ? 0 : options.processes->rank() * here;
  if (options.ranks > 1) {
    (void)make_partition(config, options.ranks, 0);
    group_ = std::make_unique<ThreadGroup>(
        here, Forward::all_reduce_floats(config, options.max_rows), options.processes);
  }
  const int threads = std::max(1, options.threads / here);
  // Fewer threads than cores are left to the scheduler: another process may do the same.
  const bool pinned = threads * here >= usable_cores();
  for (int r = 0; r < here; ++r) {
    auto rank = std::make_unique<Rank>();
    rank->model = load_model(config, make_partition(config, options.ranks, first + r, options.sums),
                             source, *options.setting, options.context, options.threads);
    rank->cache =
        std::make_unique<KvCache>(KvShape{.layers = config.layers,
                                          .kv_heads = rank->model.partition.kv_heads.size(),
                                          .head_dim = config.head_dim},
                                  options.kv, options.pages);
    if (options.kv == KvType::kFp8) {
      rank->cache->set_static_scales(
          static_kv_scales(config, source, rank->model.partition.kv_heads));
    }
    if (options.ranks == 1) {
      rank->communicator = std::make_unique<SelfCommunicator>();
    } else {
      rank->communicator = std::make_unique<ThreadCommunicator>(*group_, r);
    }
    rank->forward = std::make_unique<Forward>(rank->model, *rank->cache, *rank->communicator,
                                              threads, pinned ? r * threads : -1, options.max_rows);
    if (options.observer != nullptr) {
      ASSAY_CHECK(options.ranks == 1, "one rank is observed");
      rank->forward->observe(options.observer);
    }
    ranks_.push_back(std::move(rank));
  }
  try {
    for (std::size_t r = 0; r < ranks_.size(); ++r) {
      const int core = pinned ? static_cast<int>(r) * threads : -1;
      ranks_[r]->thread = std::thread([this, r, core] { rank_main(*ranks_[r], core); });
    }
  } catch (...) {  // the system may refuse the second thread
    end();
    throw;
  }
}

CpuExecutor::~CpuExecutor() { end(); }

void CpuExecutor::end() {
  stop_.store(true, std::memory_order_relaxed);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  for (auto& rank : ranks_) {
    if (rank->thread.joinable()) rank->thread.join();
  }
}

std::int64_t CpuExecutor::max_rows() const { return ranks_.front()->forward->max_rows(); }

std::uint64_t CpuExecutor::progress() const {
  std::uint64_t sum = 0;
  for (const auto& rank : ranks_) sum += rank->forward->progress();
  return sum;
}

const CpuKernels& CpuExecutor::kernels() const { return ranks_.front()->forward->kernels(); }

std::int64_t CpuExecutor::weight_bytes() const {
  std::int64_t bytes = 0;
  for (const auto& rank : ranks_) bytes += rank->model.weight_bytes();
  return bytes;
}

/// A rank that fails frees the others from waiting for it.
void CpuExecutor::work(Rank& rank) {
  const bool first = &rank == ranks_.front().get();
  try {
    rank.forward->run(*batch_, first ? results_ : std::span<LogitResult>());
  } catch (...) {
    if (!failed_.exchange(true)) error_ = std::current_exception();
    rank.communicator->abort();
  }
}

void CpuExecutor::rank_main(Rank& rank, int core) {
  if (core >= 0) pin_to_core(core);
  std::uint32_t seen = 0;
  for (;;) {
    seen = wait_for_change(epoch_, seen);
    if (stop_.load(std::memory_order_relaxed)) return;
    work(rank);
    if (pending_.fetch_sub(1, std::memory_order_acq_rel) == 1) pending_.notify_one();
  }
}

void CpuExecutor::run(const Batch& batch, std::span<LogitResult> results) {
  ASSAY_CHECK(results.size() == batch.queries.size(), "a result for each query");
  batch_ = &batch;
  results_ = results;
  pending_.store(static_cast<std::uint32_t>(ranks_.size()), std::memory_order_relaxed);
  epoch_.fetch_add(1, std::memory_order_release);
  epoch_.notify_all();
  // Asleep, not spinning: the ranks want all cores.
  std::uint32_t left = 0;
  while ((left = pending_.load(std::memory_order_acquire)) != 0) {
    pending_.wait(left, std::memory_order_acquire);
  }
  if (failed_.load(std::memory_order_acquire)) std::rethrow_exception(error_);
}

}  // namespace assay::engine
