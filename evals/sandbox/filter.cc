#include "evals/sandbox/filter.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <iterator>

namespace assay::evals {
namespace {

#if defined(__x86_64__)
constexpr unsigned kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "the sandbox knows the system calls of x86-64 and AArch64"
#endif
constexpr unsigned kForeignTableBit = 0x40000000;  // x32 calls on x86-64

/// Harmless whatever their arguments: files of the own root, memory, time, waiting, own signals.
constexpr long kAllowed[] = {
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_pread64,
    SYS_pwrite64,
    SYS_preadv,
    SYS_pwritev,
    SYS_close,
    SYS_close_range,
    SYS_fstat,
    SYS_newfstatat,
    SYS_statx,
    SYS_lseek,
    SYS_mmap,
    SYS_mprotect,
    SYS_munmap,
    SYS_mremap,
    SYS_madvise,
    SYS_brk,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_rt_sigpending,
    SYS_rt_sigtimedwait,
    SYS_rt_sigsuspend,
    SYS_sigaltstack,
    SYS_faccessat,
    SYS_faccessat2,
    SYS_pipe2,
    SYS_sched_yield,
    SYS_sched_getaffinity,
    SYS_sched_getparam,
    SYS_sched_getscheduler,
    SYS_sched_get_priority_max,
    SYS_sched_get_priority_min,
    SYS_dup,
    SYS_dup3,
    SYS_nanosleep,
    SYS_clock_nanosleep,
    SYS_clock_gettime,
    SYS_clock_getres,
    SYS_gettimeofday,
    SYS_getitimer,
    SYS_setitimer,
    SYS_timer_create,
    SYS_timer_settime,
    SYS_timer_gettime,
    SYS_timer_delete,
    SYS_getpid,
    SYS_getppid,
    SYS_gettid,
    SYS_getuid,
    SYS_geteuid,
    SYS_getgid,
    SYS_getegid,
    SYS_getresuid,
    SYS_getresgid,
    SYS_getgroups,
    SYS_getpgid,
    SYS_getsid,
    SYS_uname,
    SYS_fsync,
    SYS_fdatasync,
    SYS_ftruncate,
    SYS_fallocate,
    SYS_getdents64,
    SYS_getcwd,
    SYS_chdir,
    SYS_fchdir,
    SYS_renameat,
    SYS_renameat2,
    SYS_mkdirat,
    SYS_linkat,
    SYS_unlinkat,
    SYS_symlinkat,
    SYS_readlinkat,
    SYS_umask,
    SYS_getrusage,
    SYS_sysinfo,
    SYS_times,
    SYS_capget,
    SYS_statfs,
    SYS_fstatfs,
    SYS_futex,
    SYS_set_tid_address,
    SYS_set_robust_list,
    SYS_get_robust_list,
    SYS_rseq,
    SYS_getrandom,
    SYS_exit,
    SYS_exit_group,
    SYS_wait4,
    SYS_waitid,
    SYS_eventfd2,
    SYS_epoll_create1,
    SYS_epoll_ctl,
    SYS_epoll_pwait,
    SYS_ppoll,
    SYS_pselect6,
    SYS_openat,
    SYS_sendfile,
    SYS_copy_file_range,
    SYS_membarrier,
    SYS_getcpu,
    SYS_getpriority,
    SYS_mincore,
    SYS_msync,
    SYS_restart_syscall,
#if defined(__x86_64__)
    SYS_open,
    SYS_creat,
    SYS_stat,
    SYS_lstat,
    SYS_access,
    SYS_pipe,
    SYS_dup2,
    SYS_poll,
    SYS_select,
    SYS_rename,
    SYS_mkdir,
    SYS_rmdir,
    SYS_link,
    SYS_unlink,
    SYS_symlink,
    SYS_readlink,
    SYS_getrlimit,
    SYS_getpgrp,
    SYS_arch_prctl,
    SYS_time,
    SYS_alarm,
    SYS_pause,
    SYS_epoll_create,
    SYS_epoll_wait,
    SYS_eventfd,
    SYS_getdents,
#endif
};

/// Harmless where every file but those of the scratch folder lies on a read-only mount.
constexpr long kAllowedOnOwnRoot[] = {
    SYS_truncate, SYS_fchmod, SYS_fchmodat, SYS_utimensat,
#if defined(__x86_64__)
    SYS_chmod,    SYS_utime,  SYS_utimes,   SYS_futimesat,
#endif
};

/// Descriptors, flags and record locks; no signals to others (F_SETOWN), leases, larger pipes.
constexpr unsigned kControlOfFiles[] = {
    F_DUPFD, F_GETFD,  F_SETFD,         F_GETFL, F_SETFL, F_GETLK,
    F_SETLK, F_SETLKW, F_DUPFD_CLOEXEC, 36,      37,      38,  // record locks of an open file
    1032,                                                      // F_GETPIPE_SZ
};

/// The C library has an older way, which the filter can look into.
constexpr long kAbsent[] = {SYS_clone3, SYS_openat2};

constexpr sock_filter statement(unsigned code, unsigned value) {
  return {static_cast<unsigned short>(code), 0, 0, value};
}
constexpr sock_filter jump(unsigned code, unsigned value, unsigned char yes, unsigned char no) {
  return {static_cast<unsigned short>(code), yes, no, value};
}
constexpr unsigned kLoad = BPF_LD | BPF_W | BPF_ABS;
constexpr unsigned kEqual = BPF_JMP | BPF_JEQ | BPF_K;
constexpr unsigned kAnySet = BPF_JMP | BPF_JSET | BPF_K;
constexpr unsigned kReturn = BPF_RET | BPF_K;
constexpr unsigned kRefuse = SECCOMP_RET_ERRNO | EPERM;
constexpr unsigned kUnknown = SECCOMP_RET_ERRNO | ENOSYS;

/// Offset of the low or high half of an argument. Both supported machines are little-endian.
constexpr unsigned low(unsigned index) {
  return static_cast<unsigned>(offsetof(seccomp_data, args)) + 8 * index;
}
constexpr unsigned high(unsigned index) { return low(index) + 4; }

/// Appends "if the call is `number` run `body`, which ends in a return".
void add_rule(std::vector<sock_filter>& out, long number, const std::vector<sock_filter>& body) {
  out.push_back(
      jump(kEqual, static_cast<unsigned>(number), 0, static_cast<unsigned char>(body.size())));
  out.insert(out.end(), body.begin(), body.end());
}

/// Allowed when the low half of an argument is one of `values`.
std::vector<sock_filter> argument_among(unsigned index, const std::vector<unsigned>& values) {
  std::vector<sock_filter> body = {statement(kLoad, low(index))};
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto to_allow = static_cast<unsigned char>(values.size() - i);
    body.push_back(jump(kEqual, values[i], to_allow, 0));
  }
  body.push_back(statement(kReturn, kRefuse));
  body.push_back(statement(kReturn, SECCOMP_RET_ALLOW));
  return body;
}

/// Threads, which share everything with their process; no process, no namespace.
std::vector<sock_filter> threads_only() {
  constexpr unsigned kNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                   CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_PTRACE;
  return {statement(kLoad, low(0)), jump(kAnySet, kNamespaces, 1, 0),
          jump(kAnySet, CLONE_THREAD, 1, 0), statement(kReturn, kRefuse),
          statement(kReturn, SECCOMP_RET_ALLOW)};
}

/// prlimit of the own process that only reads: no new limits.
std::vector<sock_filter> read_limits() {
  return {statement(kLoad, low(0)),
          jump(kEqual, 0, 0, 5),
          statement(kLoad, low(2)),
          jump(kEqual, 0, 0, 3),
          statement(kLoad, high(2)),
          jump(kEqual, 0, 0, 1),
          statement(kReturn, SECCOMP_RET_ALLOW),
          statement(kReturn, kRefuse)};
}

}  // namespace

