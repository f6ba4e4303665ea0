#include "suites/interrupt.h"

#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigaction
#include <unistd.h>

#include <atomic>

namespace assay::suites {
namespace {

std::atomic<int> received{0};
std::atomic<int> working{0};
static_assert(std::atomic<int>::is_always_lock_free, "used in a signal handler");

[[noreturn]] void end_at_once(int signal) {
  constexpr char kMessage[] =
      "assay: interrupted; everything finished is stored, the same command continues it\n";
  if (::write(STDERR_FILENO, kMessage, sizeof kMessage - 1) < 0) {
    // Nobody reads: there is nothing else to tell it to.
  }
  ::_exit(128 + signal);
}

void on_signal(int signal) {
  int none = 0;
  const bool first = received.compare_exchange_strong(none, signal);
  if (!first || working.load() == 0) end_at_once(signal);
}

}  // namespace

void install_interrupt_handlers() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  ::sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ::signal(SIGXFSZ, SIG_IGN);
}

InterruptibleWork::InterruptibleWork() { ++working; }
InterruptibleWork::~InterruptibleWork() { --working; }

bool interrupted() { return received.load() != 0; }

ErrorKind interrupt_kind() {
  return received.load() == SIGTERM ? ErrorKind::kTerminated : ErrorKind::kInterrupted;
}

void set_interrupt_for_test(int signal) { received = signal; }

}  // namespace assay::suites
