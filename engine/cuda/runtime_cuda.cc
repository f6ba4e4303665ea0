// engine/cuda/runtime.h on a device.
#include <cuda.h>
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>

#include "base/error.h"
#include "engine/cuda/failure.h"
#include "engine/cuda/runtime.h"

namespace assay::engine {
namespace {

void check(cudaError_t code, const char* what) { cuda_check(code, what); }

int attribute(cudaDeviceAttr which, int device) {
  int value = 0;
  check(cudaDeviceGetAttribute(&value, which, device), "properties of the device");
  return value;
}

bool is(const char* variable, const char* wanted) {
  const char* value = std::getenv(variable);
  return value != nullptr && std::strcmp(value, wanted) == 0;
}
bool is_on(const char* variable) { return is(variable, "1"); }

bool synchronous() {
  static const bool kOn = is_on("ASSAY_CUDA_SYNC");
  return kOn;
}

/// Of the one thread that enqueues while kernels are timed.
struct Trace {
  Event start;
  Event stop;
  std::map<std::string, KernelTime> times;
};
Trace& trace() {
  static Trace kTrace;
  return kTrace;
}

}  // namespace

void cuda_check(int code, const char* what) {
  if (code == cudaSuccess) return;
  const auto error = static_cast<cudaError_t>(code);
  (void)cudaGetLastError();  // so that a later call does not report it again
  throw_environment("{}", cuda_failure(code, cudaGetErrorName(error), what));
}

void after_launch(CudaStream stream) {
  if (synchronous()) check(cudaStreamSynchronize(stream), "a kernel");
}

bool early_starts() {
  static const bool kOn = [] {
    int device = 0;
    return !is("ASSAY_CUDA_EARLY", "0") && !synchronous() &&
           cudaGetDevice(&device) == cudaSuccess &&
           attribute(cudaDevAttrComputeCapabilityMajor, device) >= 9;
  }();
  return kOn;
}
bool pairs_of_blocks() {
  static const bool kOn = !is("ASSAY_CUDA_PAIRS", "0");
  return kOn;
}

bool folding_clusters() {
  static const bool kOn = !is("ASSAY_CUDA_FOLD", "0");
  return kOn;
}
bool wide_tiles() {
  static const bool kOn = !is("ASSAY_CUDA_WIDE", "0");
  return kOn;
}

bool steps_ahead() {
  static const bool kOn = !is("ASSAY_CUDA_AHEAD", "0");
  return kOn;
}

bool tracing() {
  static const bool kOn = is_on("ASSAY_CUDA_TRACE");
  return kOn;
}
void trace_start(CudaStream stream) { trace().start.record(stream); }
void trace_stop(CudaStream stream, const char* name) {
  trace().stop.record(stream);
  trace().stop.wait();
  KernelTime& time = trace().times[name];
  time.name = name;
  ++time.calls;
  time.milliseconds += static_cast<double>(trace().stop.since(trace().start));
}
std::vector<KernelTime> kernel_times() {
  std::vector<KernelTime> out;
  if (!tracing()) return out;
  for (const auto& [name, time] : trace().times) out.push_back(time);
  trace().times.clear();
  std::sort(out.begin(), out.end(), [](const KernelTime& a, const KernelTime& b) {
    return a.milliseconds > b.milliseconds;
  });
  return out;
}

DeviceLimits use_device(int index) {
  int driver = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
    throw_environment("CUDA: no NVIDIA driver is loaded; `assay doctor` says more");
  }
  check(cudaSetDevice(index), "choice of the device");
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, index), "properties of the device");
  DeviceLimits out;
  out.name = properties.name;
  out.capability = properties.major * 10 + properties.minor;
  out.multiprocessors = properties.multiProcessorCount;
  out.shared_bytes = attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, index);
  out.memory_bytes = static_cast<std::int64_t>(properties.totalGlobalMem);
  out.free_bytes = free_device_bytes();
  const std::string problem = capability_problem(out.capability, ASSAY_CUDA_ARCHITECTURES);
  if (!problem.empty()) throw_environment("{} ({})", problem, out.name);
  return out;
}

void select_device(int index) { check(cudaSetDevice(index), "choice of the device"); }

bool enable_peer_access(int other) {
  int device = 0;
  int can = 0;
  check(cudaGetDevice(&device), "the current device");
  check(cudaDeviceCanAccessPeer(&can, device, other), "access to another GPU");
  if (can == 0) return false;
  const cudaError_t code = cudaDeviceEnablePeerAccess(other, 0);
  if (code == cudaErrorPeerAccessAlreadyEnabled) {
    (void)cudaGetLastError();
  } else {
    check(code, "access to another GPU");
  }
  return true;
}

