#include "engine/parallel/nccl.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "base/check.h"
#include "base/error.h"

namespace assay::engine {
namespace {

// The part of NCCL's C interface that is used (NCCL user guide, "Communicators", "Collective
// communication functions", "Point to point", "Types"; unchanged since version 2.7).
using NcclResult = int;  // 0 is success, 7 is "in progress"
constexpr NcclResult kSuccess = 0;
constexpr NcclResult kInProgress = 7;
constexpr int kFloat32 = 7;
constexpr int kSum = 0;
constexpr std::size_t kIdBytes = 128;
struct NcclId {
  char internal[kIdBytes];
};
using NcclComm = struct NcclCommOpaque*;

struct Library {
  NcclResult (*version)(int*);
  NcclResult (*unique_id)(NcclId*);
  NcclResult (*init_rank)(NcclComm*, int size, NcclId id, int rank);
  NcclResult (*destroy)(NcclComm);
  NcclResult (*abort)(NcclComm);
  NcclResult (*async_error)(NcclComm, NcclResult*);
  const char* (*error_string)(NcclResult);
  NcclResult (*all_reduce)(const void*, void*, std::size_t, int type, int op, NcclComm,
                           CUstream_st*);
  NcclResult (*all_gather)(const void*, void*, std::size_t, int type, NcclComm, CUstream_st*);
  NcclResult (*send)(const void*, std::size_t, int type, int peer, NcclComm, CUstream_st*);
  NcclResult (*receive)(void*, std::size_t, int type, int peer, NcclComm, CUstream_st*);
  NcclResult (*group_start)();
  NcclResult (*group_end)();
  std::string problem;  // "" when everything was found
};

constexpr const char* kName = "libnccl.so.2";

/// Files that may be the library, best first: ASSAY_NCCL alone, else what the loader finds by name,
/// the CUDA toolkit's folder, Python wheels (nvidia/nccl).
std::vector<std::string> candidates() {
  if (const char* file = std::getenv("ASSAY_NCCL"); file != nullptr) return {file};
  std::vector<std::filesystem::path> prefixes;
  for (const char* name : {"CUDA_HOME", "CUDA_PATH", "VIRTUAL_ENV"}) {
    if (const char* value = std::getenv(name); value != nullptr) prefixes.emplace_back(value);
  }
  if (const char* home = std::getenv("HOME"); home != nullptr) {
    prefixes.push_back(std::filesystem::path(home) / ".local");
  }
  for (const char* usual : {"/usr/local/cuda", "/usr/local", "/usr"}) prefixes.emplace_back(usual);
  std::vector<std::string> out = {kName};
  const auto add = [&](const std::filesystem::path& file) {
    std::error_code ignored;
    if (std::filesystem::exists(file, ignored)) out.push_back(file.string());
  };
  std::error_code ignored;
  for (const std::filesystem::path& prefix : prefixes) {
    for (const char* folder : {"lib64", "lib"}) add(prefix / folder / kName);
    for (const auto& python : std::filesystem::directory_iterator(prefix / "lib", ignored)) {
      for (const char* packages : {"site-packages", "dist-packages"}) {
        add(python.path() / packages / "nvidia/nccl/lib" / kName);
      }
    }
  }
  return out;
}

template <typename Function>
void find(void* handle, const char* name, Function& out, std::string& problem) {
  out = reinterpret_cast<Function>(::dlsym(handle, name));
  if (out == nullptr && problem.empty()) problem = fmt::format("NCCL has no function {}", name);
}

Library load() {
  Library out{};
  void* handle = nullptr;
  std::string tried;
  for (const std::string& file : candidates()) {
    handle = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle != nullptr) break;
    tried += (tried.empty() ? "" : ", ") + file;
  }
  if (handle == nullptr) {
    out.problem = fmt::format(
        "NCCL is not here (looked for {}); install libnccl2 or the wheel nvidia-nccl, or name the "
        "file in ASSAY_NCCL",
        tried);
    return out;
  }
  find(handle, "ncclGetVersion", out.version, out.problem);
  find(handle, "ncclGetUniqueId", out.unique_id, out.problem);
  find(handle, "ncclCommInitRank", out.init_rank, out.problem);
  find(handle, "ncclCommDestroy", out.destroy, out.problem);
  find(handle, "ncclCommAbort", out.abort, out.problem);
  find(handle, "ncclCommGetAsyncError", out.async_error, out.problem);
  find(handle, "ncclGetErrorString", out.error_string, out.problem);
  find(handle, "ncclAllReduce", out.all_reduce, out.problem);
  find(handle, "ncclAllGather", out.all_gather, out.problem);
  find(handle, "ncclSend", out.send, out.problem);
  find(handle, "ncclRecv", out.receive, out.problem);
  find(handle, "ncclGroupStart", out.group_start, out.problem);
  find(handle, "ncclGroupEnd", out.group_end, out.problem);
  return out;
}

/// Stays loaded: communicators may be alive until the process ends.
const Library& library() {
  static const Library kLibrary = load();
  return kLibrary;
}

const Library& needed() {
  const Library& nccl = library();
  if (!nccl.problem.empty()) throw_environment("{}", nccl.problem);
  return nccl;
}

void check_result(NcclResult result, const char* what) {
  if (result == kSuccess) return;
  throw_environment("NCCL: {}: {} (error {})", what, library().error_string(result), result);
}

}  // namespace

