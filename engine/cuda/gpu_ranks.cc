#include "engine/cuda/gpu_ranks.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "engine/cuda/peer_exchange.h"

namespace assay::engine {
namespace {

/// A thread with a rank on a GPU. What it is told to do, it does once.
class RankThread {
 public:
  using Make = std::function<std::unique_ptr<CudaExecutor>()>;

  explicit RankThread(Make make) : thread_([this, make = std::move(make)] { main(make); }) {}
  ~RankThread() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }
  RankThread(const RankThread&) = delete;
  RankThread& operator=(const RankThread&) = delete;
  RankThread(RankThread&&) = delete;
  RankThread& operator=(RankThread&&) = delete;

  /// Starts a step, or with null finishes one.
  void tell(const Batch* batch) {
    const std::lock_guard lock(mutex_);
    batch_ = batch;
    busy_ = true;
    wake_.notify_all();
  }

  /// Until the rank is made or has done what it was told. What ended it, if anything did.
  std::exception_ptr wait() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return !busy_; });
    return error_;
  }

  /// REQUIRES: made.
  [[nodiscard]] CudaExecutor& executor() const { return *executor_; }
  [[nodiscard]] std::vector<LogitResult>& results() { return results_; }
  /// Forgets the steps in flight. REQUIRES: waited for.
  void forget() noexcept {
    queries_.clear();
    if (executor_ != nullptr) executor_->forget();
  }
  void abort() noexcept {
    const std::lock_guard lock(mutex_);
    if (executor_ != nullptr) executor_->abort();
  }
  /// Is called, on this thread, when a step has failed.
  void on_failure(std::function<void()> call) { on_failure_ = std::move(call); }

 private:
  void main(const Make& make) {
    std::unique_ptr<CudaExecutor> made;  // ends on the thread that made it
    try {
      made = make();
    } catch (...) {
      error_ = std::current_exception();
    }
    std::unique_lock lock(mutex_);
    executor_ = made.get();
    for (;;) {
      busy_ = false;
      wake_.notify_all();
      wake_.wait(lock, [this] { return busy_ || ending_; });
      if (ending_) break;
      lock.unlock();
      work();
      lock.lock();
    }
    executor_ = nullptr;
  }

  void work() {
    try {
      if (batch_ != nullptr) {
        queries_.push_back(batch_->queries.size());
        executor_->start(*batch_);
      } else {
        results_.assign(queries_.front(), {});
        queries_.pop_front();
        executor_->finish(results_);
      }
    } catch (...) {
      error_ = std::current_exception();
      on_failure_();
    }
  }

  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  bool busy_ = true;
  bool ending_ = false;
  CudaExecutor* executor_ = nullptr;
  const Batch* batch_ = nullptr;
  std::exception_ptr error_;          // written by the thread while it is busy
  std::vector<LogitResult> results_;  // likewise
  std::deque<std::size_t> queries_;   // likewise; of the steps in flight
  std::function<void()> on_failure_;  // set before the first step
  std::thread thread_;
};

class GpuRanks : public CudaExecutor {
 public:
  GpuRanks(const std::vector<RankThread::Make>& makes, std::unique_ptr<PeerGroup> peers)
      : peers_(std::move(peers)) {
    for (const RankThread::Make& make : makes) {
      ranks_.push_back(std::make_unique<RankThread>(make));
    }
    wait_for_all();
    for (auto& rank : ranks_) rank->on_failure([this] { abort(); });
  }

  std::int64_t max_rows() const override { return first().max_rows(); }
  bool takes_logit_bias() const override { return first().takes_logit_bias(); }

  CudaDescription description() const override {
    CudaDescription out = first().description();
    out.weight_bytes = 0;
    for (const auto& rank : ranks_) out.weight_bytes += rank->executor().description().weight_bytes;
    return out;
  }

  void run(const Batch& batch, std::span<LogitResult> results) override {
    start(batch);
    finish(results);
  }

  bool runs_ahead() const override { return first().runs_ahead(); }

  void start(const Batch& batch) override { tell_all(&batch); }

  void finish(std::span<LogitResult> results) override {
    tell_all(nullptr);
    std::vector<LogitResult>& own = ranks_.front()->results();
    std::move(own.begin(), own.end(), results.begin());
  }

  void forget() noexcept override {
    for (auto& rank : ranks_) rank->forget();
  }

  void abort() noexcept override {
    for (auto& rank : ranks_) rank->abort();
  }

 private:
  [[nodiscard]] const CudaExecutor& first() const { return ranks_.front()->executor(); }

  void tell_all(const Batch* batch) {
    for (auto& rank : ranks_) rank->tell(batch);
    wait_for_all();
  }

  /// Rethrows the first rank's failure; what the others report may follow from it.
  void wait_for_all() {
    std::exception_ptr error;
    for (auto& rank : ranks_) {
      const std::exception_ptr own = rank->wait();
      if (!error) error = own;
    }
    if (error) std::rethrow_exception(error);
  }

  std::unique_ptr<PeerGroup> peers_;  // of the ranks' executors
  std::vector<std::unique_ptr<RankThread>> ranks_;
};

}  // namespace

std::unique_ptr<CudaExecutor> make_gpu_ranks(const ModelConfig& config, const WeightSource& source,
                                             const PrecisionSetting& setting, KvType kv,
                                             const CudaOptions& options, const CudaPlan& plan,
                                             int gpus, int threads) {
  // Ranks of other processes have memory that this one cannot name; kRanks is what NCCL adds.
  std::unique_ptr<PeerGroup> peers;
  if (options.peer_sums && gpus == options.ranks && options.sums == RowSums::kEighths) {
    peers = std::make_unique<PeerGroup>(gpus);
  }
  std::vector<RankThread::Make> makes;
  for (int g = 0; g < gpus; ++g) {
    CudaOptions own = options;
    own.device += g;
    own.first_rank += g;
    own.ranks_here = 1;
    own.peers = peers.get();
    makes.emplace_back([&config, &source, &setting, &plan, kv, own, share = threads / gpus] {
      try {
        return make_cuda_executor(config, source, setting, kv, own, plan, std::max(1, share));
      } catch (...) {
        if (own.peers != nullptr) own.peers->give_up();
        throw;
      }
    });
  }
  return std::make_unique<GpuRanks>(makes, std::move(peers));
}

}  // namespace assay::engine
