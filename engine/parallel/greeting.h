// How the processes of a job find each other and prove that they belong together.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/parallel/process_group.h"

namespace assay::engine {

/// Another process, connected twice; who gets it owns the descriptors.
struct Member {
  int rank = 0;
  std::string host;
  std::int64_t pid = 0;
  int data = -1;
  int pulse = -1;
};

/// "rank 2 (node7, process 4711)"
std::string member_name(const Member& member);

/// What every process knows after the greeting.
struct Gathered {
  std::vector<Member> members;     // rank 0: of ranks 1, 2 ...; others: rank 0
  std::vector<std::string> hosts;  // of all ranks
};

/// Rank 0: listens until all are there. Errors: ProcessGroup::join.
Gathered gather_members(const Launch& launch, const GroupOptions& options);
/// Others: connects to rank 0, trying again until it listens.
Gathered find_leader(const Launch& launch, const GroupOptions& options);

}  // namespace assay::engine