NcclReport nccl_report() {
  const Library& nccl = library();
  NcclReport out{.problem = nccl.problem};
  int code = 0;
  if (!out.problem.empty() || nccl.version(&code) != kSuccess) return out;
  // 2.9 and newer: 2 28 03 is 22803; before, 2 8 4 was 2804.
  const int major = code >= 10'000 ? code / 10'000 : code / 1000;
  const int minor = code >= 10'000 ? code / 100 % 100 : code / 100 % 10;
  out.version = fmt::format("{}.{}.{}", major, minor, code % 100);
  return out;
}

std::string nccl_unique_id() {
  NcclId id{};
  check_result(needed().unique_id(&id), "a new group");
  return {id.internal, kIdBytes};
}

struct NcclCommunicator::State {
  int rank = 0;
  int size = 1;
  NcclComm comm = nullptr;
  std::atomic<bool> aborted{false};
};

NcclCommunicator::NcclCommunicator(const std::string& unique_id, int size, int rank)
    : state_(std::make_unique<State>()) {
  if (unique_id.size() != kIdBytes) {
    throw_environment("NCCL: a group's name of {} bytes", unique_id.size());
  }
  ASSAY_CHECK(rank >= 0 && rank < size, "a rank of its group");
  NcclId id{};
  std::memcpy(id.internal, unique_id.data(), kIdBytes);
  state_->rank = rank;
  state_->size = size;
  check_result(needed().init_rank(&state_->comm, size, id, rank), "joining the group");
}

NcclCommunicator::~NcclCommunicator() {
  if (state_->comm != nullptr && !state_->aborted) (void)library().destroy(state_->comm);
}

int NcclCommunicator::rank() const { return state_->rank; }
int NcclCommunicator::size() const { return state_->size; }

void NcclCommunicator::all_reduce_sum(CUstream_st* stream, float* data, std::int64_t count) {
  check_result(library().all_reduce(data, data, static_cast<std::size_t>(count), kFloat32, kSum,
                                    state_->comm, stream),
               "sum over ranks");
}

void NcclCommunicator::all_gather(CUstream_st* stream, const float* part, std::int64_t count,
                                  float* all) {
  check_result(library().all_gather(part, all, static_cast<std::size_t>(count), kFloat32,
                                    state_->comm, stream),
               "gathering from all ranks");
}

void NcclCommunicator::all_to_all(CUstream_st* stream, const float* parts, std::int64_t count,
                                  float* all) {
  const Library& nccl = library();
  const auto size = static_cast<std::size_t>(count);
  check_result(nccl.group_start(), "start of an exchange");
  NcclResult result = kSuccess;
  for (int peer = 0; peer < state_->size && result == kSuccess; ++peer) {
    result = nccl.send(parts + peer * count, size, kFloat32, peer, state_->comm, stream);
    if (result != kSuccess) break;
    result = nccl.receive(all + peer * count, size, kFloat32, peer, state_->comm, stream);
  }
  const NcclResult ended = nccl.group_end();
  check_result(result, "exchange between all ranks");
  check_result(ended, "exchange between all ranks");
}

void NcclCommunicator::check() const {
  if (state_->aborted) throw_environment("NCCL: the group was given up: a rank is lost");
  NcclResult result = kSuccess;
  check_result(library().async_error(state_->comm, &result), "state of the group");
  if (result != kInProgress) check_result(result, "work of the group");
}

void NcclCommunicator::abort() noexcept {
  if (!state_->aborted.exchange(true)) (void)library().abort(state_->comm);
}

}  // namespace assay::engine
