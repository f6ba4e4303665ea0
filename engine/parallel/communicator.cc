#include "engine/parallel/communicator.h"

#include <algorithm>

#include "base/check.h"
#include "base/error.h"
#include "engine/parallel/thread_team.h"
#include "engine/parallel/tree_sum.h"

namespace assay::engine {

void SelfCommunicator::all_gather(const float* part, std::int64_t count, float* all) {
  std::copy_n(part, count, all);
}

ThreadGroup::ThreadGroup(int size, std::int64_t floats, Communicator* outer)
    : size_(size),
      outer_(outer),
      parts_(static_cast<std::size_t>(size)),
      sums_(static_cast<std::size_t>(floats) * sizeof(float)) {
  ASSAY_CHECK(size == 1 || size == 2 || size == 4 || size == 8, "ranks form a tree");
}

void ThreadGroup::wait() {
  const std::uint32_t epoch = epoch_.load(std::memory_order_acquire);
  if (aborted_.load(std::memory_order_acquire)) throw_environment("another rank failed");
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == static_cast<std::uint32_t>(size_)) {
    arrived_.store(0, std::memory_order_relaxed);
    epoch_.fetch_add(1, std::memory_order_release);
    epoch_.notify_all();
    return;
  }
  wait_for_change(epoch_, epoch);
  if (aborted_.load(std::memory_order_acquire)) throw_environment("another rank failed");
}

std::int64_t ThreadGroup::first_rank() const {
  return outer_ == nullptr ? 0 : std::int64_t{outer_->rank()} * size_;
}

int ThreadCommunicator::rank() const { return static_cast<int>(group_.first_rank()) + local_; }

int ThreadCommunicator::size() const { return group_.size_ * static_cast<int>(group_.processes()); }

void ThreadCommunicator::all_reduce_sum(float* data, std::int64_t count) {
  ASSAY_CHECK(static_cast<std::size_t>(count) * sizeof(float) <= group_.sums_.size(),
              "an all-reduce longer than the group's buffer");
  group_.parts_[static_cast<std::size_t>(local_)] = data;
  group_.wait();
  auto* sums = group_.sums_.as<float>();
  const std::int64_t end = count * (local_ + 1) / group_.size_;
  for (std::int64_t i = count * local_ / group_.size_; i < end; ++i) {
    sums[i] = tree_sum(group_.parts_, i);
  }
  group_.wait();
  if (group_.outer_ != nullptr) {
    if (local_ == 0) group_.outer_->all_reduce_sum(sums, count);
    group_.wait();
  }
  // Nobody writes `sums` again before all have passed the first barrier of the next call.
  std::copy_n(sums, count, data);
}

/// The parts of this process's ranks, one behind the other.
void ThreadCommunicator::gather_here(const float* part, std::int64_t count, float* all) {
  group_.parts_[static_cast<std::size_t>(local_)] = part;
  group_.wait();
  for (int r = 0; all != nullptr && r < group_.size_; ++r) {
    std::copy_n(group_.parts_[static_cast<std::size_t>(r)], count, all + r * count);
  }
  group_.wait();
}

void ThreadCommunicator::all_gather(const float* part, std::int64_t count, float* all) {
  if (group_.outer_ == nullptr) return gather_here(part, count, all);
  const std::int64_t here = count * group_.size_;
  if (local_ == 0) {
    group_.gathered_.resize(static_cast<std::size_t>(here * (1 + group_.processes())));
  }
  float* parts = local_ == 0 ? group_.gathered_.data() : nullptr;
  gather_here(part, count, parts);
  if (local_ == 0) group_.outer_->all_gather(parts, here, parts + here);
  group_.wait();
  std::copy_n(group_.gathered_.data() + here, here * group_.processes(), all);
  group_.wait();
}

void ThreadCommunicator::gather(const float* part, std::int64_t count, float* all) {
  if (group_.outer_ == nullptr) return gather_here(part, count, local_ == 0 ? all : nullptr);
  const std::int64_t here = count * group_.size_;
  if (local_ == 0) group_.gathered_.resize(static_cast<std::size_t>(here));
  float* parts = local_ == 0 ? group_.gathered_.data() : nullptr;
  gather_here(part, count, parts);
  if (local_ == 0) group_.outer_->gather(parts, here, all);
}

void ThreadCommunicator::barrier() {
  group_.wait();
  if (group_.outer_ == nullptr) return;
  if (local_ == 0) group_.outer_->barrier();
  group_.wait();
}

void ThreadCommunicator::abort() {
  group_.aborted_.store(true, std::memory_order_release);
  group_.epoch_.fetch_add(1, std::memory_order_release);
  group_.epoch_.notify_all();
}

}  // namespace assay::engine
