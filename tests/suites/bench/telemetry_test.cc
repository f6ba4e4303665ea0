#include "suites/bench/telemetry.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "suites/bench/energy.h"

namespace assay::suites {
namespace {

namespace fs = std::filesystem;

TEST(Telemetry, CpuTimesAreTheKernelsColumns) {
  const CpuTimes times = parse_cpu_times("cpu  100 20 30 4000 50 6 7 8 0 0\ncpu0 1 2 3\n");
  EXPECT_EQ(times.busy, 100 + 20 + 30 + 6 + 7);
  EXPECT_EQ(times.idle, 4050);
  EXPECT_EQ(times.stolen, 8);
  for (const char* bad : {"", "cpu", "cpu 1 2 3", "intr 1 2 3 4 5 6 7 8"}) {
    EXPECT_THROW(parse_cpu_times(bad), Error) << bad;
  }
}

TEST(Telemetry, ANoisyMachineIsSaid) {
  Interference seen{.foreign_cores = 0.5};
  EXPECT_NE(noise_of(seen, {}).find("other processes used 0.50"), std::string::npos);
  EXPECT_EQ(noise_of(seen, {.foreign_counts = false}), "");
  seen = {.stolen_share = 0.1};
  EXPECT_NE(noise_of(seen, {}).find("hypervisor"), std::string::npos);
  seen = {.throttled = true};
  EXPECT_NE(noise_of(seen, {}).find("throttled"), std::string::npos);
  EXPECT_EQ(noise_of({}, {}), "");
}

TEST(Telemetry, WhatIsNotThereIsSaidAndNotMadeUp) {
  const fs::path folder = fs::path(testing::TempDir()) / "no_powercap";
  Rapl rapl(folder);
  EXPECT_FALSE(rapl.joules());
  EXPECT_NE(rapl.problem().find("no RAPL counters"), std::string::npos);
  Telemetry telemetry;
  telemetry.begin();
  const Interference seen = telemetry.end();
  EXPECT_TRUE(seen.energy_j || seen.energy_source.rfind("not readable: ", 0) == 0);
}

// The kernel's files, with a counter that starts again from 0 at its range.
TEST(Telemetry, RaplCountersWrap) {
  const fs::path folder = fs::path(testing::TempDir()) / "powercap_wrap";
  fs::create_directories(folder / "intel-rapl:0");
  fs::create_directories(folder / "intel-rapl:1");
  const auto write = [&](const char* file, const char* text) {
    std::ofstream(folder / file) << text << '\n';
  };
  write("intel-rapl:0/name", "package-0");
  write("intel-rapl:0/max_energy_range_uj", "10000000");
  write("intel-rapl:0/energy_uj", "9000000");
  write("intel-rapl:1/name", "psys");
  write("intel-rapl:1/energy_uj", "5");
  Rapl rapl(folder);
  ASSERT_EQ(rapl.problem(), "");
  write("intel-rapl:0/energy_uj", "9500000");
  EXPECT_DOUBLE_EQ(rapl.joules().value_or(0), 0.5);
  write("intel-rapl:0/energy_uj", "1000000");
  EXPECT_DOUBLE_EQ(rapl.joules().value_or(0), 1.5);
  fs::remove(folder / "intel-rapl:0/energy_uj");
  EXPECT_FALSE(rapl.joules());
  fs::remove_all(folder);
}

}  // namespace
}  // namespace assay::suites
