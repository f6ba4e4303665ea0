#include "suites/bench/telemetry.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "base/text.h"
#include "suites/bench/energy.h"

namespace assay::suites {
namespace {

std::string read_all(const char* file) {
  std::ifstream in(file);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

/// Of this process and of the children that it has waited for.
double own_cpu_seconds() {
  double out = 0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage usage{};
    if (::getrusage(who, &usage) != 0) continue;
    out += static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  }
  return out;
}

/// Lowest and highest "cpu MHz" of /proc/cpuinfo; zeros where it has none.
std::pair<double, double> clock_range() {
  std::ifstream in("/proc/cpuinfo");
  std::pair<double, double> out{0, 0};
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("cpu MHz", 0) != 0) continue;
    const std::size_t at = line.find(':');
    if (at == std::string::npos) continue;
    const auto value = parse_double(trim_ascii(std::string_view(line).substr(at + 1)));
    if (!value) continue;
    out.first = out.first == 0 ? *value : std::min(out.first, *value);
    out.second = std::max(out.second, *value);
  }
  return out;
}

double load_average() {
  std::ifstream in("/proc/loadavg");
  double value = 0;
  in >> value;
  return value;
}

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

}  // namespace

CpuTimes parse_cpu_times(const std::string& stat) {
  std::istringstream in(stat.substr(0, stat.find('\n')));
  std::string word;
  std::int64_t user = 0;
  std::int64_t nice = 0;
  std::int64_t system = 0;
  std::int64_t idle = 0;
  std::int64_t wait = 0;
  std::int64_t irq = 0;
  std::int64_t soft_irq = 0;
  std::int64_t stolen = 0;
  in >> word >> user >> nice >> system >> idle >> wait >> irq >> soft_irq >> stolen;
  if (!in || word != "cpu") throw_input("/proc/stat: the first line is not \"cpu\" with 8 counts");
  return {.busy = user + nice + system + irq + soft_irq, .idle = idle + wait, .stolen = stolen};
}

Json Interference::to_json() const {
  Json out;
  out.set("seconds", seconds);
  out.set("foreign_cores", foreign_cores);
  out.set("own_cores", own_cores);
  out.set("stolen_share", stolen_share);
  out.set("cpu_mhz_low", mhz_low);
  out.set("cpu_mhz_high", mhz_high);
  out.set("load_average_1min", load1);
  out.set("sm_mhz", or_null(sm_mhz));
  out.set("gpu_throttled", or_null(throttled));
  out.set("energy_j", or_null(energy_j));
  out.set("energy_source", energy_source);
  return out;
}

struct Telemetry::State {
  Rapl rapl;
  Nvml nvml;
  CpuTimes cpu;
  double own = 0;
  std::optional<double> gpu_joules;
  std::chrono::steady_clock::time_point start;

  void add_energy(Interference& out) {
    const std::optional<double> packages = rapl.joules();
    const std::optional<double> now = nvml.joules();
    const bool gpu = now && gpu_joules;
    if (packages || gpu) {
      out.energy_j = packages.value_or(0) + (gpu ? *now - *gpu_joules : 0);
      out.energy_source = packages && gpu ? "RAPL and NVML" : (packages ? "RAPL" : "NVML");
    } else {
      out.energy_source = "not readable: " + rapl.problem() + "; " + nvml.problem();
    }
  }
};

Telemetry::Telemetry() : state_(std::make_unique<State>()) { begin(); }
Telemetry::~Telemetry() = default;

void Telemetry::begin() {
  state_->cpu = parse_cpu_times(read_all("/proc/stat"));
  state_->own = own_cpu_seconds();
  (void)state_->rapl.joules();
  state_->gpu_joules = state_->nvml.joules();
  state_->start = std::chrono::steady_clock::now();
}

Interference Telemetry::end() {
  const CpuTimes now = parse_cpu_times(read_all("/proc/stat"));
  const double tick = 1.0 / static_cast<double>(::sysconf(_SC_CLK_TCK));
  Interference out;
  out.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - state_->start).count();
  if (out.seconds > 0) {
    out.own_cores = (own_cpu_seconds() - state_->own) / out.seconds;
    const double busy = static_cast<double>(now.busy - state_->cpu.busy) * tick / out.seconds;
    out.foreign_cores = std::max(0.0, busy - out.own_cores);
  }
  const auto all =
      static_cast<double>((now.busy - state_->cpu.busy) + (now.idle - state_->cpu.idle) +
                          (now.stolen - state_->cpu.stolen));
  if (all > 0) out.stolen_share = static_cast<double>(now.stolen - state_->cpu.stolen) / all;
  std::tie(out.mhz_low, out.mhz_high) = clock_range();
  out.load1 = load_average();
  out.sm_mhz = state_->nvml.sm_mhz();
  out.throttled = state_->nvml.throttled();
  state_->add_energy(out);
  return out;
}

std::optional<std::int64_t> Telemetry::gpu_memory_bytes() const {
  return state_->nvml.memory_used();
}

std::string noise_of(const Interference& seen, const NoiseLimits& limits) {
  if (limits.foreign_counts && seen.foreign_cores > limits.foreign_cores) {
    return fmt::format("other processes used {:.2f} of a core, {:.2f} are allowed",
                       seen.foreign_cores, limits.foreign_cores);
  }
  if (seen.stolen_share > limits.stolen_share) {
    return fmt::format("the hypervisor took {:.1f} % of the cores' time, {:.1f} % are allowed",
                       100 * seen.stolen_share, 100 * limits.stolen_share);
  }
  if (seen.throttled.value_or(false)) return "a GPU was throttled by heat or power";
  return "";
}

}  // namespace assay::suites
