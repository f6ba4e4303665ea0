// engine/cuda/runtime.h on the host: device memory is host memory, work is done when it is
// enqueued, unless queue.h says otherwise.
#include "engine/cuda/runtime.h"

#include <atomic>
#include <cstdlib>
#include <cstring>

#include "base/check.h"
#include "base/error.h"
#include "engine/cuda/emulation/queue.h"
#include "engine/cuda/emulation/tensor_map.h"
#include "engine/cuda/failure.h"

namespace assay::engine {
namespace {

constexpr std::int64_t kDeviceBytes = std::int64_t{8} << 30;
constexpr std::size_t kAlignment = 1024;
std::atomic<std::int64_t> used_bytes{0};  // of the devices of all threads

/// Fresh memory holds NaNs in every format, as memory of an earlier program might.
std::byte* allocate(std::size_t bytes) {
  if (bytes == 0) return nullptr;
  const std::size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  auto* data = static_cast<std::byte*>(std::aligned_alloc(kAlignment, rounded));
  ASSAY_CHECK(data != nullptr, "host memory of the emulated device");
  std::memset(data, 0xFF, rounded);
  return data;
}

}  // namespace

void cuda_check(int code, const char* what) {
  if (code != 0) throw_environment("{}", cuda_failure(code, "emulated", what));
}
void after_launch(CudaStream /*stream*/) {}

bool early_starts() { return false; }
bool pairs_of_blocks() { return true; }
bool folding_clusters() { return true; }
bool wide_tiles() { return true; }
bool steps_ahead() { return true; }

bool tracing() { return false; }
void trace_start(CudaStream /*stream*/) {}
void trace_stop(CudaStream /*stream*/, const char* /*name*/) {}
std::vector<KernelTime> kernel_times() { return {}; }

DeviceLimits use_device(int /*index*/) {
  return {.name = "host emulation",
          .capability = 90,
          .multiprocessors = 4,
          .shared_bytes = std::int64_t{227} << 10,
          .memory_bytes = kDeviceBytes,
          .free_bytes = free_device_bytes()};
}
void select_device(int /*index*/) {}
bool enable_peer_access(int /*other*/) { return true; }
std::int64_t free_device_bytes() { return kDeviceBytes - used_bytes; }

DeviceBuffer::DeviceBuffer(std::size_t bytes, const char* what) : size_(bytes) {
  if (static_cast<std::int64_t>(bytes) > free_device_bytes()) {
    throw_environment("{}", cuda_failure(2, "emulated", what));
  }
  data_ = allocate(bytes);
  used_bytes += static_cast<std::int64_t>(bytes);
}
DeviceBuffer::~DeviceBuffer() {
  synchronize(nullptr);  // as the driver does
  if (data_ != nullptr) used_bytes -= static_cast<std::int64_t>(size_);
  std::free(data_);
}

PinnedBuffer::PinnedBuffer(std::size_t bytes) : data_(allocate(bytes)), size_(bytes) {}
PinnedBuffer::~PinnedBuffer() { std::free(data_); }

Stream::Stream() = default;
Stream::~Stream() = default;
void synchronize(CudaStream /*stream*/) { emulation::work_until(emulation::queue_end()); }

void copy_to_device(CudaStream stream, void* to, const void* from, std::size_t bytes) {
  copy_on_device(stream, to, from, bytes);
}
void copy_to_host(CudaStream stream, void* to, const void* from, std::size_t bytes) {
  copy_on_device(stream, to, from, bytes);
}
void copy_on_device(CudaStream /*stream*/, void* to, const void* from, std::size_t bytes) {
  emulation::enqueue([=] {
    if (bytes > 0) std::memcpy(to, from, bytes);  // an empty vector's address is null
  });
}
void fill_bytes(CudaStream /*stream*/, void* to, int value, std::size_t bytes) {
  emulation::enqueue([=] { std::memset(to, value, bytes); });
}

/// The pointer is a point in the queue.
Event::Event() = default;
Event::~Event() = default;
void Event::record(CudaStream /*stream*/) {
  event_ = reinterpret_cast<CUevent_st*>(emulation::queue_end());
}
void Event::wait() const { emulation::work_until(reinterpret_cast<std::uintptr_t>(event_)); }
float Event::since(const Event& /*start*/) const { return 0; }

Graph::~Graph() = default;
void Graph::begin(CudaStream /*stream*/) { ASSAY_CHECK(false, "the emulation has no graphs"); }
Graph Graph::end(CudaStream /*stream*/) { return {}; }
void Graph::replay(CudaStream /*stream*/) const {}
bool graphs_work() { return false; }

TensorMap make_tensor_map(const void* base, std::int64_t rows, std::int64_t row_bytes,
                          std::int64_t box_rows) {
  ASSAY_CHECK(row_bytes % 16 == 0 && box_rows <= 256, "shape of a tensor map");
  const emulation::TiledMatrix matrix{static_cast<const std::byte*>(base), rows, row_bytes,
                                      box_rows};
  TensorMap out;
  std::memcpy(out.opaque, &matrix, sizeof(matrix));
  return out;
}

}  // namespace assay::engine
