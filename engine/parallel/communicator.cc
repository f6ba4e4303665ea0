#include "engine/parallel/communicator.h"

#include <algorithm>

#include "base/check.h"
#include "base/error.h"
#include "engine/parallel/thread_team.h"

namespace assay::engine {
namespace {

/// Sum over parts[0 .. size) at `i`, as a binary tree over ranks.
float tree_sum(const std::vector<const float*>& parts, std::int64_t i) {
  float level[8];
  std::size_t left = parts.size();
  for (std::size_t r = 0; r < left; ++r) level[r] = parts[r][i];
  for (; left > 1; left /= 2) {
    for (std::size_t r = 0; r < left / 2; ++r) level[r] = level[2 * r] + level[2 * r + 1];
  }
  return level[0];
}

}  // namespace

void SelfCommunicator::all_gather(const float* part, std::int64_t count, float* all) {
  std::copy_n(part, count, all);
}

ThreadGroup::ThreadGroup(int size, std::int64_t floats)
    : size_(size),
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

void ThreadCommunicator::all_reduce_sum(float* data, std::int64_t count) {
  ASSAY_CHECK(static_cast<std::size_t>(count) * sizeof(float) <= group_.sums_.size(),
              "an all-reduce longer than the group's buffer");
  group_.parts_[static_cast<std::size_t>(rank_)] = data;
  group_.wait();
  auto* sums = group_.sums_.as<float>();
  const std::int64_t end = count * (rank_ + 1) / size();
  for (std::int64_t i = count * rank_ / size(); i < end; ++i) sums[i] = tree_sum(group_.parts_, i);
  group_.wait();
  // Nobody writes `sums` again before all have passed the first barrier of the next call.
  std::copy_n(sums, count, data);
}

void ThreadCommunicator::all_gather(const float* part, std::int64_t count, float* all) {
  group_.parts_[static_cast<std::size_t>(rank_)] = part;
  group_.wait();
  for (int r = 0; r < size(); ++r) {
    std::copy_n(group_.parts_[static_cast<std::size_t>(r)], count, all + r * count);
  }
  group_.wait();
}

void ThreadCommunicator::abort() {
  group_.aborted_.store(true, std::memory_order_release);
  group_.epoch_.fetch_add(1, std::memory_order_release);
  group_.epoch_.notify_all();
}

}  // namespace assay::engine