std::vector<sock_filter> make_filter(SandboxLevel level, pid_t own_pid) {
  std::vector<sock_filter> out = {
    statement(kLoad, static_cast<unsigned>(offsetof(seccomp_data, arch))),
    jump(kEqual, kArchitecture, 1, 0),
    statement(kReturn, SECCOMP_RET_KILL_PROCESS),
    statement(kLoad, static_cast<unsigned>(offsetof(seccomp_data, nr))),
#if defined(__x86_64__)
    jump(kAnySet, kForeignTableBit, 0, 1),
    statement(kReturn, SECCOMP_RET_KILL_PROCESS),
#endif
  };
  for (const long number : kAllowed) {
    add_rule(out, number, {statement(kReturn, SECCOMP_RET_ALLOW)});
  }
  if (level == SandboxLevel::kFull) {
    for (const long number : kAllowedOnOwnRoot) {
      add_rule(out, number, {statement(kReturn, SECCOMP_RET_ALLOW)});
    }
  }
  for (const long number : kAbsent) add_rule(out, number, {statement(kReturn, kUnknown)});
  const auto self = static_cast<unsigned>(own_pid);
  add_rule(out, SYS_clone, threads_only());
  add_rule(out, SYS_prlimit64, read_limits());
  add_rule(out, SYS_kill, argument_among(0, {self}));
  add_rule(out, SYS_tgkill, argument_among(0, {self}));
  add_rule(out, SYS_fcntl,
           argument_among(1, {std::begin(kControlOfFiles), std::end(kControlOfFiles)}));
  add_rule(out, SYS_ioctl,
           argument_among(1, {0x5401 /* TCGETS */, 0x541b /* FIONREAD */, 0x5421 /* FIONBIO */,
                              0x5450 /* FIONCLEX */, 0x5451 /* FIOCLEX */}));
  // 15 and 16: the thread's name.
  add_rule(out, SYS_prctl, argument_among(0, {15, 16}));
  add_rule(out, SYS_execve, {statement(kReturn, SECCOMP_RET_USER_NOTIF)});
  out.push_back(statement(kReturn, kRefuse));
  return out;
}

int install_filter(const std::vector<sock_filter>& filter) {
  const sock_fprog program = {static_cast<unsigned short>(filter.size()),
                              const_cast<sock_filter*>(filter.data())};
  return static_cast<int>(
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
}

bool allow_one_exec(int listener) {
  seccomp_notif request{};
  while (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &request) != 0) {
    if (errno != EINTR) return false;
    std::memset(&request, 0, sizeof request);
  }
  seccomp_notif_resp answer{};
  answer.id = request.id;
  answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
  return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) == 0;
}

}  // namespace assay::evals
