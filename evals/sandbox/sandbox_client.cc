#include "evals/sandbox/sandbox_client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <thread>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/text.h"
#include "evals/sandbox/advice.h"
#include "evals/sandbox/harness.h"
#include "evals/sandbox/job.h"
#include "evals/sandbox/spawner.h"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace assay::evals {
namespace {

// The socket to the spawner; set once at start. A send is one system call, so threads need no lock.
int g_control = -1;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

/// Environment and arguments lie in memory that /proc of every child would show.
void blank_strings(int argc, char** argv) {
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    std::memset(*variable, 0, std::strlen(*variable));
  }
  for (int i = 0; i < argc; ++i) std::memset(argv[i], 0, std::strlen(argv[i]));
  clearenv();
}

/// Hands a fresh stream to the spawner and returns our end; invalid when the spawner is gone.
FileDescriptor open_stream() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return {};
  FileDescriptor ours(ends[0]);
  const FileDescriptor theirs(ends[1]);
  char byte = 'x';
  iovec part = {&byte, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space.data();
  message.msg_controllen = space.size();
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int fd = theirs.get();
  std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  if (sendmsg(g_control, &message, MSG_NOSIGNAL) != 1) return {};
  return ours;
}

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

std::optional<std::string> exchange(const std::string& body) {
  const FileDescriptor stream = open_stream();
  if (!stream.valid() || !send_all(stream.get(), frame_message(body))) return std::nullopt;
  return read_message(stream.get(), kMaxMessageBytes);
}

SandboxResult run_program(const SandboxProgram& program) {
  if (program.source.size() > kMaxSource) {
    return {
        SandboxOutcome::kFailed,
        fmt::format("the source has {} bytes, the limit is {}", program.source.size(), kMaxSource),
        0, 0};
  }
  const auto answer = exchange("J" + pack_program(program));
  const auto result = answer ? unpack_result(*answer) : std::nullopt;
  if (!result) return {SandboxOutcome::kFault, "the process that starts sandboxes ended", 0, 0};
  return *result;
}

class SpawnedSandbox : public Sandbox {
 public:
  explicit SpawnedSandbox(std::string strength) : strength_(std::move(strength)) {}
  SandboxResult run(const SandboxProgram& program) override { return run_program(program); }
  [[nodiscard]] std::string strength() const override { return strength_; }

 private:
  std::string strength_;
};

/// A socket that listens on loopback, for the probe to try; its port in `port`.
FileDescriptor listen_on_loopback(int& port) {
  FileDescriptor listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener.get(), generic, size) != 0 || listen(listener.get(), 1) != 0 ||
      getsockname(listener.get(), generic, &size) != 0) {
    return {};
  }
  port = ntohs(address.sin_port);
  return listener;
}

constexpr std::array<const char*, 9> kProbeNames = {
    "read a file outside",      "write outside",   "change permissions outside",
    "connect to loopback",      "open a socket",   "see a foreign process",
    "signal a foreign process", "start a process", "execute a program"};

/// A file that a program without a sandbox could read, in none of the folders that exist inside.
FileDescriptor make_marker(std::string& path) {
  std::error_code code;
  const std::string here = std::filesystem::current_path(code);
  for (const std::string& folder : {std::string("/var/tmp"), std::string("/dev/shm"), here}) {
    path = folder + "/assay-probe-XXXXXX";
    FileDescriptor file(mkostemp(path.data(), O_CLOEXEC));
    if (file.valid() && fchmod(file.get(), 0644) == 0) return file;
  }
  return {};
}

