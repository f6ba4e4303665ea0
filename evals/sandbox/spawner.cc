#include "evals/sandbox/spawner.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <list>
#include <memory>
#include <utility>

#include "base/error.h"
#include "base/text.h"
#include "evals/sandbox/job.h"

namespace assay::evals {
namespace {

// Ids that no distribution gives to anybody; 65534 where a container maps few.
constexpr std::array<uid_t, 2> kUnprivileged = {65529, 65534};

struct Job {
  FileDescriptor client;
  std::string buffer;
  std::optional<SandboxProgram> program;  // none until the request is whole
  std::unique_ptr<Run> run;
  int faults = 0;
  int runs = 0;
  bool alone = false;   // repeated after a time-out: nothing else runs beside it
  bool shared = false;  // something else ran while it did
  bool finished = false;
};

class Spawner {
 public:
  /// With a `problem` no sandbox can be had, and every client is told it.
  Spawner(int control, std::string problem) : control_(control), problem_(std::move(problem)) {
    set_nonblocking(control);
  }

  void serve() {
    while (open_) {
      std::vector<pollfd> polls = {{control_, POLLIN, 0}};
      for (const Job& job : jobs_) {
        polls.push_back({job.client.get(), static_cast<short>(job.program ? 0 : POLLIN), 0});
        if (job.run) job.run->add_polls(polls);
      }
      poll(polls.data(), polls.size(), wait_ms());
      if (polls[0].revents != 0) accept();
      std::size_t at = 1;
      for (Job& job : jobs_) {
        if (at < polls.size() && polls[at].fd == job.client.get() &&
            (polls[at].revents & (POLLHUP | POLLERR)) != 0 && job.program) {
          job.finished = true;  // nobody waits for it any more
        }
        while (++at < polls.size() && !is_client(polls[at].fd)) {
        }
      }
      for (Job& job : jobs_) advance(job);
      jobs_.remove_if([](const Job& job) { return job.finished; });
      start_waiting();
    }
  }

 private:
  bool is_client(int fd) const {
    return std::any_of(jobs_.begin(), jobs_.end(),
                       [fd](const Job& job) { return job.client.get() == fd; });
  }

  int wait_ms() const {
    double next = -1;
    for (const Job& job : jobs_) {
      if (job.run && (next < 0 || job.run->deadline() < next)) next = job.run->deadline();
    }
    if (next < 0) return -1;
    return static_cast<int>(std::clamp((next - now_seconds()) * 1000 + 1, 0.0, 1000.0));
  }

  void accept() {
    char byte = 0;
    iovec part = {&byte, 1};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = space.data();
    message.msg_controllen = space.size();
    const ssize_t count = recvmsg(control_, &message, MSG_CMSG_CLOEXEC);
    if (count == 0) open_ = false;
    if (count <= 0) return;
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return;
    int fd = -1;
    std::copy_n(reinterpret_cast<const char*>(CMSG_DATA(header)), sizeof fd,
                reinterpret_cast<char*>(&fd));
    set_nonblocking(fd);
    jobs_.emplace_back().client = FileDescriptor(fd);
  }

  void advance(Job& job) {
    if (job.finished) return;
    if (!job.program) receive(job);
    if (!job.run) return;
    job.run->advance();
    if (job.run->done()) conclude(job);
  }

  void receive(Job& job) {
    std::array<char, 65536> buffer;
    for (;;) {
      const ssize_t count = read(job.client.get(), buffer.data(), buffer.size());
      if (count < 0 && (errno == EAGAIN || errno == EINTR)) break;
      if (count <= 0) {
        job.finished = true;
        return;
      }
      job.buffer.append(buffer.data(), static_cast<std::size_t>(count));
    }
    bool oversized = false;
    const auto body = take_message(job.buffer, kMaxMessageBytes, oversized);
    if (oversized) job.finished = true;
    if (!body || body->empty()) return;
    job.buffer.clear();
    if ((*body)[0] == 'C') {
      answer(job, configure(std::string_view(*body).substr(1)));
      return;
    }
    job.program = unpack_program(std::string_view(*body).substr(1));
    if (!job.program) {
      answer(job, pack_result({SandboxOutcome::kFault, "malformed request", 0, 0}));
    }
  }

