#include "tests/evals/sandbox/host_watch.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp, setenv
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/text.h"

namespace assay::evals {
namespace {

namespace fs = std::filesystem;

constexpr key_t kForbiddenKey = 0x5ec4e7;  // of objects that hostile programs try to make
constexpr const char* kMark = "assay-hostile";

std::string contents(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();  // no exception when the process whose entry this is ends meanwhile
  return text.str();
}

std::string random_secret() {
  std::random_device device;
  std::string out = "bait-";
  for (int i = 0; i < 4; ++i) out += fmt::format("{:08x}", device());
  return out;
}

std::string file_state(const fs::path& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0) return "missing";
  return fmt::format("mode {:o}, user {}, links {}, size {}, changed {}.{}", info.st_mode,
                     info.st_uid, info.st_nlink, info.st_size, info.st_ctim.tv_sec,
                     info.st_ctim.tv_nsec);
}

/// Names in a folder that a hostile program gave.
std::string marked_names(const fs::path& folder) {
  std::string out;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(folder, code)) {
    const std::string name = entry.path().filename();
    if (name.find(kMark) != std::string::npos) out += name + " ";
  }
  return out;
}

/// "pid (name) state ppid ..." of every process, as pid -> parent.
std::map<pid_t, pid_t> parents() {
  std::map<pid_t, pid_t> out;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const auto pid = parse_int(entry.path().filename().string());
    if (!pid) continue;
    const std::string line = contents(entry.path() / "stat");
    const std::size_t name_end = line.rfind(')');
    if (name_end == std::string::npos) continue;
    const std::vector<std::string_view> words =
        split(std::string_view(line).substr(name_end + 2), ' ');
    out[static_cast<pid_t>(*pid)] = static_cast<pid_t>(parse_int(words[1]).value_or(0));
  }
  return out;
}

std::string descendants(pid_t of) {
  const std::map<pid_t, pid_t> parent = parents();
  std::set<pid_t> found = {of};
  for (bool grown = true; grown;) {
    grown = false;
    for (const auto& [pid, above] : parent) {
      if (found.count(above) != 0) grown = found.insert(pid).second || grown;
    }
  }
  found.erase(of);
  std::string out;
  for (const pid_t pid : found) out += std::to_string(pid) + " ";
  return out;
}

std::string status_lines(pid_t pid, std::initializer_list<const char*> keys) {
  std::string out;
  std::istringstream status(contents(fmt::format("/proc/{}/status", pid)));
  for (std::string line; std::getline(status, line);) {
    for (const char* key : keys) {
      if (line.rfind(std::string(key) + ":", 0) == 0) out += line + " ";
    }
  }
  return out;
}

std::size_t count_entries(const fs::path& folder) {
  std::error_code code;
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder, code), fs::directory_iterator()));
}

/// Lines of a table of System V objects that have the forbidden key.
std::size_t forbidden_objects(const char* table) {
  std::size_t count = 0;
  std::istringstream lines(contents(table));
  for (std::string line; std::getline(lines, line);) {
    count += line.find(std::to_string(kForbiddenKey)) != std::string::npos ? 1 : 0;
  }
  return count;
}

/// Distance of the calendar's clock from the one that is never set, in seconds.
std::int64_t clock_distance() {
  timespec calendar{};
  timespec running{};
  clock_gettime(CLOCK_REALTIME, &calendar);
  clock_gettime(CLOCK_BOOTTIME, &running);
  return calendar.tv_sec - running.tv_sec;
}

}  // namespace

HostWatch::HostWatch(uid_t sandbox_uid) : secret_(random_secret()), clock_(clock_distance()) {
  // Orphans of the sandbox would become children of this process, and be seen.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  setenv("ASSAY_BAIT_SECRET", secret_.c_str(), 1);
  make_files();
  make_sockets();
  make_objects();
  make_victim(sandbox_uid);
  names_["DRIVER"] = std::to_string(getpid());
}

