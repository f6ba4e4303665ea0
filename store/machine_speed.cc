#include "store/machine_speed.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/order_statistics.h"

namespace assay::store {
namespace {

struct Figure {
  const char* key;
  const char* meaning;
  double MachineSpeed::*value;
};
constexpr std::array kFigures = {
    Figure{"read_bytes_per_s", "memory is read", &MachineSpeed::read_bytes_per_s},
    Figure{"flops_per_s", "cores compute", &MachineSpeed::flops_per_s},
    Figure{"loops_per_s", "threads meet", &MachineSpeed::loops_per_s}};

Json to_json(const MachineSpeed& speed) {
  Json out;
  for (const Figure& figure : kFigures) out.set(figure.key, speed.*figure.value);
  return out;
}

/// Records come from other stores too.
MachineSpeed from_json(const Json& json) {
  MachineSpeed out;
  for (const Figure& figure : kFigures) {
    const Json* value = json.find(figure.key);
    if (value != nullptr && value->is_number()) out.*figure.value = value->as_double();
  }
  return out;
}

}  // namespace

Json to_json(const MachineSpeed& before, const MachineSpeed& after) {
  Json out;
  out.set("before", to_json(before));
  out.set("after", to_json(after));
  return out;
}

std::vector<MachineSpeed> machine_speeds(const BenchRepRecord& rep) {
  std::vector<MachineSpeed> out;
  const Json* speed = rep.detail.find("machine_speed");
  if (speed == nullptr) return out;
  for (const char* moment : {"before", "after"}) {
    if (const Json* at = speed->find(moment); at != nullptr) out.push_back(from_json(*at));
  }
  return out;
}

std::optional<MachineSpeed> usual_speed(const BenchCaseRecord& bench) {
  std::vector<MachineSpeed> all;
  for (const BenchRepRecord& rep : bench.reps) {
    if (rep.warmup || !rep.invalid_reason.empty()) continue;
    for (const MachineSpeed& speed : machine_speeds(rep)) all.push_back(speed);
  }
  return all.empty() ? std::nullopt : std::optional(median_speed(all));
}

MachineSpeed median_speed(const std::vector<MachineSpeed>& speeds) {
  MachineSpeed out;
  for (const Figure& figure : kFigures) {
    std::vector<double> values;
    for (const MachineSpeed& speed : speeds) values.push_back(speed.*figure.value);
    std::sort(values.begin(), values.end());
    out.*figure.value = percentile(values, 0.5);
  }
  return out;
}

std::string difference(const MachineSpeed& usual, const MachineSpeed& seen, double allowed) {
  std::string out;
  for (const Figure& figure : kFigures) {
    const double before = usual.*figure.value;
    const double now = seen.*figure.value;
    if (!(before > 0) || !(now > 0)) continue;
    if (now >= (1 - allowed) * before && before >= (1 - allowed) * now) continue;
    out += fmt::format("{}{} at {:.0f} %", out.empty() ? "" : ", ", figure.meaning,
                       100 * now / before);
  }
  return out;
}

}  // namespace assay::store
