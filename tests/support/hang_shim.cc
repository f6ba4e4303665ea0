// Preloaded into a program under test: once the file that ASSAY_TEST_HANG_FILE names is there, a
// thread that goes to sleep over an atomic (as the engine's threads do for each other) is never
// woken again.
#include <dlfcn.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdlib>

namespace {

using SystemCall = long (*)(long number, ...);

SystemCall real_system_call() {
  static const auto kReal = reinterpret_cast<SystemCall>(::dlsym(RTLD_NEXT, "syscall"));
  return kReal;
}

bool hangs(long number, long operation) {
  constexpr long kPrivate = FUTEX_PRIVATE_FLAG;
  if (number != SYS_futex || (operation & ~kPrivate) != FUTEX_WAIT) return false;
  const char* file = std::getenv("ASSAY_TEST_HANG_FILE");
  return file != nullptr && ::access(file, F_OK) == 0;
}

}  // namespace

/// std::atomic::wait calls this; locks and condition variables enter the system by themselves.
extern "C" long syscall(long number, ...) noexcept {
  std::va_list list;
  va_start(list, number);
  long arguments[6];
  for (long& argument : arguments) argument = va_arg(list, long);
  va_end(list);
  while (hangs(number, arguments[1])) ::sleep(1);
  return real_system_call()(number, arguments[0], arguments[1], arguments[2], arguments[3],
                            arguments[4], arguments[5]);
}
