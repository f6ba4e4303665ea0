// How quiet the machine was while something was measured, and what it drew: competing load, stolen
// time, clocks, energy. What a machine does not tell is said to be missing, never made up.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "store/machine_speed.h"

namespace assay::suites {

/// Counters since boot, as /proc/stat has them; ticks of 10 ms or so.
struct CpuTimes {
  std::int64_t busy = 0;  // user, nice, system, interrupts
  std::int64_t idle = 0;
  std::int64_t stolen = 0;  // by the hypervisor
};
/// Of the text of /proc/stat. Throws: Error(kInput) when its first line is not understood.
CpuTimes parse_cpu_times(const std::string& stat);

/// What happened on the machine between two moments.
struct Interference {
  double seconds = 0;
  double foreign_cores = 0;  // cores that other processes used, on average
  double own_cores = 0;
  double stolen_share = 0;  // of all cores' time
  double mhz_low = 0;       // slowest and fastest core at the end; 0: not told
  double mhz_high = 0;
  double load1 = 0;              // load average of a minute
  std::optional<double> sm_mhz;  // of the first GPU
  std::optional<bool> throttled;
  std::optional<double> energy_j;  // packages and GPUs together
  std::string energy_source;       // "RAPL", "NVML", "RAPL and NVML", or why there is none
  [[nodiscard]] Json to_json() const;
};

/// Reads /proc, /sys/class/powercap and NVML (loaded when it is there). Used by one thread.
class Telemetry {
 public:
  Telemetry();
  ~Telemetry();
  Telemetry(const Telemetry&) = delete;
  Telemetry& operator=(const Telemetry&) = delete;
  Telemetry(Telemetry&&) = delete;
  Telemetry& operator=(Telemetry&&) = delete;

  void begin();
  /// Since begin(). Joules wrap in hardware; reading at least every few minutes keeps them right.
  [[nodiscard]] Interference end();
  /// Memory that GPU processes use now; nothing without NVML.
  [[nodiscard]] std::optional<std::int64_t> gpu_memory_bytes() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct NoiseLimits {
  double foreign_cores = 0.15;
  double stolen_share = 0.02;
  /// By how much the machine's own speed may differ from what it mostly was during the run.
  double drift = store::kAlikeMoments;
  bool foreign_counts = true;  // false: the measured server runs on this machine itself
};
/// "" for a quiet machine, else what was wrong.
std::string noise_of(const Interference& seen, const NoiseLimits& limits);

}  // namespace assay::suites
