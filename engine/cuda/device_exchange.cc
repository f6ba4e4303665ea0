#include "engine/cuda/device_exchange.h"

#include <algorithm>

#include "base/check.h"
#include "engine/ops/rank_sum.h"
#include "engine/parallel/nccl.h"

namespace assay::engine {
namespace {

class VirtualExchange : public DeviceExchange {
 public:
  void fold(CudaStream stream, std::span<float* const> sums, int parts,
            std::int64_t count) override {
    FoldRanksArgs args{.ranks = static_cast<int>(sums.size()),
                       .parts = parts,
                       .outs = static_cast<int>(sums.size()),
                       .stride = count,
                       .count = count};
    for (std::size_t r = 0; r < sums.size(); ++r) {
      args.in[r] = sums[r];
      args.out[r] = sums[r];
    }
    fold_ranks_cuda(stream, args);
  }

  void join(CudaStream stream, std::span<float* const> slices, int rows, int cols, float* out,
            int width) override {
    JoinColumnsArgs args{.out = out,
                         .ranks = static_cast<int>(slices.size()),
                         .rows = rows,
                         .cols = cols,
                         .width = width};
    std::copy(slices.begin(), slices.end(), args.in);
    join_columns_cuda(stream, args);
  }
};

/// Floats that a gathering moves at once, of all ranks: 32 MiB, or a row of logits.
constexpr std::int64_t kGatherFloats = std::int64_t{8} << 20;

/// Floats of a sum from which bytes cost more than a second exchange: 1 MiB, where one-shot sums
/// stop being worth it in published figures; to be measured.
constexpr std::int64_t kTwoSteps = std::int64_t{1} << 18;

std::int64_t gather_floats(int ranks, std::int64_t vocab) {
  return std::max(kGatherFloats, (vocab + ranks) / ranks * ranks);  // a multiple of `ranks`
}

class NcclExchange : public DeviceExchange {
 public:
  NcclExchange(const std::string& unique_id, int ranks, int rank, RowSums sums, std::int64_t vocab)
      : nccl_(unique_id, ranks, rank),
        sums_(sums),
        gathered_(static_cast<std::size_t>(nccl_exchange_bytes(ranks, vocab)), "an exchange") {}

  void fold(CudaStream stream, std::span<float* const> sums, int parts,
            std::int64_t count) override {
    float* own = sums.front();
    if (parts > 1) {
      fold_ranks_cuda(stream,
                      {.in = {own}, .out = {own}, .parts = parts, .stride = count, .count = count});
    }
    if (sums_ == RowSums::kRanks) return nccl_.all_reduce_sum(stream, own, count);
    const bool two_steps = count >= kTwoSteps && count % nccl_.size() == 0;
    const std::int64_t most = two_steps ? floats() : floats() / nccl_.size();
    for (std::int64_t first = 0; first < count; first += most) {
      const std::int64_t chunk = std::min(most, count - first);
      if (two_steps) {
        fold_slices(stream, own + first, chunk);
      } else {
        gather(stream, own + first, chunk);
        fold_gathered(stream, own + first, chunk);
      }
    }
  }

  void join(CudaStream stream, std::span<float* const> slices, int rows, int cols, float* out,
            int width) override {
    const auto most = static_cast<int>(floats() / nccl_.size() / cols);
    ASSAY_CHECK(most > 0, "a row of logits fits the exchange");
    for (int first = 0; first < rows; first += most) {
      const int chunk = std::min(most, rows - first);
      const std::int64_t count = std::int64_t{chunk} * cols;
      gather(stream, slices.front() + std::int64_t{first} * cols, count);
      JoinColumnsArgs args{.out = out + std::int64_t{first} * width,
                           .ranks = nccl_.size(),
                           .rows = chunk,
                           .cols = cols,
                           .width = width};
      for (int r = 0; r < nccl_.size(); ++r) args.in[r] = gathered_.as<float>() + r * count;
      join_columns_cuda(stream, args);
    }
  }

  void check() const override { nccl_.check(); }
  void abort() noexcept override { nccl_.abort(); }
  [[nodiscard]] std::string arithmetic() const override {
    return sums_ == RowSums::kRanks ? "-nccl" : "";
  }

 private:
  [[nodiscard]] std::int64_t floats() const {
    return static_cast<std::int64_t>(gathered_.size() / sizeof(float));
  }
  /// Each rank folds a slice and gives it to all: the bytes of a ring, and one exchange more.
  void fold_slices(CudaStream stream, float* data, std::int64_t count) {
    const std::int64_t slice = count / nccl_.size();
    float* own = data + nccl_.rank() * slice;
    nccl_.all_to_all(stream, data, slice, gathered_.as<float>());
    fold_gathered(stream, own, slice);
    nccl_.all_gather(stream, own, slice, data);
  }
  void fold_gathered(CudaStream stream, float* out, std::int64_t count) {
    FoldRanksArgs args{.out = {out}, .ranks = nccl_.size(), .stride = count, .count = count};
    for (int r = 0; r < nccl_.size(); ++r) args.in[r] = gathered_.as<float>() + r * count;
    fold_ranks_cuda(stream, args);
  }
  void gather(CudaStream stream, const float* part, std::int64_t count) {
    nccl_.all_gather(stream, part, count, gathered_.as<float>());
  }

  NcclCommunicator nccl_;
  RowSums sums_;
  DeviceBuffer gathered_;  // [ranks, a chunk]
};

}  // namespace

std::unique_ptr<DeviceExchange> make_virtual_exchange() {
  return std::make_unique<VirtualExchange>();
}

std::unique_ptr<DeviceExchange> make_nccl_exchange(const std::string& unique_id, int ranks,
                                                   int rank, RowSums sums, std::int64_t vocab) {
  return std::make_unique<NcclExchange>(unique_id, ranks, rank, sums, vocab);
}

std::int64_t nccl_exchange_bytes(int ranks, std::int64_t vocab) {
  return gather_floats(ranks, vocab) * static_cast<std::int64_t>(sizeof(float));
}

}  // namespace assay::engine
