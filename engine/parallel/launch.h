// Which process of a job this one is, as the program that started it says in the environment:
// torchrun and its like, MPI (nothing is linked), Slurm, or ASSAY_* by hand.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace assay::engine {

struct Launch {
  std::string launcher;  // "assay", "torchrun", "mpi", "slurm"
  int rank = 0;
  int size = 1;
  int local_rank = -1;  // among the processes of its node; -1: not told
  std::string host;     // where rank 0 listens
  std::uint16_t port = 0;
  std::string hint;  // why processes may be missing; "" when nothing speaks for it
};

/// A variable's value, or nothing when it is not set.
using Environment = std::function<std::optional<std::string>(const char* name)>;
/// Of this process.
std::optional<std::string> process_environment(const char* name);
/// A variable that holds seconds, 1 to 86400, or `otherwise`. Throws: Error(kInput).
std::chrono::milliseconds seconds_of(const Environment& environment, const char* name,
                                     std::chrono::milliseconds otherwise);

/// Nothing when this process is the only one. `launcher`: "auto" takes the first that is there of
/// assay, torchrun, mpi, slurm; "none" none; a name that one.
/// Throws: Error(kInput) naming the variable that is missing or has a value that makes no sense.
std::optional<Launch> read_launch(const Environment& environment, std::string_view launcher);

/// The first host of a Slurm node list: "gpu[007-009,12],login1" gives "gpu007".
std::string first_host(std::string_view node_list);

}  // namespace assay::engine