HostWatch::~HostWatch() {
  if (victim_ > 0) {
    kill(victim_, SIGKILL);
    waitpid(victim_, nullptr, 0);
  }
  for (const int fd : sockets_) close(fd);
  shmctl(shared_memory_, IPC_RMID, nullptr);
  msgctl(queue_, IPC_RMID, nullptr);
  std::error_code code;
  fs::remove_all(folder_, code);
}

void HostWatch::make_files() {
  std::string pattern = "/var/tmp/assay-bait-XXXXXX";
  if (mkdtemp(pattern.data()) == nullptr) throw_environment("no folder for bait in /var/tmp");
  folder_ = pattern;
  fs::create_directory(folder_ / "open");
  for (const char* name : {"secret", "writable"}) std::ofstream(folder_ / name) << secret_;
  chmod(folder_.c_str(), 0755);
  chmod((folder_ / "open").c_str(), 0777);
  chmod((folder_ / "secret").c_str(), 0644);
  chmod((folder_ / "writable").c_str(), 0666);
  names_["FOLDER"] = folder_;
  names_["OPEN"] = folder_ / "open";
  names_["SECRET"] = folder_ / "secret";
  names_["WRITABLE"] = folder_ / "writable";
  // What a caller's shell may leave open, without close-on-exec.
  for (const char* name : {"secret", "writable", "secret", "writable", "secret", "writable"}) {
    open((folder_ / name).c_str(), name[0] == 's' ? O_RDONLY : O_RDWR);
  }
}

void HostWatch::make_sockets() {
  for (const int kind : {SOCK_STREAM, SOCK_DGRAM}) {
    const int fd = socket(AF_INET, kind | SOCK_NONBLOCK, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (bind(fd, generic, size) == 0) getsockname(fd, generic, &size);
    if (kind == SOCK_STREAM) listen(fd, 8);
    names_[kind == SOCK_STREAM ? "TCP" : "UDP"] = std::to_string(ntohs(address.sin_port));
    sockets_.push_back(fd);
  }
  const std::string abstract = "assay-bait-" + secret_.substr(5, 12);
  names_["ABSTRACT"] = abstract;
  for (const std::string& name : {std::string(1, '\0') + abstract, (folder_ / "socket").string()}) {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), std::min(name.size(), sizeof address.sun_path - 1));
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0) listen(fd, 8);
    sockets_.push_back(fd);
  }
  chmod((folder_ / "socket").c_str(), 0666);
}

void HostWatch::make_objects() {
  struct Message {
    long type = 1;
    std::array<char, 64> text{};
  } message;
  std::copy(secret_.begin(), secret_.end(), message.text.begin());
  shared_memory_ = shmget(IPC_PRIVATE, 4096, 0666);
  queue_ = msgget(IPC_PRIVATE, 0666);
  msgsnd(queue_, &message, message.text.size(), IPC_NOWAIT);
  names_["SHM"] = std::to_string(shared_memory_);
  names_["MSG"] = std::to_string(queue_);
}

/// A process of the sandbox's own user that waits with all signals blocked: any that is sent stays
/// pending.
void HostWatch::make_victim(uid_t uid) {
  victim_ = fork();
  if (victim_ == 0) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, nullptr);
    if (geteuid() == 0 && setresuid(uid, uid, uid) != 0) _exit(1);
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // a change of user would clear it
    prctl(PR_SET_DUMPABLE, 1);
    for (;;) pause();
  }
  names_["VICTIM"] = std::to_string(victim_);
}

void HostWatch::begin() {
  for (const auto& [pid, parent] : parents()) {
    if (parent == getpid() && pid != victim_) spawner_ = pid;
  }
  if (spawner_ < 0) throw_environment("the process that starts sandboxes was not found");
  names_["SPAWNER"] = std::to_string(spawner_);
  wait_for_spawner();
  before_ = look();
}

