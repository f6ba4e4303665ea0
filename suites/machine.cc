#include "suites/machine.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "base/text.h"

namespace assay::suites {
namespace {

/// Value after "key<separator>" on the first line that has it; "" when none has.
std::string line_value(const char* file, std::string_view key, char separator) {
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line)) {
    const std::size_t at = line.find(separator);
    if (at == std::string::npos) continue;
    if (trim_ascii(std::string_view(line).substr(0, at)) != key) continue;
    std::string_view value = trim_ascii(std::string_view(line).substr(at + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    return escaped(value);
  }
  return "";
}

/// "123 kB" in bytes, 0 when it is no such text.
std::int64_t kilobytes(const std::string& text) {
  const auto number = parse_int(std::string_view(text).substr(0, text.find(' ')));
  return number.value_or(0) * 1024;
}

}  // namespace

std::string Machine::hardware_class() const { return fmt::format("{} x{}", cpu, cores); }

Json Machine::to_json() const {
  Json out;
  out.set("host", host);
  out.set("os", os);
  out.set("kernel", kernel);
  out.set("cpu", cpu);
  out.set("cores", cores);
  out.set("memory_bytes", memory_bytes);
  return out;
}

Machine this_machine() {
  Machine out;
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) == 0) out.host = escaped(name.data());
  utsname system{};
  if (::uname(&system) == 0) out.kernel = fmt::format("{} {}", system.sysname, system.release);
  out.os = line_value("/etc/os-release", "PRETTY_NAME", '=');
  out.cpu = line_value("/proc/cpuinfo", "model name", ':');
  out.memory_bytes = kilobytes(line_value("/proc/meminfo", "MemTotal", ':'));
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) == 0) out.cores = CPU_COUNT(&allowed);
  return out;
}

std::int64_t peak_memory_bytes() {
  return kilobytes(line_value("/proc/self/status", "VmHWM", ':'));
}

}  // namespace assay::suites
