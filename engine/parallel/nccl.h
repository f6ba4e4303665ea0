// NVIDIA's collective library, loaded at run time: a machine without it still runs one rank a
// model. No header of it is needed to build; what is used of its C interface is declared in
// nccl.cc, from its public documentation.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

struct CUstream_st;

namespace assay::engine {

/// What this machine has of it; never throws.
struct NcclReport {
  std::string version;  // "2.28.3"; "" without the library
  std::string problem;  // one line: why not; "" when it is there
};
NcclReport nccl_report();

/// A new group's name, 128 bytes, made by one rank and given to all others by other means
/// (ProcessGroup::broadcast). Throws: Error(kEnvironment) without the library.
std::string nccl_unique_id();

/// Collectives of device memory between GPUs of one or several nodes, enqueued on a stream. All
/// ranks make the same calls in the same order. One end belongs to one thread, whose current device
/// is the rank's; `check` and `abort` may be called by any.
/// Throws: Error(kEnvironment) naming the call and NCCL's reason.
class NcclCommunicator {
 public:
  /// Blocks until all ranks are there. Without a watchdog that ends the process, a rank that never
  /// comes is waited for without end (ProcessGroup has one).
  NcclCommunicator(const std::string& unique_id, int size, int rank);
  ~NcclCommunicator();
  NcclCommunicator(const NcclCommunicator&) = delete;
  NcclCommunicator& operator=(const NcclCommunicator&) = delete;
  NcclCommunicator(NcclCommunicator&&) = delete;
  NcclCommunicator& operator=(NcclCommunicator&&) = delete;

  [[nodiscard]] int rank() const;
  [[nodiscard]] int size() const;
  /// data[i] becomes the sum over ranks in an order that NCCL chooses by size, topology and number
  /// of ranks: the same on every rank, but not the bits of another number of ranks.
  void all_reduce_sum(CUstream_st* stream, float* data, std::int64_t count);
  /// `count` floats of each rank, in rank order: all [size, count]; `part` may be the rank's place
  /// in `all`. Moves bits and adds nothing: folded in a fixed order afterwards, it is the sum that
  /// does not depend on the number of ranks.
  void all_gather(CUstream_st* stream, const float* part, std::int64_t count, float* all);
  /// parts [size, count] of each rank: part p goes to rank p. all [size, count] has, in rank order,
  /// what the others had for this rank. REQUIRES: no overlap.
  void all_to_all(CUstream_st* stream, const float* parts, std::int64_t count, float* all);
  /// Throws when a rank was lost since: enqueued work then never ends by itself.
  void check() const;
  /// Ends what is enqueued, here; the other ranks notice by their own watchdog.
  void abort() noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace assay::engine
