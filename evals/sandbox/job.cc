#include "evals/sandbox/job.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>  // NOLINT(modernize-deprecated-headers): sigabbrev_np
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>

#include "base/error.h"
#include "base/text.h"
#include "evals/sandbox/harness.h"
#include "evals/sandbox/scratch.h"

namespace assay::evals {
namespace {

constexpr std::size_t kMaxVerdict = 16384;
constexpr double kGrace = 0.5;      // for a supervisor to report before it is killed
constexpr double kLastWords = 0.1;  // for a program's own end to be reported after its pipe's

/// A sealed file in memory with a process's own input.
FileDescriptor make_input(const std::string& bytes) {
  FileDescriptor file(memfd_create("input", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.valid() || !write_all(file.get(), bytes) || lseek(file.get(), 0, SEEK_SET) != 0 ||
      fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) !=
          0) {
    throw_environment("sandbox: no memory file for a program's source");
  }
  return file;
}

/// For the levels that have no file system of their own.
std::string scratch_for(SandboxLevel level) {
  return level == SandboxLevel::kFull ? "" : make_scratch_folder();
}

std::string number_text(double value) { return fmt::format("{:.6f}", value); }

std::string clean(std::string_view text) {
  // The reader sees one line: control characters are shown, not sent. That makes it longer.
  std::string line = escaped(replace_invalid_utf8(text), kMaxDetail);
  if (line.size() > kMaxDetail) {
    line.resize(utf8_prefix(line, kMaxDetail - 3));
    line += "...";
  }
  return line;
}

}  // namespace

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::string pack_program(const SandboxProgram& program) {
  return pack_fields({program.source, program.reference, program.test, program.entry_point,
                      number_text(program.wall_seconds)});
}

std::optional<SandboxProgram> unpack_program(std::string_view body) {
  const auto fields = unpack_fields(body);
  if (!fields || fields->size() != 5) return std::nullopt;
  const double seconds = parse_double((*fields)[4]).value_or(0);
  if (!(seconds > 0 && seconds <= 3600)) return std::nullopt;
  return SandboxProgram{(*fields)[0], (*fields)[1], (*fields)[2], (*fields)[3], seconds};
}

std::string pack_result(const SandboxResult& result) {
  return pack_fields({std::to_string(static_cast<int>(result.outcome)), result.detail,
                      number_text(result.cpu_seconds), number_text(result.wall_seconds),
                      std::to_string(result.runs)});
}

std::optional<SandboxResult> unpack_result(std::string_view body) {
  const auto fields = unpack_fields(body);
  if (!fields || fields->size() != 5) return std::nullopt;
  const auto outcome = parse_int((*fields)[0]).value_or(-1);
  if (outcome < 0 || outcome > static_cast<int>(SandboxOutcome::kFault)) return std::nullopt;
  return SandboxResult{static_cast<SandboxOutcome>(outcome), (*fields)[1],
                       parse_double((*fields)[2]).value_or(0),
                       parse_double((*fields)[3]).value_or(0),
                       static_cast<int>(parse_int((*fields)[4]).value_or(1))};
}

Run::Run(const SandboxProgram& program, const Interpreter& interpreter, SandboxLevel level)
    : started_(now_seconds()), limit_(program.wall_seconds) {
  const FileDescriptor source = make_input(pack_fields({program.source, program.entry_point}));
  const FileDescriptor tests =
      make_input(pack_fields({program.reference, program.test, program.entry_point}));
  Pipe requests = make_pipe();
  Pipe replies = make_pipe();
  Pipe verdict = make_pipe();
  ConfinePlan plan;
  plan.level = level;
  plan.interpreter = &interpreter;
  // "wall time, and CPU time one second more", for each of the two
  plan.cpu_seconds = static_cast<unsigned long>(std::ceil(program.wall_seconds)) + 1;
  plan.scratch = scratch_for(level);
  plan.script = std::string(kCodecScript) + kProgramScript + "\nmain(globals())\n";
  plan.descriptors = {{requests.reader.get(), 3}, {replies.writer.get(), 4}, {source.get(), 6}};
  program_ = std::make_unique<Confined>(plan);
  plan.scratch = scratch_for(level);
  plan.script = std::string(kCodecScript) + kJudgeScript + "\nmain(globals())\n";
  plan.memory_bytes = kJudgeMemoryBytes;
  plan.descriptors = {{verdict.writer.get(), 3},
                      {requests.writer.get(), 4},
                      {replies.reader.get(), 5},
                      {tests.get(), 6}};
  judge_ = std::make_unique<Confined>(plan);
  verdict_fd_ = std::move(verdict.reader);
  set_nonblocking(verdict_fd_.get());
}

void Run::add_polls(std::vector<pollfd>& polls) const {
  program_->add_polls(polls);
  judge_->add_polls(polls);
  if (verdict_fd_.valid()) polls.push_back({verdict_fd_.get(), POLLIN, 0});
}

void Run::stop() {
  if (stopped_ > 0) return;
  stopped_ = now_seconds();
  ended_itself_ = program_->reported();
  program_->stop(false);
  judge_->stop(false);
}

void Run::advance() {
  program_->advance();
  judge_->advance();
  std::array<char, 4096> buffer;
  while (verdict_fd_.valid()) {
    const ssize_t count = read(verdict_fd_.get(), buffer.data(), buffer.size());
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (count > 0 && verdict_.size() < kMaxVerdict) {
      verdict_.append(buffer.data(), static_cast<std::size_t>(count));
    }
    if (count <= 0) verdict_fd_.reset();
  }
  const double now = now_seconds();
  if (finished_ == 0 && !verdict_fd_.valid()) finished_ = now;
  if (stopped_ == 0 && now - started_ >= limit_ && verdict_.empty()) {
    timed_out_ = true;
    finished_ = now;
  }
  const bool broken =
      !program_->setup_problem().empty() || (judge_->reported() && verdict_.empty());
  if (timed_out_ || broken || (!verdict_fd_.valid() && !awaits_last_words(now))) stop();
  if (stopped_ > 0 && now - stopped_ > kGrace) {
    program_->stop(true);
    judge_->stop(true);
  }
}

/// The judge has seen the end of the program's pipe: why it ended is known once it is reported.
bool Run::awaits_last_words(double now) const {
  constexpr std::size_t kKindAt = 4;  // after the frame's length
  const bool gone = verdict_.size() > kKindAt && verdict_[kKindAt] == 'G';
  return gone && !program_->reported() && now - finished_ < kLastWords;
}

double Run::deadline() const {
  if (stopped_ == 0 && finished_ > 0) return finished_ + kLastWords + 0.001;
  return stopped_ > 0 ? stopped_ + kGrace + 0.01 : started_ + limit_ + 0.001;
}

SandboxResult Run::result() const {
  SandboxResult result = outcome();
  result.detail = clean(result.detail);
  result.cpu_seconds = program_->cpu_seconds() + judge_->cpu_seconds();
  result.wall_seconds = (finished_ > 0 ? finished_ : now_seconds()) - started_;
  return result;
}

SandboxResult Run::outcome() const {
  using Outcome = SandboxOutcome;
  const auto say = [](Outcome outcome, const std::string& detail) {
    return SandboxResult{outcome, detail, 0, 0};
  };
  for (const Confined* process : {program_.get(), judge_.get()}) {
    if (const std::string problem = process->setup_problem(); !problem.empty()) {
      return say(Outcome::kFault, "setting up: " + problem);
    }
  }
  if (timed_out_) return say(Outcome::kTimedOut, fmt::format("no end after {} s", limit_));
  bool oversized = false;
  const auto verdict = take_message(verdict_, kMaxVerdict, oversized);
  if (!verdict || verdict->empty()) {
    const int status = judge_->wait_status();
    const bool out_of_time = status >= 0 && WIFSIGNALED(status) &&
                             (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL) &&
                             judge_->cpu_seconds() > limit_;
    if (out_of_time) return say(Outcome::kTimedOut, "processor time of the tests");
    return say(Outcome::kFault, fmt::format("the judge ended without a verdict (status {}): {}",
                                            status, judge_->output().substr(0, 400)));
  }
  const std::string text = verdict->substr(1);
  switch ((*verdict)[0]) {
    case 'P':
      return say(Outcome::kPassed, "");
    case 'W':
      return say(Outcome::kWrongAnswer, text);
    case 'E':
    case 'T':
      return say(Outcome::kFailed, text);
    case 'M':
      return say(Outcome::kOutOfMemory, text);
    case 'R':
      return say(Outcome::kRefusedCall, text);
    case 'G':
      return text == "ended" ? program_ended() : say(Outcome::kFailed, text);
    default:
      return say(Outcome::kFault, text);
  }
}

SandboxResult Run::program_ended() const {
  const int status = program_->wait_status();
  if (!ended_itself_) {
    return {SandboxOutcome::kFailed, "the program closed its connection to the tests", 0, 0};
  }
  if (status >= 0 && WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    const bool out_of_time =
        (signal == SIGXCPU || signal == SIGKILL) && program_->cpu_seconds() > limit_;
    if (out_of_time) return {SandboxOutcome::kTimedOut, "processor time", 0, 0};
    if (signal == SIGSYS) return {SandboxOutcome::kRefusedCall, "foreign system-call table", 0, 0};
    const char* const name = sigabbrev_np(signal);
    return {SandboxOutcome::kKilled,
            fmt::format("signal {} (SIG{})", signal, name != nullptr ? name : "?"), 0, 0};
  }
  const int code = status >= 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  if (program_->output().find("MemoryError") != std::string::npos) {
    return {SandboxOutcome::kOutOfMemory, "the interpreter ran out of memory", 0, 0};
  }
  return {SandboxOutcome::kFailed, fmt::format("the program ended itself (status {})", code), 0, 0};
}

}  // namespace assay::evals
