#include "evals/sandbox/interpreter.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/error.h"
#include "base/text.h"
#include "evals/sandbox/harness.h"
#include "evals/sandbox/wire.h"

namespace assay::evals {
namespace {

constexpr std::size_t kMaxReport = std::size_t{1} << 20;

/// Standard output of the discovery script. REQUIRES: a process without threads.
std::string ask(const std::string& path) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) throw_environment("no pipe");
  FileDescriptor reader(ends[0]);
  FileDescriptor writer(ends[1]);
  const pid_t child = fork();
  if (child < 0) throw_environment("cannot start a process");
  if (child == 0) {
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(writer.get(), STDOUT_FILENO);
    dup2(null, STDERR_FILENO);
    // Some modules of the standard library warn when they are imported.
    const char* const arguments[] = {path.c_str(),    "-I",   "-S", "-B", "-W", "ignore", "-c",
                                     kDiscoverScript, nullptr};
    const char* const environment[] = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8", nullptr};
    execve(path.c_str(), const_cast<char* const*>(arguments),
           const_cast<char* const*>(environment));
    _exit(127);
  }
  writer.reset();
  std::string out;
  std::array<char, 65536> buffer{};
  while (out.size() < kMaxReport) {
    const ssize_t count = read(reader.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    out.append(buffer.data(), static_cast<std::size_t>(count));
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) out.clear();
  return out;
}

Interpreter parse(std::string_view report) {
  Interpreter found;
  for (const std::string_view line : split(report, '\n')) {
    if (line.size() < 3 || line[1] != ' ') continue;
    const std::string rest(line.substr(2));
    if (line[0] == 'V') found.version = rest;
    if (line[0] == 'X') found.path = rest;
    if (line[0] == 'D') found.folders.push_back(rest);
    if (line[0] == 'F') found.files.push_back(rest);
    const std::size_t tab = rest.find('\t');
    if (line[0] == 'L' && tab != std::string::npos) {
      found.links.emplace_back(rest.substr(0, tab), rest.substr(tab + 1));
    }
  }
  return found;
}

}  // namespace

Interpreter find_interpreter(const std::string& wanted) {
  std::vector<std::string> candidates = {"/usr/bin/python3", "/usr/local/bin/python3",
                                         "/bin/python3"};
  if (!wanted.empty()) candidates = {wanted};
  for (const std::string& candidate : candidates) {
    if (access(candidate.c_str(), X_OK) != 0) continue;
    Interpreter found = parse(ask(candidate));
    const std::vector<std::string_view> parts = split(found.version, '.');
    if (parts.size() == 3 && parts[0] == "3" && parse_int(parts[1]).value_or(0) >= 8) return found;
    throw_environment(
        "{} is no CPython 3.8 or newer that user {} can run; name another with --python", candidate,
        getuid());
  }
  throw_environment("no Python interpreter at {}: install the package python3",
                    join(candidates, ", "));
}

}  // namespace assay::evals