std::int64_t free_device_bytes() {
  std::size_t free = 0;
  std::size_t total = 0;
  check(cudaMemGetInfo(&free, &total), "free memory of the device");
  return static_cast<std::int64_t>(free);
}

DeviceBuffer::DeviceBuffer(std::size_t bytes, const char* what) : size_(bytes) {
  if (bytes == 0) return;
  void* data = nullptr;
  const cudaError_t code = cudaMalloc(&data, bytes);
  if (code == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();
    std::size_t free = 0;
    std::size_t total = 0;
    (void)cudaMemGetInfo(&free, &total);
    throw_environment("{}", cuda_failure(code, cudaGetErrorName(code),
                                         std::to_string(bytes >> 20) + " MiB for " + what + ", " +
                                             std::to_string(free >> 20) + " MiB are free"));
  }
  check(code, what);
  data_ = static_cast<std::byte*>(data);
}
DeviceBuffer::~DeviceBuffer() { (void)cudaFree(data_); }

PinnedBuffer::PinnedBuffer(std::size_t bytes) : size_(bytes) {
  void* data = nullptr;
  check(cudaMallocHost(&data, bytes), "page-locked host memory");
  data_ = static_cast<std::byte*>(data);
}
PinnedBuffer::~PinnedBuffer() { (void)cudaFreeHost(data_); }

Stream::Stream() { check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "a stream"); }
Stream::~Stream() { (void)cudaStreamDestroy(stream_); }
void synchronize(CudaStream stream) { check(cudaStreamSynchronize(stream), "work on the GPU"); }

void copy_to_device(CudaStream stream, void* to, const void* from, std::size_t bytes) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream), "copy to the GPU");
}
void copy_to_host(CudaStream stream, void* to, const void* from, std::size_t bytes) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream), "copy from the GPU");
}
void copy_on_device(CudaStream stream, void* to, const void* from, std::size_t bytes) {
  check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream), "copy on the GPU");
}
void fill_bytes(CudaStream stream, void* to, int value, std::size_t bytes) {
  check(cudaMemsetAsync(to, value, bytes, stream), "filling GPU memory");
}

Event::Event() { check(cudaEventCreate(&event_), "an event"); }
Event::~Event() { (void)cudaEventDestroy(event_); }
void Event::record(CudaStream stream) { check(cudaEventRecord(event_, stream), "an event"); }
void Event::wait() const { check(cudaEventSynchronize(event_), "work on the GPU"); }
float Event::since(const Event& start) const {
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, start.event_, event_), "time between events");
  return milliseconds;
}

Graph::~Graph() {
  if (graph_ != nullptr) (void)cudaGraphExecDestroy(graph_);
}
void Graph::begin(CudaStream stream) {
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "start of a graph");
}
Graph Graph::end(CudaStream stream) {
  cudaGraph_t recorded = nullptr;
  check(cudaStreamEndCapture(stream, &recorded), "end of a graph");
  Graph out;
  const cudaError_t code = cudaGraphInstantiate(&out.graph_, recorded, 0);
  (void)cudaGraphDestroy(recorded);
  check(code, "a graph");
  return out;
}
void Graph::replay(CudaStream stream) const { check(cudaGraphLaunch(graph_, stream), "a graph"); }
bool graphs_work() { return !tracing() && !synchronous() && !is("ASSAY_CUDA_GRAPHS", "0"); }

TensorMap make_tensor_map(const void* base, std::int64_t rows, std::int64_t row_bytes,
                          std::int64_t box_rows) {
  static_assert(sizeof(TensorMap) == sizeof(CUtensorMap));
  static const auto kEncode = [] {
    void* function = nullptr;
    cudaDriverEntryPointQueryResult found{};
    check(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &function, 12000,
                                           cudaEnableDefault, &found),
          "cuTensorMapEncodeTiled");
    return reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(function);
  }();
  const cuuint64_t size[2] = {static_cast<cuuint64_t>(row_bytes), static_cast<cuuint64_t>(rows)};
  const cuuint64_t stride[1] = {static_cast<cuuint64_t>(row_bytes)};
  const cuuint32_t box[2] = {128, static_cast<cuuint32_t>(box_rows)};
  const cuuint32_t step[2] = {1, 1};
  TensorMap out;
  CUtensorMap map;
  const CUresult code =
      kEncode(&map, CU_TENSOR_MAP_DATA_TYPE_UINT8, 2, const_cast<void*>(base), size, stride, box,
              step, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
              CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  if (code != CUDA_SUCCESS) {
    throw_environment("CUDA: a tensor map of {} x {} bytes was refused (error {})", rows, row_bytes,
                      static_cast<int>(code));
  }
  std::memcpy(&out, &map, sizeof(out));
  return out;
}

}  // namespace assay::engine
