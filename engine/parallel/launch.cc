#include "engine/parallel/launch.h"

#include <cstdlib>

#include "base/error.h"
#include "base/random.h"
#include "base/text.h"

namespace assay::engine {
namespace {

constexpr std::int64_t kMostProcesses = 1024;
constexpr std::uint16_t kDefaultPort = 29'500;

class Reader {
 public:
  explicit Reader(const Environment& environment) : environment_(environment) {}

  [[nodiscard]] bool has(const char* name) const { return environment_(name).has_value(); }

  [[nodiscard]] std::string text(const char* name) const { return environment_(name).value_or(""); }

  [[nodiscard]] int integer(const char* name, std::int64_t least, std::int64_t most) const {
    const auto value = environment_(name);
    if (!value) throw_input("{} is not set, but the launcher's other variables are", name);
    const auto number = parse_int(*value);
    if (!number || *number < least || *number > most) {
      throw_input("{}={}: must be a whole number from {} to {}", name, escaped(*value), least,
                  most);
    }
    return static_cast<int>(*number);
  }

  /// The first of the variables that is set.
  [[nodiscard]] int integer_of(std::initializer_list<const char*> names, std::int64_t least,
                               std::int64_t most, int otherwise) const {
    for (const char* name : names) {
      if (has(name)) return integer(name, least, most);
    }
    return otherwise;
  }

