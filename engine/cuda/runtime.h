// The CUDA runtime as the engine uses it: memory, streams, copies, graphs. No CUDA header is
// needed to include it. Two implementations: runtime_cuda.cc, and emulation/runtime.cc for tests on
// machines without a device.
//
// All functions act on the current device of the calling thread and throw Error(kEnvironment) with
// one line when CUDA reports a failure (engine/cuda/failure.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

struct CUstream_st;
struct CUgraphExec_st;
struct CUevent_st;

namespace assay::engine {

using CudaStream = CUstream_st*;  // cudaStream_t

struct DeviceLimits {
  std::string name;
  int capability = 0;  // 90 is Hopper
  int multiprocessors = 0;
  std::int64_t shared_bytes = 0;  // a block may opt in to
  std::int64_t memory_bytes = 0;
  std::int64_t free_bytes = 0;
};

/// Makes device `index` current and starts its context. Throws: Error(kEnvironment) when there is
/// no such device or the driver is too old.
DeviceLimits use_device(int index);
/// Makes it the calling thread's again; cheap. REQUIRES: use_device(index) before, on any thread.
void select_device(int index);
/// Lets kernels on the current device use memory of device `other`. False when they cannot.
bool enable_peer_access(int other);
/// Free memory now.
std::int64_t free_device_bytes();

/// Throws Error(kEnvironment) unless `code` (a cudaError_t) is success.
void cuda_check(int code, const char* what);
/// With ASSAY_CUDA_SYNC=1 waits for the stream and reports what a kernel did wrong.
void after_launch(CudaStream stream);

/// Kernels may start before the one in front of them has ended (Geometry::early): on devices of
/// capability 9.0 and later, unless ASSAY_CUDA_EARLY=0. Speed alone depends on it.
bool early_starts();
/// Pairs of blocks share what they read (engine/ops/gemm_wgmma.cu), unless ASSAY_CUDA_PAIRS=0.
/// Speed alone depends on it.
bool pairs_of_blocks();
/// Blocks of a cluster fold the shards of a product of few tokens, unless ASSAY_CUDA_FOLD=0. Speed
/// alone depends on it.
bool folding_clusters();
/// Products may take tiles of 192 tokens in place of 128, unless ASSAY_CUDA_WIDE=0. Speed alone
/// depends on it.
bool wide_tiles();
/// A step is enqueued while the one before it runs (Executor::runs_ahead), unless
/// ASSAY_CUDA_AHEAD=0. Speed alone depends on it.
bool steps_ahead();

/// With ASSAY_CUDA_TRACE=1 every kernel is timed by itself, one after another, and no graph is
/// recorded: where a step's time goes, not how long a step takes.
bool tracing();
void trace_start(CudaStream stream);
void trace_stop(CudaStream stream, const char* name);
struct KernelTime {
  std::string name;
  std::int64_t calls = 0;
  double milliseconds = 0;
};
/// Since the last call, largest first.
std::vector<KernelTime> kernel_times();

/// Device memory, 256-byte aligned, not initialised.
class DeviceBuffer {
 public:
  DeviceBuffer() = default;
  /// `what` names it in the message when the memory is not there.
  DeviceBuffer(std::size_t bytes, const char* what);
  ~DeviceBuffer();
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  DeviceBuffer(DeviceBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  template <typename T>
  [[nodiscard]] T* as() const {
    return reinterpret_cast<T*>(data_);
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Page-locked host memory.
class PinnedBuffer {
 public:
  PinnedBuffer() = default;
  explicit PinnedBuffer(std::size_t bytes);
  ~PinnedBuffer();
  PinnedBuffer(const PinnedBuffer&) = delete;
  PinnedBuffer& operator=(const PinnedBuffer&) = delete;
  PinnedBuffer(PinnedBuffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  PinnedBuffer& operator=(PinnedBuffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  template <typename T>
  [[nodiscard]] T* as() const {
    return reinterpret_cast<T*>(data_);
  }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Waits until everything enqueued is done; reports what failed.
void synchronize(CudaStream stream);

class Stream {
 public:
  Stream();
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  Stream(Stream&&) = delete;
  Stream& operator=(Stream&&) = delete;
  [[nodiscard]] CudaStream get() const { return stream_; }
  void synchronize() const { assay::engine::synchronize(stream_); }

 private:
  CudaStream stream_ = nullptr;
};

/// Asynchronous on `stream`; host memory should be pinned.
void copy_to_device(CudaStream stream, void* to, const void* from, std::size_t bytes);
void copy_to_host(CudaStream stream, void* to, const void* from, std::size_t bytes);
void copy_on_device(CudaStream stream, void* to, const void* from, std::size_t bytes);
void fill_bytes(CudaStream stream, void* to, int value, std::size_t bytes);

/// A point in a stream's work, for times and for waiting.
class Event {
 public:
  Event();
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  Event(Event&&) = delete;
  Event& operator=(Event&&) = delete;
  void record(CudaStream stream);
  void wait() const;
  /// Milliseconds from `start` to this event. REQUIRES: both recorded and waited for.
  [[nodiscard]] float since(const Event& start) const;

 private:
  CUevent_st* event_ = nullptr;
};

/// Work of a stream, recorded once and replayed. Kernels see the same pointers every time.
class Graph {
 public:
  Graph() = default;
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  Graph(Graph&& other) noexcept : graph_(std::exchange(other.graph_, nullptr)) {}
  Graph& operator=(Graph&& other) noexcept {
    std::swap(graph_, other.graph_);
    return *this;
  }
  /// Between begin and end, what is enqueued on `stream` is recorded and not run.
  static void begin(CudaStream stream);
  static Graph end(CudaStream stream);
  void replay(CudaStream stream) const;

 private:
  CUgraphExec_st* graph_ = nullptr;
};

/// False where graphs cannot be recorded: in the host emulation, and while kernels are timed or
/// waited for one by one; and with ASSAY_CUDA_GRAPHS=0.
bool graphs_work();

/// How the tensor memory accelerator reads a matrix: 128 bytes by `box_rows` rows at a time, in the
/// 128-byte swizzle. Passed to kernels as a constant parameter.
struct alignas(64) TensorMap {
  std::byte opaque[128];
};
/// A matrix of `rows` x `row_bytes` at `base` (device memory, 16-byte aligned; row_bytes a multiple
/// of 16). Reads beyond the last row give zeros. REQUIRES: box_rows <= 256.
TensorMap make_tensor_map(const void* base, std::int64_t rows, std::int64_t row_bytes,
                          std::int64_t box_rows);

}  // namespace assay::engine