std::size_t HostWatch::spawner_descriptors() const {
  return count_entries(fmt::format("/proc/{}/fd", spawner_));
}

/// It closes a caller's socket just after it has answered.
void HostWatch::wait_for_spawner() const {
  constexpr std::size_t kIdle = 4;  // the standard streams and the socket that callers come by
  for (int tries = 0; tries < 500 && spawner_descriptors() != kIdle; ++tries) usleep(10'000);
}

HostWatch::State HostWatch::look() const {
  State state;
  for (const char* name : {"secret", "writable", "open", "socket"}) {
    state[std::string("bait file ") + name] = file_state(folder_ / name);
  }
  state["content"] = contents(folder_ / "writable") + contents(folder_ / "secret");
  state["files in the open folder"] = std::to_string(count_entries(folder_ / "open"));
  for (const char* name : {"/dev/null", "/dev/zero", "/usr/bin/python3"}) {
    struct stat info {};
    stat(name, &info);
    state[name] = fmt::format("mode {:o}, user {}", info.st_mode, info.st_uid);
  }
  for (const char* folder : {"/tmp", "/var/tmp", "/dev/shm", "/", "/usr/lib", "."}) {
    state[std::string("hostile names in ") + folder] = marked_names(folder);
  }
  std::string arrived;
  std::array<char, 64> buffer{};
  for (const int fd : sockets_) {
    const bool received = recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT) >= 0;
    arrived += received || accept4(fd, nullptr, nullptr, SOCK_CLOEXEC) >= 0 ? "yes " : "no ";
  }
  state["connections"] = arrived;
  shmid_ds memory{};
  msqid_ds queue{};
  shmctl(shared_memory_, IPC_STAT, &memory);
  msgctl(queue_, IPC_STAT, &queue);
  state["System V bait"] = fmt::format("attached {}, messages {}, mode {:o}", memory.shm_nattch,
                                       queue.msg_qnum, memory.shm_perm.mode);
  for (const char* table : {"/proc/sysvipc/shm", "/proc/sysvipc/msg", "/proc/sysvipc/sem"}) {
    state[table] = std::to_string(forbidden_objects(table));
  }
  state["victim"] = status_lines(victim_, {"State", "TracerPid", "SigPnd", "ShdPnd", "Threads"}) +
                    std::to_string(getpriority(PRIO_PROCESS, static_cast<id_t>(victim_)));
  state["processes"] = descendants(getpid());
  state["spawner"] = status_lines(spawner_, {"Threads", "TracerPid"});
  state["descriptors of the spawner"] = std::to_string(spawner_descriptors());
  state["mounts"] = contents("/proc/self/mountinfo");
  state["keys"] = contents("/proc/keys").find(kMark) == std::string::npos ? "none" : "some";
  utsname machine{};
  uname(&machine);
  state["host name"] = machine.nodename;
  state["clock"] = std::abs(clock_distance() - clock_) < 30 ? "as it was" : "set";
  std::string offsets;
  for (int fd = 3; fd < 16; ++fd) offsets += std::to_string(lseek(fd, 0, SEEK_CUR)) + " ";
  state["inherited descriptors"] = offsets;
  return state;
}

std::vector<std::string> HostWatch::changes(const std::string& what) const {
  std::vector<std::string> out;
  if (what.find(secret_) != std::string::npos) out.emplace_back("a secret came out");
  wait_for_spawner();
  const State now = look();
  for (const auto& [fact, value] : now) {
    const std::string& before = before_.at(fact);
    if (value != before) out.push_back(fmt::format("{}: {} -> {}", fact, before, value));
  }
  return out;
}

std::size_t HostWatch::spawner_bytes() const {
  std::istringstream text(contents(fmt::format("/proc/{}/statm", spawner_)));
  std::size_t size = 0;
  std::size_t resident = 0;
  text >> size >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace assay::evals