/// Each of the probe's attempts as a program of its own would be slow: one program reports all,
/// through the tests' assertion text.
void run_probe(SandboxLevel level, SandboxStrength& strength) {
  std::string marker;
  const FileDescriptor file = make_marker(marker);
  int port = 1;
  const FileDescriptor listener = listen_on_loopback(port);
  if (!file.valid()) {
    strength.problem = "its strength cannot be measured without a folder to write a marker file in";
    strength.advice = "make /var/tmp, /dev/shm or the working folder writable";
    return;
  }
  SandboxProgram probe;
  probe.source = kProbeScript;
  probe.test = fmt::format(
      "def check(candidate):\n"
      "    found = candidate('{}', {}, {})\n"
      "    assert isinstance(found, dict) and len(found) == {}, 'do more than expected'\n"
      "    assert not any(found.values()), ', '.join(k for k, v in found.items() if v)\n",
      marker, port, getpid(), kProbeNames.size());
  probe.entry_point = "probe";
  probe.wall_seconds = 10;
  const SandboxResult result = run_program(probe);
  std::filesystem::remove(marker);
  const bool written = std::filesystem::remove(marker + ".written");
  const bool ran =
      result.outcome == SandboxOutcome::kPassed || result.outcome == SandboxOutcome::kWrongAnswer;
  for (const std::string name : kProbeNames) {
    const bool reached = result.detail.find(name) != std::string::npos;
    const bool outside = written && name == "write outside";
    strength.checks.push_back({"cannot " + name, ran && !reached && !outside, ""});
  }
  if (result.outcome == SandboxOutcome::kPassed) return;
  const std::size_t text = result.detail.find(": ");  // after the exception's type
  strength.problem = result.detail;
  if (ran && text != std::string::npos) {
    strength.problem = "a confined program can " + result.detail.substr(text + 2);
  }
  strength.advice = level == SandboxLevel::kReduced
                        ? "the reduced sandbox needs Landlock: Linux 5.13 or newer with landlock "
                          "among its security modules"
                        : sandbox_advice(read_namespace_settings());
}

std::string level_name(SandboxLevel level) {
  switch (level) {
    case SandboxLevel::kFull:
      return "full (user, mount, PID, network, IPC, UTS and cgroup namespaces; system-call filter; "
             "resource limits)";
    case SandboxLevel::kReduced:
      return "reduced (Landlock; system-call filter; resource limits)";
    case SandboxLevel::kUnsafe:
      return "none (--unsafe-exec: resource limits only)";
  }
  return "";
}

}  // namespace

void start_sandbox_spawner(int argc, char** argv) {
  if (g_control >= 0) return;
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw_environment("sandbox: no socket");
  }
  const pid_t child = fork();
  if (child < 0) throw_environment("sandbox: cannot start a process");
  if (child == 0) {
    close(ends[0]);
    setsid();
    blank_strings(argc, argv);
    serve_sandboxes(ends[1]);
  }
  close(ends[1]);
  g_control = ends[0];
}

SandboxStrength measure_sandbox(const SandboxOptions& options) {
  ASSAY_CHECK(g_control >= 0, "start_sandbox_spawner comes first");
  SandboxStrength strength;
  int parallel = options.parallel;
  if (parallel <= 0) parallel = static_cast<int>(std::thread::hardware_concurrency());
  const auto answer =
      exchange("C" + pack_fields({std::to_string(static_cast<int>(options.level)),
                                  std::to_string(std::max(parallel, 1)), options.interpreter}));
  const auto fields = answer ? unpack_fields(*answer) : std::nullopt;
  if (!fields || fields->size() != 2) {
    strength.problem = "the process that starts sandboxes ended";
    return strength;
  }
  if ((*fields)[0] != "ok") {
    strength.problem = (*fields)[1];
    return strength;
  }
  strength.interpreter = (*fields)[1];
  strength.summary = level_name(options.level);
  if (options.level == SandboxLevel::kUnsafe) return strength;
  run_probe(options.level, strength);
  if (!strength.problem.empty()) strength.summary = "none";
  return strength;
}

std::unique_ptr<Sandbox> make_sandbox(const SandboxOptions& options) {
  const SandboxStrength strength = measure_sandbox(options);
  if (!strength.problem.empty()) {
    throw_environment("sandbox: {}{}{}", strength.problem, strength.advice.empty() ? "" : "; ",
                      strength.advice);
  }
  return std::make_unique<SpawnedSandbox>(strength.summary);
}

}  // namespace assay::evals
