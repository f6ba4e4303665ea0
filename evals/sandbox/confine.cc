#include "evals/sandbox/confine.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "evals/sandbox/filter.h"
#include "evals/sandbox/landlock.h"
#include "evals/sandbox/root.h"
#include "evals/sandbox/wire.h"

namespace assay::evals {
namespace {

constexpr int kReport = 7;     // the supervisor's own descriptor
constexpr int kHighest = 100;  // descriptors are moved above this before they get their numbers

/// Ends the sandbox with the reason; read by the spawner as a fault of the sandbox.
[[noreturn]] void give_up(int report, const std::string& step) {
  const int reason = errno;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
  write_all(report, fmt::format("E {}: {}\n", step, std::strerror(reason)));
  _exit(126);
}

void place_descriptors(const ConfinePlan& plan) {
  std::vector<std::pair<int, int>> moves = plan.descriptors;
  moves.emplace_back(plan.report, kReport);
  for (auto& [from, to] : moves) from = fcntl(from, F_DUPFD, kHighest);
  // What the caller's shell had open under a number that is not given must not stay.
  for (unsigned fd = 0; fd < kFirstFreeDescriptor; ++fd) close(static_cast<int>(fd));
  for (const auto& [from, to] : moves) dup2(from, to);
  fcntl(kReport, F_SETFD, FD_CLOEXEC);
  syscall(SYS_close_range, kFirstFreeDescriptor, ~0U, 0);
}

bool write_file(const char* path, const std::string& text) {
  const FileDescriptor file(open(path, O_WRONLY | O_CLOEXEC));
  return file.valid() && write_all(file.get(), text);
}

/// Inside, the process is user 1000 of a namespace that knows nobody else.
void map_user(const ConfinePlan& plan) {
  if (!write_file("/proc/self/setgroups", "deny") ||
      !write_file("/proc/self/uid_map", fmt::format("1000 {} 1", plan.uid)) ||
      !write_file("/proc/self/gid_map", fmt::format("1000 {} 1", plan.gid))) {
    give_up(kReport, "user namespace");
  }
}

void drop_capabilities() {
  for (int capability = 0; prctl(PR_CAPBSET_DROP, capability) == 0; ++capability) {
  }
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  const std::array<__user_cap_data_struct, 2> none{};
  if (syscall(SYS_capset, &header, none.data()) != 0) give_up(kReport, "drop capabilities");
}

/// Sets soft and hard limit; a caller's own stricter one stays.
void limit(int resource, unsigned long value) {
  // The resource's type differs between C libraries.
  const auto kind = static_cast<__rlimit_resource>(resource);
  rlimit both{};
  if (getrlimit(kind, &both) == 0) value = std::min(value, both.rlim_max);
  both = {value, value};
  if (setrlimit(kind, &both) != 0) give_up(kReport, fmt::format("resource limit {}", resource));
}

/// All but that on memory.
void set_limits(const ConfinePlan& plan) {
  limit(RLIMIT_CPU, plan.cpu_seconds);
  limit(RLIMIT_FSIZE, kFileBytes);
  limit(RLIMIT_NOFILE, kDescriptors);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_MSGQUEUE, 0);
  limit(RLIMIT_MEMLOCK, 0);
  limit(RLIMIT_SIGPENDING, 256);  // timers too
  limit(RLIMIT_STACK, 8UL << 20);
  // Counted within the user namespace: interpreter, its threads, and the supervisor.
  if (plan.level == SandboxLevel::kFull) limit(RLIMIT_NPROC, kThreads + 1);
}

void restrict_files(const ConfinePlan& plan) {
  if (landlock_version() == 0) {
    if (plan.level == SandboxLevel::kReduced) give_up(kReport, "Landlock");
    return;
  }
  LandlockRules rules;
  rules.read = plan.interpreter->folders;
  rules.read.insert(rules.read.end(), plan.interpreter->files.begin(),
                    plan.interpreter->files.end());
  rules.devices = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};
  rules.scratch = plan.level == SandboxLevel::kFull ? kScratchInside : plan.scratch;
  if (plan.level == SandboxLevel::kFull && access("/proc/self", F_OK) == 0) {
    rules.read.emplace_back("/proc");
  }
  if (!restrict_with_landlock(rules)) give_up(kReport, "Landlock");
}

