// A stand-in for libnccl.so.2 on machines without a GPU: the same C functions over host memory and
// threads of one process. It proves that the real library is called as its documentation says.
#include <barrier>
#include <cstddef>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace {

struct Group {
  explicit Group(int size)
      : barrier(size),
        parts(static_cast<std::size_t>(size)),
        sent(parts.size(), std::vector<const float*>(parts.size())) {}
  std::barrier<> barrier;
  std::vector<const float*> parts;
  std::vector<std::vector<const float*>> sent;  // of a rank, to a peer
};

struct Comm {
  std::shared_ptr<Group> group;
  int rank;
  int error = 0;
};

struct Wanted {
  float* to;
  std::size_t count;
  std::size_t peer;
};
/// The open group of calls of a thread.
struct Exchange {
  Comm* comm = nullptr;
  std::vector<Wanted> wanted;
};
thread_local Exchange exchange;

std::mutex mutex;
std::map<std::string, std::shared_ptr<Group>> groups;
int next_id = 0;

}  // namespace

extern "C" {

struct Id {
  char internal[128];
};

int ncclGetVersion(int* version) {
  *version = 22803;
  return 0;
}
const char* ncclGetErrorString(int result) { return result == 6 ? "remote error" : "made up"; }
int ncclGetUniqueId(Id* id) {
  const std::lock_guard lock(mutex);
  std::memset(id, 0x5a, sizeof(*id));
  id->internal[0] = static_cast<char>(++next_id);
  return 0;
}
int ncclCommInitRank(Comm** comm, int size, Id id, int rank) {
  if (rank < 0 || rank >= size) return 4;
  std::shared_ptr<Group> group;
  {
    const std::lock_guard lock(mutex);
    auto& slot = groups[std::string(id.internal, sizeof(id.internal))];
    if (!slot) slot = std::make_shared<Group>(size);
    group = slot;
  }
  group->barrier.arrive_and_wait();
  *comm = new Comm{group, rank};
  return 0;
}
int ncclCommDestroy(Comm* comm) {
  delete comm;
  return 0;
}
int ncclCommAbort(Comm* comm) {
  delete comm;
  return 0;
}
int ncclCommGetAsyncError(Comm* comm, int* error) {
  *error = comm->error;
  return 0;
}
int ncclAllReduce(const float* from, float* to, std::size_t count, int type, int op, Comm* comm,
                  void*) {
  if (type != 7 || op != 0) return 4;
  Group& group = *comm->group;
  group.parts[static_cast<std::size_t>(comm->rank)] = from;
  group.barrier.arrive_and_wait();
  std::vector<float> sums(count);
  for (const float* part : group.parts) {
    for (std::size_t i = 0; i < count; ++i) sums[i] += part[i];
  }
  group.barrier.arrive_and_wait();
  std::memcpy(to, sums.data(), count * sizeof(float));
  if (count == 13) comm->error = 6;  // what the test asks for
  return 0;
}
int ncclAllGather(const float* from, float* to, std::size_t count, int type, Comm* comm, void*) {
  if (type != 7) return 4;
  Group& group = *comm->group;
  group.parts[static_cast<std::size_t>(comm->rank)] = from;
  group.barrier.arrive_and_wait();
  for (std::size_t r = 0; r < group.parts.size(); ++r) {
    // In place, a rank's own part lies there already, and others read it.
    float* place = to + r * count;
    if (group.parts[r] != place) std::memmove(place, group.parts[r], count * sizeof(float));
  }
  group.barrier.arrive_and_wait();
  return 0;
}
int ncclGroupStart() { return 0; }
int ncclSend(const float* from, std::size_t, int type, int peer, Comm* comm, void*) {
  if (type != 7) return 4;
  exchange.comm = comm;
  comm->group->sent[static_cast<std::size_t>(comm->rank)][static_cast<std::size_t>(peer)] = from;
  return 0;
}
int ncclRecv(float* to, std::size_t count, int type, int peer, Comm* comm, void*) {
  if (type != 7) return 4;
  exchange.comm = comm;
  exchange.wanted.push_back({to, count, static_cast<std::size_t>(peer)});
  return 0;
}
/// As in NCCL, sends and receives of a group happen together when it ends.
int ncclGroupEnd() {
  if (exchange.comm == nullptr) return 0;
  Group& group = *exchange.comm->group;
  const auto rank = static_cast<std::size_t>(exchange.comm->rank);
  group.barrier.arrive_and_wait();
  for (const Wanted& one : exchange.wanted) {
    std::memcpy(one.to, group.sent[one.peer][rank], one.count * sizeof(float));
  }
  group.barrier.arrive_and_wait();
  exchange = {};
  return 0;
}
}
