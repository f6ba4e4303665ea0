// Energy counters: RAPL through /sys/class/powercap, NVML through its library where one is
// installed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace assay::suites {

/// One counter of a package: microjoules, from 0 to its range and round again.
struct RaplDomain {
  std::filesystem::path counter;
  std::uint64_t range_uj = 0;
};

/// The CPU packages' counters ("package-N" domains; their parts are contained in them).
class Rapl {
 public:
  explicit Rapl(const std::filesystem::path& powercap = "/sys/class/powercap");
  /// Joules since the call before, or since construction; nothing when a counter is not readable.
  std::optional<double> joules();
  /// "" when there are readable counters, else the reason.
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  std::vector<RaplDomain> domains_;
  std::vector<std::uint64_t> last_;
  std::string problem_;
};

/// The NVIDIA management library; every function gives nothing without it.
class Nvml {
 public:
  Nvml();
  ~Nvml();
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;
  Nvml(Nvml&&) = delete;
  Nvml& operator=(Nvml&&) = delete;
  [[nodiscard]] const std::string& problem() const;
  /// Of all GPUs since the driver was loaded.
  [[nodiscard]] std::optional<double> joules() const;
  [[nodiscard]] std::optional<double> sm_mhz() const;             // first GPU, now
  [[nodiscard]] std::optional<bool> throttled() const;            // any GPU, by heat or power, now
  [[nodiscard]] std::optional<std::int64_t> memory_used() const;  // of all GPUs

 private:
  struct Library;
  std::unique_ptr<Library> library_;
};

}  // namespace assay::suites