/// The interpreter's process: limits, Landlock, filter, then the interpreter.
[[noreturn]] void become_interpreter(const ConfinePlan& plan, int sync) {
  setsid();
  // A caller's ignored signals (nohup, the spawner's own) would change what a program sees.
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  set_limits(plan);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) give_up(kReport, "no_new_privs");
  const std::string home =
      "HOME=" + (plan.level == SandboxLevel::kFull ? std::string(kScratchInside) : plan.scratch);
  const char* const arguments[] = {
      plan.interpreter->path.c_str(), "-s", "-S", "-B", "-c", plan.script.c_str(), nullptr};
  // One arena: with one each, of 64 MiB of address space, 14 threads would fill the limit.
  const char* const environment[] = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8",       home.c_str(),
                                     "PYTHONHASHSEED=0",   "MALLOC_ARENA_MAX=1", nullptr};
  std::vector<sock_filter> filter;
  if (plan.level != SandboxLevel::kUnsafe) {
    restrict_files(plan);
    filter = make_filter(plan.level, getpid());
  }
  // From here on nothing is allocated: a sanitizer's own memory would be beyond the limit.
  limit(RLIMIT_AS, plan.memory_bytes);
  if (plan.level != SandboxLevel::kUnsafe) {
    const int listener = install_filter(filter);
    if (listener < 0) give_up(kReport, "system-call filter");
    if (write(sync, &listener, sizeof listener) != sizeof listener) _exit(126);
  }
  execve(plan.interpreter->path.c_str(), const_cast<char* const*>(arguments),
         const_cast<char* const*>(environment));
  give_up(kReport, "start " + plan.interpreter->path);
}

/// Starts the interpreter's process. It shares the table of descriptors until it executes, so that
/// the filter's listener, made there, can be used here.
pid_t start_interpreter(const ConfinePlan& plan) {
  std::array<int, 2> sync{};
  if (pipe2(sync.data(), O_CLOEXEC) != 0) give_up(kReport, "pipe");
  const auto child =
      static_cast<pid_t>(syscall(SYS_clone, CLONE_FILES | SIGCHLD, nullptr, nullptr, nullptr, 0));
  if (child < 0) give_up(kReport, "start a process");
  if (child == 0) become_interpreter(plan, sync[1]);
  if (plan.level != SandboxLevel::kUnsafe) {
    // The child may die before it writes; as the table is shared, the pipe then stays open.
    int listener = -1;
    fcntl(sync[0], F_SETFL, O_NONBLOCK);
    while (read(sync[0], &listener, sizeof listener) != sizeof listener) {
      const timespec pause = {0, 50000};
      nanosleep(&pause, nullptr);
      if (waitpid(child, nullptr, WNOHANG) == child) _exit(126);
    }
    // From here on each has its own table; the interpreter's loses the listener as it executes.
    if (unshare(CLONE_FILES) != 0) give_up(kReport, "own descriptors");
    allow_one_exec(listener);
  } else if (unshare(CLONE_FILES) != 0) {
    give_up(kReport, "own descriptors");
  }
  return child;
}

/// Kills what the interpreter started, which only --unsafe-exec lets it do.
void kill_children() {
  for (;;) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
    const FileDescriptor list(
        open(fmt::format("/proc/self/task/{}/children", getpid()).c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 4096> text{};
    if (!list.valid() || read(list.get(), text.data(), text.size() - 1) <= 0) return;
    char* at = text.data();
    for (long pid = std::strtol(at, &at, 10); pid > 0; pid = std::strtol(at, &at, 10)) {
      kill(static_cast<pid_t>(pid), SIGKILL);
    }
    while (waitpid(-1, nullptr, 0) > 0) {
    }
  }
}

[[noreturn]] void wait_for(pid_t child, pid_t spawner) {
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGCHLD);
  sigaddset(&wanted, SIGTERM);
  int status = 0;
  rusage use{};
  while (wait4(child, &status, WNOHANG, &use) != child) {
    siginfo_t info{};
    const int signal = sigwaitinfo(&wanted, &info);
    // A stop asked for from inside does not count.
    if (signal == SIGTERM && info.si_pid == spawner) kill(child, SIGKILL);
  }
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  write_all(kReport,
            fmt::format("S {} {} {}\n", status, seconds(use.ru_utime), seconds(use.ru_stime)));
  kill_children();
  _exit(0);
}

}  // namespace

void supervise(const ConfinePlan& plan) {
  const bool full = plan.level == SandboxLevel::kFull;
  const pid_t spawner = full ? 0 : getppid();  // outside the PID namespace shows as 0
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  place_descriptors(plan);
  setsid();
  umask(077);
  prctl(PR_SET_DUMPABLE, 1);  // files of /proc/self belong to the process only while it is dumpable
  // When memory runs out, the kernel ends a sample, not the program or the user's other work.
  write_file("/proc/self/oom_score_adj", "1000");
  if (full) {
    map_user(plan);
    if (sethostname("sandbox", 7) != 0) give_up(kReport, "host name");
    if (const std::string problem = enter_new_root(*plan.interpreter); !problem.empty()) {
      write_all(kReport, "E " + problem + "\n");
      _exit(126);
    }
  } else {
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    if (chdir(plan.scratch.c_str()) != 0) give_up(kReport, "scratch folder");
  }
  if (plan.level != SandboxLevel::kUnsafe) drop_capabilities();
  // From before the interpreter exists: /proc shows it nothing of this process.
  prctl(PR_SET_DUMPABLE, 0);
  const pid_t child = start_interpreter(plan);
  // The program's pipes must end with the program, not with this process.
  for (unsigned fd = 0; fd < kFirstFreeDescriptor; ++fd) {
    if (fd != kReport) close(static_cast<int>(fd));
  }
  syscall(SYS_close_range, kFirstFreeDescriptor, ~0U, 0);
  wait_for(child, spawner);
}

}  // namespace assay::evals
