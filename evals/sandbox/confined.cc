#include "evals/sandbox/confined.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/error.h"
#include "evals/sandbox/scratch.h"

namespace assay::evals {
namespace {

constexpr std::size_t kKeptOutput = 65536;
constexpr std::size_t kKeptReport = 4096;
constexpr long kNamespaces = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
                             CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

/// Reads to the end of what is there, keeping at most `limit`. False at the end of the stream.
bool drain(int fd, std::string& kept, std::size_t limit) {
  std::array<char, 65536> buffer;
  for (int round = 0; round < 16; ++round) {  // others want to be read too
    const ssize_t count = read(fd, buffer.data(), buffer.size());
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (count == 0) return false;
    const auto size = static_cast<std::size_t>(count);
    kept.append(buffer.data(), std::min(size, limit - std::min(limit, kept.size())));
  }
  return true;
}

struct Status {
  int wait = -1;
  double user = 0;
  double system = 0;
};

Status parse_status(const std::string& report) {
  Status status;
  if (std::sscanf(report.c_str(), "S %d %lf %lf", &status.wait, &status.user, &status.system) !=
      3) {
    return {};
  }
  return status;
}

}  // namespace

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) throw_environment("sandbox: no pipe");
  return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

void set_nonblocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

Confined::Confined(ConfinePlan plan) : plan_(std::move(plan)) {
  Pipe output = make_pipe();
  Pipe report = make_pipe();
  const FileDescriptor null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  plan_.descriptors.emplace_back(null.get(), STDIN_FILENO);
  plan_.descriptors.emplace_back(output.writer.get(), STDOUT_FILENO);
  plan_.descriptors.emplace_back(output.writer.get(), STDERR_FILENO);
  plan_.report = report.writer.get();
  plan_.uid = getuid();
  plan_.gid = getgid();
  const long flags = SIGCHLD | CLONE_PIDFD | (plan_.level == SandboxLevel::kFull ? kNamespaces : 0);
  int pidfd = -1;
  pid_ = static_cast<pid_t>(syscall(SYS_clone, flags, nullptr, &pidfd, nullptr, 0));
  if (pid_ < 0) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
    throw_environment("the kernel refuses new namespaces ({})", std::strerror(errno));
  }
  if (pid_ == 0) supervise(plan_);
  pidfd_ = FileDescriptor(pidfd);
  output_fd_ = std::move(output.reader);
  report_fd_ = std::move(report.reader);
  set_nonblocking(output_fd_.get());
  set_nonblocking(report_fd_.get());
}

Confined::~Confined() {
  stop(true);
  reap(true);
  if (!plan_.scratch.empty()) remove_scratch_folder(plan_.scratch);
}

void Confined::add_polls(std::vector<pollfd>& polls) const {
  for (const FileDescriptor* fd : {&pidfd_, &output_fd_, &report_fd_}) {
    if (fd->valid() && !gone_) polls.push_back({fd->get(), POLLIN, 0});
  }
}

void Confined::advance() {
  if (output_fd_.valid() && !drain(output_fd_.get(), output_, kKeptOutput)) output_fd_.reset();
  if (report_fd_.valid() && !drain(report_fd_.get(), report_, kKeptReport)) report_fd_.reset();
  reap(false);
}

void Confined::reap(bool block) {
  if (gone_ || pid_ <= 0) return;
  // Process 1 of a namespace ends only after all others in it.
  pid_t ended = waitpid(pid_, nullptr, block ? 0 : WNOHANG);
  while (block && ended < 0 && errno == EINTR) ended = waitpid(pid_, nullptr, 0);
  if (ended != pid_) return;
  if (report_fd_.valid()) drain(report_fd_.get(), report_, kKeptReport);
  gone_ = true;
}

void Confined::stop(bool force) {
  if (gone_ || pid_ <= 0) return;
  syscall(SYS_pidfd_send_signal, pidfd_.get(), force ? SIGKILL : SIGTERM, nullptr, 0);
}

std::string Confined::setup_problem() const {
  if (report_.rfind("E ", 0) != 0) return "";
  return report_.substr(2, report_.find('\n') - 2);
}

int Confined::wait_status() const { return parse_status(report_).wait; }

double Confined::cpu_seconds() const {
  const Status status = parse_status(report_);
  return status.user + status.system;
}

}  // namespace assay::evals