  std::string configure(std::string_view body) {
    const auto fields = unpack_fields(body);
    if (!fields || fields->size() != 3) return pack_fields({"no", "malformed request"});
    if (!problem_.empty()) return pack_fields({"no", problem_});
    level_ = static_cast<SandboxLevel>(parse_int((*fields)[0]).value_or(0));
    parallel_ =
        static_cast<std::size_t>(std::max<std::int64_t>(1, parse_int((*fields)[1]).value_or(1)));
    try {
      interpreter_ = find_interpreter((*fields)[2]);
    } catch (const Error& error) {
      return pack_fields({"no", error.what()});
    }
    return pack_fields({"ok", interpreter_.version + " at " + interpreter_.path});
  }

  void start_waiting() {
    std::size_t running = 0;
    bool alone = false;
    for (const Job& job : jobs_) {
      running += job.run ? 1 : 0;
      alone = alone || (job.run && job.alone);
    }
    for (Job& job : jobs_) {
      if (job.run || !job.program || alone || running >= parallel_) continue;
      if (job.alone && running > 0) return;  // its turn comes when the others are done
      start(job);
      running += job.run ? 1 : 0;
      alone = job.run && job.alone;
    }
    if (running > 1) {
      for (Job& job : jobs_) job.shared = job.shared || job.run != nullptr;
    }
    jobs_.remove_if([](const Job& job) { return job.finished; });
  }

  void start(Job& job) {
    try {
      ++job.runs;
      job.run = std::make_unique<Run>(*job.program, interpreter_, level_);
    } catch (const Error& error) {
      answer(job, pack_result({SandboxOutcome::kFault, error.what(), 0, 0}));
    }
  }

  /// Answers, or has the sample repeated: once after a fault, once alone after a time-out in which
  /// it had not had the processor for most of its time.
  void conclude(Job& job) {
    SandboxResult result = job.run->result();
    result.runs = job.runs;
    job.run.reset();
    if (result.outcome == SandboxOutcome::kFault && job.faults++ == 0) return;
    const bool starved = result.cpu_seconds < 0.8 * job.program->wall_seconds;
    if (result.outcome == SandboxOutcome::kTimedOut && starved && job.shared && !job.alone) {
      job.alone = true;
      return;
    }
    answer(job, pack_result(result));
  }

  static void answer(Job& job, const std::string& body) {
    fcntl(job.client.get(), F_SETFL, 0);
    write_all(job.client.get(), frame_message(body));
    job.finished = true;
  }

  int control_;
  std::string problem_;
  bool open_ = true;
  SandboxLevel level_ = SandboxLevel::kFull;
  std::size_t parallel_ = 1;
  Interpreter interpreter_;
  std::list<Job> jobs_;
};

}  // namespace

void drop_root() {
  if (geteuid() != 0) return;
  prctl(PR_SET_KEEPCAPS, 1);
  setgroups(0, nullptr);
  bool changed = false;
  for (const uid_t id : kUnprivileged) {
    changed = changed || (setresgid(id, id, id) == 0 && setresuid(id, id, id) == 0);
  }
  if (!changed || geteuid() == 0) {
    throw_environment(
        "run as root without the right to become another user, as in some containers: "
        "model-written "
        "programs never run as root; start assay as an ordinary user");
  }
  // Kept is the right to make namespaces, which a distribution may deny to ordinary users. It is
  // worth nothing inside: a new user namespace starts without any right outside.
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> rights{};
  rights[0].effective = rights[0].permitted = 1U << CAP_SYS_ADMIN;
  if (syscall(SYS_capset, &header, rights.data()) != 0) {
    rights = {};
    syscall(SYS_capset, &header, rights.data());
  }
}

void serve_sandboxes(int control) {
  // Nothing that the caller had open stays, but the standard streams, which no child keeps.
  const int lowest = dup2(control, STDERR_FILENO + 1);
  syscall(SYS_close_range, lowest + 1, ~0U, 0);
  fcntl(lowest, F_SETFD, FD_CLOEXEC);
  signal(SIGPIPE, SIG_IGN);
  // Ctrl-C is for the program, which then closes the socket.
  signal(SIGINT, SIG_IGN);
  std::string problem;
  try {
    drop_root();
  } catch (const Error& error) {
    problem = error.what();
  }
  try {
    Spawner(lowest, problem).serve();
  } catch (const std::exception&) {
    _exit(1);  // clients see the end of their streams: a sandbox fault
  }
  _exit(0);
}

}  // namespace assay::evals
