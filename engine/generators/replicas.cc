#include "engine/generators/replicas.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "base/error.h"
#include "engine/generators/local.h"
#include "engine/ops/memory.h"
#include "engine/parallel/thread_team.h"

namespace assay::engine {
namespace {

constexpr std::size_t kLeastChunk = 64;      // requests that a copy takes at a time: full batches
constexpr std::size_t kChunksOfReplica = 8;  // at most so many each, so that all end together

/// The requests of one run, handed out in chunks.
class Job {
 public:
  Job(std::span<const Request> requests, const CompletionSink& sink, std::size_t replicas)
      : requests_(requests),
        sink_(sink),
        chunk_(std::max(kLeastChunk, requests.size() / (replicas * kChunksOfReplica) + 1)) {}

  void work(Generator& model) {
    for (;;) {
      const std::size_t first = next_.fetch_add(chunk_);
      if (first >= requests_.size() || stopped_) return;
      const std::size_t count = std::min(chunk_, requests_.size() - first);
      model.run(requests_.subspan(first, count), [&](std::size_t index, Completion completion) {
        const std::lock_guard lock(mutex_);
        if (!stopped_ && !sink_(first + index, std::move(completion))) stopped_ = true;
        return !stopped_;
      });
    }
  }

  /// The others end with their next completion.
  void stop() { stopped_ = true; }

 private:
  std::span<const Request> requests_;
  const CompletionSink& sink_;
  std::size_t chunk_;
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;  // one completion at a time
};

/// A thread that makes a model and works for it, so that a GPU has one thread.
class Replica {
 public:
  explicit Replica(EngineOptions options)
      : thread_([this, options = std::move(options)] { main(options); }) {}
  ~Replica() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;
  Replica(Replica&&) = delete;
  Replica& operator=(Replica&&) = delete;

  void start(Job& job) {
    const std::lock_guard lock(mutex_);
    job_ = &job;
    wake_.notify_all();
  }

  /// Until the model is made or the job done. Rethrows what ended it.
  const Generator& wait() {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [&] { return (model_ != nullptr && job_ == nullptr) || error_; });
    if (error_) std::rethrow_exception(error_);
    return *model_;
  }

 private:
  void main(const EngineOptions& options) {
    std::unique_ptr<Generator> model;
    try {
      model = make_local_generator(options);
    } catch (...) {
      return fail(nullptr);
    }
    std::unique_lock lock(mutex_);
    model_ = model.get();
    for (;;) {
      wake_.notify_all();
      wake_.wait(lock, [&] { return job_ != nullptr || ending_; });
      if (ending_) return;
      Job& job = *job_;
      lock.unlock();
      try {
        job.work(*model);
      } catch (...) {
        return fail(&job);
      }
      lock.lock();
      job_ = nullptr;
    }
  }

  void fail(Job* job) {
    if (job != nullptr) job->stop();
    const std::lock_guard lock(mutex_);
    error_ = std::current_exception();
    wake_.notify_all();
  }

  std::mutex mutex_;  // guards the fields below
  std::condition_variable wake_;
  Generator* model_ = nullptr;  // of the thread, once it is made
  Job* job_ = nullptr;
  bool ending_ = false;
  std::exception_ptr error_;
  std::thread thread_;  // the last to be made
};

class Replicas : public Generator {
 public:
  explicit Replicas(const EngineOptions& options) {
    for (const EngineOptions& own : replica_options(options)) {
      replicas_.push_back(std::make_unique<Replica>(own));
    }
    for (auto& replica : replicas_) info_ = replica->wait().info();
    info_.weight_bytes *= options.dp;
    info_.detail.set("replicas", options.dp);
  }

  const ModelInfo& info() const override { return info_; }

  void run(std::span<const Request> requests, const CompletionSink& sink) override {
    Job job(requests, sink, replicas_.size());
    for (auto& replica : replicas_) replica->start(job);
    std::exception_ptr error;
    for (auto& replica : replicas_) {
      try {
        (void)replica->wait();
      } catch (...) {
        if (!error) error = std::current_exception();
      }
    }
    if (error) std::rethrow_exception(error);
  }

 private:
  std::vector<std::unique_ptr<Replica>> replicas_;
  ModelInfo info_;
};

}  // namespace

std::vector<EngineOptions> replica_options(const EngineOptions& options) {
  const int threads = options.threads > 0 ? options.threads : usable_cores();
  EngineOptions own = options;
  own.dp = 1;
  own.threads = std::max(1, threads / options.dp);
  own.memory_bytes = available_memory() / options.dp;
  std::vector<EngineOptions> out;
  for (own.replica = 0; own.replica < options.dp; ++own.replica) out.push_back(own);
  return out;
}

std::unique_ptr<Generator> make_replicas(const EngineOptions& options) {
  return std::make_unique<Replicas>(options);
}

}  // namespace assay::engine
