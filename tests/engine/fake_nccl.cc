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
  explicit Group(int size) : barrier(size), parts(static_cast<std::size_t>(size)) {}
  std::barrier<> barrier;
  std::vector<const float*> parts;
};

struct Comm {
  std::shared_ptr<Group> group;
  int rank;
  int error = 0;
};

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
    std::memcpy(to + r * count, group.parts[r], count * sizeof(float));
  }
  group.barrier.arrive_and_wait();
  return 0;
}
}
