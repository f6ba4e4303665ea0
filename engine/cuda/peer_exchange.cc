#include "engine/cuda/peer_exchange.h"

#include <algorithm>

#include "base/error.h"
#include "engine/ops/peer_sum.h"

namespace assay::engine {
namespace {

class PeerExchange : public DeviceExchange {
 public:
  PeerExchange(std::unique_ptr<DeviceExchange> large, DeviceBuffer memory, const PeerSumArgs& peers)
      : large_(std::move(large)), memory_(std::move(memory)), peers_(peers) {}

  void fold(CudaStream stream, std::span<float* const> sums, int parts,
            std::int64_t count) override {
    if (count > kPeerFloats) return large_->fold(stream, sums, parts, count);
    PeerSumArgs args = peers_;
    args.sums = sums.front();
    args.parts = parts;
    args.count = count;
    peer_sum_cuda(stream, args);
  }
  void join(CudaStream stream, std::span<float* const> slices, int rows, int cols, float* out,
            int width) override {
    large_->join(stream, slices, rows, cols, out, width);
  }
  void check() const override { large_->check(); }
  void abort() noexcept override { large_->abort(); }
  [[nodiscard]] std::string arithmetic() const override { return large_->arithmetic(); }

 private:
  std::unique_ptr<DeviceExchange> large_;
  DeviceBuffer memory_;
  PeerSumArgs peers_;
};

}  // namespace

std::array<PeerGroup::Place, kMostRanks> PeerGroup::share(int rank, const Place& own) {
  std::unique_lock lock(mutex_);
  places_[static_cast<std::size_t>(rank)] = own;
  ++came_;
  wake_.notify_all();
  const int all = (came_ + ranks_ - 1) / ranks_ * ranks_;  // of this round
  wake_.wait(lock, [&] { return lost_ || came_ >= all; });
  if (lost_) throw_environment("another rank failed");
  return places_;
}

void PeerGroup::give_up() {
  const std::lock_guard lock(mutex_);
  lost_ = true;
  wake_.notify_all();
}

std::unique_ptr<DeviceExchange> make_peer_exchange(std::unique_ptr<DeviceExchange> large,
                                                   PeerGroup& group, int device, int ranks,
                                                   int rank) {
  DeviceBuffer memory(static_cast<std::size_t>(kPeerMemoryBytes), "an exchange");
  const Stream stream;
  fill_bytes(stream.get(), memory.as<void>(), 0, memory.size());
  stream.synchronize();
  const auto places = group.share(rank, {.device = device, .memory = memory.as<void>()});
  bool can = true;
  for (int r = 0; r < ranks; ++r) {
    const int other = places[static_cast<std::size_t>(r)].device;
    if (r != rank) can = enable_peer_access(other) && can;
  }
  // All or none: a sum needs every rank.
  const auto able =
      group.share(rank, {.device = device, .memory = can ? memory.as<void>() : nullptr});
  PeerSumArgs peers{.rank = rank, .ranks = ranks};
  for (int r = 0; r < ranks; ++r) {
    void* of = able[static_cast<std::size_t>(r)].memory;
    if (of == nullptr) return large;
    peers.of[r] = peer_memory(of);
  }
  return std::make_unique<PeerExchange>(std::move(large), std::move(memory), peers);
}

}  // namespace assay::engine
