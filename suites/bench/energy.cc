#include "suites/bench/energy.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <fstream>

#include "base/text.h"

namespace assay::suites {
namespace {

namespace fs = std::filesystem;

constexpr int kMostDomains = 64;

std::optional<std::uint64_t> read_number(const fs::path& file) {
  std::ifstream in(file);
  std::uint64_t value = 0;
  if (in >> value) return value;
  return std::nullopt;
}

std::string read_word(const fs::path& file) {
  std::ifstream in(file);
  std::string word;
  in >> word;
  return word;
}

}  // namespace

Rapl::Rapl(const fs::path& powercap) {
  std::error_code code;
  for (int package = 0; package < kMostDomains; ++package) {
    const fs::path folder = powercap / fmt::format("intel-rapl:{}", package);
    if (!fs::exists(folder, code)) break;
    if (read_word(folder / "name").rfind("package", 0) != 0) continue;
    domains_.push_back(
        {folder / "energy_uj", read_number(folder / "max_energy_range_uj").value_or(UINT64_MAX)});
  }
  if (domains_.empty()) {
    problem_ = fmt::format("no RAPL counters in {}", powercap.string());
    return;
  }
  for (const RaplDomain& domain : domains_) {
    const auto value = read_number(domain.counter);
    if (!value) {
      problem_ = fmt::format("{} is not readable", domain.counter.string());
      return;
    }
    last_.push_back(*value);
  }
}

std::optional<double> Rapl::joules() {
  if (!problem_.empty()) return std::nullopt;
  double sum = 0;
  for (std::size_t i = 0; i < domains_.size(); ++i) {
    const auto now = read_number(domains_[i].counter);
    if (!now) return std::nullopt;
    const std::uint64_t before = last_[i];
    const std::uint64_t spent =
        *now >= before ? *now - before : *now + (domains_[i].range_uj - before);
    last_[i] = *now;
    sum += static_cast<double>(spent) / 1e6;
  }
  return sum;
}

// The few functions used, by their published C interface (nvml.h); 0 is success.
struct Nvml::Library {
  using Device = void*;
  struct Memory {
    unsigned long long total = 0;
    unsigned long long free = 0;
    unsigned long long used = 0;
  };
  void* handle = nullptr;
  std::string problem;
  std::vector<Device> devices;
  int (*shutdown)() = nullptr;
  int (*total_energy)(Device, unsigned long long*) = nullptr;
  int (*clock)(Device, unsigned, unsigned*) = nullptr;
  int (*throttle_reasons)(Device, unsigned long long*) = nullptr;
  int (*memory)(Device, Memory*) = nullptr;

  template <typename Function>
  void load(Function& function, const char* name) const {
    function = reinterpret_cast<Function>(::dlsym(handle, name));
  }

  void open() {
    handle = ::dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) {
      problem = "libnvidia-ml.so.1 is not installed";
      return;
    }
    int (*init)() = nullptr;
    int (*count)(unsigned*) = nullptr;
    int (*by_index)(unsigned, Device*) = nullptr;
    load(init, "nvmlInit_v2");
    load(count, "nvmlDeviceGetCount_v2");
    load(by_index, "nvmlDeviceGetHandleByIndex_v2");
    load(shutdown, "nvmlShutdown");
    load(total_energy, "nvmlDeviceGetTotalEnergyConsumption");
    load(clock, "nvmlDeviceGetClockInfo");
    load(throttle_reasons, "nvmlDeviceGetCurrentClocksThrottleReasons");
    load(memory, "nvmlDeviceGetMemoryInfo");
    unsigned found = 0;
    if (init == nullptr || count == nullptr || by_index == nullptr || shutdown == nullptr) {
      problem = "libnvidia-ml.so.1 lacks functions that are needed";
    } else if (init() != 0 || count(&found) != 0) {
      shutdown = nullptr;
      problem = "NVML found no driver";
    }
    if (!problem.empty()) return;
    for (unsigned i = 0; i < found && i < kMostDomains; ++i) {
      Device device = nullptr;
      if (by_index(i, &device) == 0) devices.push_back(device);
    }
    if (devices.empty()) problem = "NVML found no GPU";
  }
};

Nvml::Nvml() : library_(std::make_unique<Library>()) { library_->open(); }

Nvml::~Nvml() {
  if (library_->shutdown != nullptr && library_->problem.empty()) library_->shutdown();
  if (library_->handle != nullptr) ::dlclose(library_->handle);
}

const std::string& Nvml::problem() const { return library_->problem; }

std::optional<double> Nvml::joules() const {
  if (!problem().empty() || library_->total_energy == nullptr) return std::nullopt;
  double sum = 0;
  for (Library::Device device : library_->devices) {
    unsigned long long millijoules = 0;
    if (library_->total_energy(device, &millijoules) != 0) return std::nullopt;
    sum += static_cast<double>(millijoules) / 1e3;
  }
  return sum;
}

std::optional<double> Nvml::sm_mhz() const {
  if (!problem().empty() || library_->clock == nullptr) return std::nullopt;
  constexpr unsigned kSm = 1;
  unsigned mhz = 0;
  if (library_->clock(library_->devices.front(), kSm, &mhz) != 0) return std::nullopt;
  return mhz;
}

std::optional<bool> Nvml::throttled() const {
  if (!problem().empty() || library_->throttle_reasons == nullptr) return std::nullopt;
  constexpr unsigned long long kPowerCap = 0x4;
  constexpr unsigned long long kHardware = 0x8 | 0x40 | 0x80;  // slowdown, thermal, power brake
  constexpr unsigned long long kSoftThermal = 0x20;
  bool any = false;
  for (Library::Device device : library_->devices) {
    unsigned long long reasons = 0;
    if (library_->throttle_reasons(device, &reasons) != 0) return std::nullopt;
    any = any || (reasons & (kPowerCap | kHardware | kSoftThermal)) != 0;
  }
  return any;
}

std::optional<std::int64_t> Nvml::memory_used() const {
  if (!problem().empty() || library_->memory == nullptr) return std::nullopt;
  std::int64_t sum = 0;
  for (Library::Device device : library_->devices) {
    Library::Memory memory;
    if (library_->memory(device, &memory) != 0) return std::nullopt;
    sum += static_cast<std::int64_t>(memory.used);
  }
  return sum;
}

}  // namespace assay::suites