 private:
  const Environment& environment_;
};

Launch ranked(const Reader& reader, const char* launcher, const char* rank, const char* size) {
  Launch out;
  out.launcher = launcher;
  out.size = reader.integer(size, 1, kMostProcesses);
  out.rank = reader.integer(rank, 0, out.size - 1);
  return out;
}

/// Jobs of one machine get different ports, below those that systems give to clients.
std::uint16_t port_of_job(const std::string& job) {
  return static_cast<std::uint16_t>(20'000 + fnv1a(job) % 10'000);
}

std::optional<Launch> by_hand(const Reader& reader) {
  if (!reader.has("ASSAY_RANK")) return std::nullopt;
  Launch out = ranked(reader, "assay", "ASSAY_RANK", "ASSAY_WORLD_SIZE");
  out.local_rank = reader.integer_of({"ASSAY_LOCAL_RANK"}, 0, kMostProcesses, -1);
  out.host = "127.0.0.1";
  out.port = kDefaultPort;
  return out;
}

std::optional<Launch> torchrun(const Reader& reader) {
  if (!reader.has("RANK") || !reader.has("WORLD_SIZE")) return std::nullopt;
  Launch out = ranked(reader, "torchrun", "RANK", "WORLD_SIZE");
  out.local_rank = reader.integer_of({"LOCAL_RANK"}, 0, kMostProcesses, -1);
  if (out.size > 1 && !reader.has("MASTER_ADDR") && !reader.has("ASSAY_MASTER")) {
    throw_input("MASTER_ADDR is not set, but RANK and WORLD_SIZE are: where is rank 0?");
  }
  out.port = kDefaultPort;
  return out;
}

/// Host of rank 0 and a port of the job, from Slurm's variables.
void place_by_slurm(const Reader& reader, Launch& launch) {
  const bool step = reader.has("SLURM_STEP_NODELIST");
  const std::string list = step                           ? reader.text("SLURM_STEP_NODELIST")
                           : reader.has("SLURM_NODELIST") ? reader.text("SLURM_NODELIST")
                                                          : reader.text("SLURM_JOB_NODELIST");
  const bool one_node = list.find_first_of(",[") == std::string::npos;
  launch.host = one_node ? "127.0.0.1" : first_host(list);
  launch.port = port_of_job(reader.text("SLURM_JOB_ID") + "." + reader.text("SLURM_STEP_ID"));
}

std::optional<Launch> mpi(const Reader& reader) {
  const bool open_mpi = reader.has("OMPI_COMM_WORLD_RANK");
  if (!open_mpi && !reader.has("PMI_RANK")) return std::nullopt;
  Launch out = open_mpi ? ranked(reader, "mpi", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE")
                        : ranked(reader, "mpi", "PMI_RANK", "PMI_SIZE");
  out.local_rank =
      reader.integer_of({"OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID"}, 0, kMostProcesses, -1);
  if (reader.has("SLURM_JOB_ID")) {
    place_by_slurm(reader, out);
    return out;
  }
  const int local = reader.integer_of({"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"}, 1,
                                      kMostProcesses, out.size);
  if (local == out.size) out.host = "127.0.0.1";
  out.port = kDefaultPort;
  for (const char* job : {"PMI_JOBID", "OMPI_MCA_ess_base_jobid", "PMIX_NAMESPACE"}) {
    if (reader.has(job)) out.port = port_of_job(reader.text(job));
  }
  return out;
}

std::optional<Launch> slurm(const Reader& reader) {
  if (!reader.has("SLURM_PROCID") || !reader.has("SLURM_NTASKS")) return std::nullopt;
  const bool step = reader.has("SLURM_STEP_NUM_TASKS");
  Launch out =
      ranked(reader, "slurm", "SLURM_PROCID", step ? "SLURM_STEP_NUM_TASKS" : "SLURM_NTASKS");
  out.local_rank = reader.integer_of({"SLURM_LOCALID"}, 0, kMostProcesses, -1);
  place_by_slurm(reader, out);
  if (!reader.has("SLURM_STEP_ID")) {
    out.hint = "; in a batch script start it with srun, or as one process with --launcher none";
  }
  return out;
}

/// "host:port", "[address]:port".
void read_master(const std::string& master, Launch& launch) {
  const std::size_t colon = master.rfind(':');
  const auto port = parse_int(colon == std::string::npos ? "" : master.substr(colon + 1));
  if (!port || *port < 1 || *port > 65'535 || colon == 0) {
    throw_input("ASSAY_MASTER={}: must be host:port, where rank 0 listens", escaped(master));
  }
  launch.host = master.substr(0, colon);
  if (launch.host.front() == '[' && launch.host.back() == ']') {
    launch.host = launch.host.substr(1, launch.host.size() - 2);
  }
  launch.port = static_cast<std::uint16_t>(*port);
}

/// What the user says wins over what the launcher lets guess.
void read_place(const Reader& reader, Launch& launch) {
  if (reader.has("ASSAY_MASTER")) return read_master(reader.text("ASSAY_MASTER"), launch);
  if (reader.has("MASTER_ADDR")) launch.host = reader.text("MASTER_ADDR");
  if (reader.has("MASTER_PORT")) {
    int port = reader.integer("MASTER_PORT", 1, 65'535);
    // torchrun's own store listens there.
    if (reader.text("TORCHELASTIC_USE_AGENT_STORE") == "True" && port < 65'535) ++port;
    launch.port = static_cast<std::uint16_t>(port);
  }
  if (launch.host.empty()) {
    throw_input(
        "{} processes on several nodes, but nothing says where rank 0 is: set ASSAY_MASTER to "
        "host:port on all of them",
        launch.size);
  }
}

}  // namespace

std::optional<std::string> process_environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  return value;
}

std::chrono::milliseconds seconds_of(const Environment& environment, const char* name,
                                     std::chrono::milliseconds otherwise) {
  const auto value = environment(name);
  if (!value) return otherwise;
  const auto seconds = parse_int(*value);
  if (!seconds || *seconds < 1 || *seconds > 86'400) {
    throw_input("{}={}: must be a number of seconds from 1 to 86400", name, escaped(*value));
  }
  return std::chrono::milliseconds(*seconds * 1000);
}

std::optional<Launch> read_launch(const Environment& environment, std::string_view launcher) {
  using Read = std::optional<Launch> (*)(const Reader&);
  constexpr std::pair<std::string_view, Read> kLaunchers[] = {
      {"assay", by_hand}, {"torchrun", torchrun}, {"mpi", mpi}, {"slurm", slurm}};
  if (launcher == "none") return std::nullopt;
  const Reader reader(environment);
  bool known = launcher == "auto";
  for (const auto& [name, read] : kLaunchers) {
    if (launcher != "auto" && launcher != name) continue;
    known = true;
    std::optional<Launch> found = read(reader);
    if (!found) continue;
    if (found->size == 1) return std::nullopt;
    read_place(reader, *found);
    return found;
  }
  if (!known) {
    throw_input("--launcher {}: known are auto, none, assay, torchrun, mpi and slurm",
                escaped(launcher));
  }
  if (launcher != "auto") throw_input("--launcher {}: its variables are not set", launcher);
  return std::nullopt;
}

std::string first_host(std::string_view node_list) {
  std::string out;
  bool in_brackets = false;
  bool skip = false;  // the rest of a bracket after its first number
  for (const char c : node_list) {
    if (c == '[') {
      in_brackets = true;
    } else if (c == ']') {
      in_brackets = skip = false;
    } else if (in_brackets && (c == ',' || c == '-')) {
      skip = true;
    } else if (c == ',' && !in_brackets) {
      break;
    } else if (!skip) {
      out += c;
    }
  }
  return out;
}

}  // namespace assay::engine
