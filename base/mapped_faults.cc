#include "base/mapped_faults.h"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigaction
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <mutex>

#include "base/text.h"

namespace assay {
namespace {

constexpr std::size_t kMaxPath = 512;
constexpr int kInputExitCode = 2;

/// Read by a signal handler, so without locks: `begin` is set last and cleared first.
struct Mapping {
  std::atomic<std::uintptr_t> begin{0};
  std::size_t size = 0;
  std::array<char, kMaxPath> path{};
};

std::array<Mapping, 1024> mappings;
std::mutex mutex;  // guards writing to `mappings`

void say(std::string_view text) {
  if (::write(STDERR_FILENO, text.data(), text.size()) < 0) return;  // nobody reads
}

void on_fault(int /*signal*/, siginfo_t* info, void* /*context*/) {
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  for (const Mapping& mapping : mappings) {
    const std::uintptr_t begin = mapping.begin.load();
    if (begin == 0 || address < begin || address - begin >= mapping.size) continue;
    say("assay: ");
    say(mapping.path.data());
    say(": was cut short by another process while it was read: start again when it is complete\n");
    ::_exit(kInputExitCode);
  }
  ::signal(SIGBUS, SIG_DFL);  // not ours: the instruction faults again and ends the process
}

void install() {
  struct sigaction action {};
  action.sa_sigaction = on_fault;
  ::sigemptyset(&action.sa_mask);
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace

void watch_mapping(const void* data, std::size_t size, std::string_view path) {
  static std::once_flag once;
  std::call_once(once, install);
  const std::lock_guard lock(mutex);
  const auto free = std::find_if(mappings.begin(), mappings.end(),
                                 [](const Mapping& m) { return m.begin.load() == 0; });
  if (free == mappings.end())
    return;  // more files than any checkpoint has: such a fault is a signal
  const std::string shown = escaped(path, kMaxPath - 4);
  const std::size_t length = std::min(shown.size(), kMaxPath - 1);
  std::memcpy(free->path.data(), shown.data(), length);
  free->path[length] = '\0';
  free->size = size;
  free->begin = reinterpret_cast<std::uintptr_t>(data);
}

void forget_mapping(const void* data) {
  const std::lock_guard lock(mutex);
  for (Mapping& mapping : mappings) {
    if (mapping.begin.load() == reinterpret_cast<std::uintptr_t>(data)) mapping.begin = 0;
  }
}

}  // namespace assay
