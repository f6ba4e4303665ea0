#include "reports/page_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace assay::reports {

std::string percent(double share) { return fmt::format("{:.1f}", 100 * share); }

std::string points(double difference) {
  const std::string digits = fmt::format("{:.1f}", std::abs(100 * difference));
  if (digits == "0.0") return digits;
  return (difference < 0 ? "\u2212" : "+") + digits;
}

std::string percent_range(double low, double high) {
  return percent(low) + "\u2013" + percent(high);
}

std::string points_range(double low, double high) {
  return "[" + points(low) + ", " + points(high) + "]";
}

std::string p_text(double p) {
  if (p < 0.001) return "< 0.001";
  return p < 0.1 ? fmt::format("{:.3f}", p) : fmt::format("{:.2f}", p);
}

std::string count_text(std::int64_t n) {
  std::string digits = std::to_string(std::abs(n));
  for (std::ptrdiff_t at = std::ssize(digits) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), ",");
  }
  return n < 0 ? "\u2212" + digits : digits;
}

std::string short_number(double value) {
  const double size = std::abs(value);
  if (size >= 100) return count_text(std::llround(value));
  return size >= 10 ? fmt::format("{:.1f}", value) : fmt::format("{:.2f}", value);
}

std::string milliseconds(double ms) {
  if (ms >= 10000) return fmt::format("{:.1f} s", ms / 1000);
  if (ms >= 1000) return fmt::format("{:.2f} s", ms / 1000);
  if (ms >= 100) return fmt::format("{:.0f} ms", ms);
  return ms >= 10 ? fmt::format("{:.1f} ms", ms) : fmt::format("{:.2f} ms", ms);
}

std::string bytes_text(double bytes) {
  const double mib = bytes / (1 << 20);
  if (mib >= 10240) return fmt::format("{:.0f} GiB", mib / 1024);
  return mib >= 1024 ? fmt::format("{:.1f} GiB", mib / 1024) : fmt::format("{:.0f} MiB", mib);
}

std::string joules_text(double joules) {
  if (joules >= 1e6) return fmt::format("{:.1f} MJ", joules / 1e6);
  return joules >= 1000 ? fmt::format("{:.1f} kJ", joules / 1000) : fmt::format("{:.0f} J", joules);
}

std::string counted(std::int64_t n, const std::string& noun) {
  return count_text(n) + " " + noun + (n == 1 ? "" : "s");
}

std::string run_name(const PageRun& run) { return run.model + " " + run.setting; }

std::string short_run_name(const Page& page, std::size_t run) {
  const PageRun& self = page.runs[run];
  const auto differs = [&](auto field) {
    return std::any_of(page.runs.begin(), page.runs.end(),
                       [&](const PageRun& other) { return field(other) != field(self); });
  };
  std::string out = self.setting;
  if (differs([](const PageRun& r) { return r.model; })) out = self.model + " " + out;
  const bool twin = std::any_of(page.runs.begin(), page.runs.end(), [&](const PageRun& other) {
    return &other != &self && other.model == self.model && other.setting == self.setting;
  });
  if (twin) {
    const std::size_t tail = self.id.size() > 6 ? self.id.size() - 6 : 0;
    out += " " + (self.label.empty() ? self.id.substr(tail) : self.label);
  }
  return out;
}

const char* change_words(Change change) {
  constexpr const char* kWords[] = {"no established change", "worse", "better"};
  return kWords[static_cast<int>(change)];
}

}  // namespace assay::reports
