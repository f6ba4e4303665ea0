// What this machine and this process are, for a run's provenance.
#pragma once

#include <cstdint>
#include <string>

#include "base/json.h"

namespace assay::suites {

struct Machine {
  std::string host;
  std::string os;      // "Debian GNU/Linux 12 (bookworm)"
  std::string kernel;  // "Linux 6.1.0"
  std::string cpu;     // model name
  int cores = 0;       // that this process may use
  std::int64_t memory_bytes = 0;
  /// Short key of what makes timings comparable: "AMD EPYC x2" or with GPUs "8xH200/580.65/13.0".
  [[nodiscard]] std::string hardware_class() const;
  [[nodiscard]] Json to_json() const;
};

/// Reads /proc and /etc; what cannot be read stays empty.
Machine this_machine();

/// Highest resident memory of this process so far, bytes; 0 when unknown.
std::int64_t peak_memory_bytes();

}  // namespace assay::suites
