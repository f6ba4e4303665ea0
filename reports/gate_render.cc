// A gate's verdict as JSON, text, Markdown and JUnit XML.
#include <fmt/format.h>

#include <array>

#include "base/text.h"
#include "reports/gate.h"

namespace assay::reports {

namespace {

std::string xml(const std::string& text) {
  std::string out;
  for (const char c : escaped(text, 4000)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

bool is_error(const GateResult& result) { return result.verdict == GateVerdict::kIncomparable; }
bool is_failure(const GateResult& result) { return result.verdict == GateVerdict::kFail; }
bool is_skipped(const GateResult& result) { return result.verdict == GateVerdict::kInconclusive; }

std::string testcase(const GateResult& result) {
  std::string out = fmt::format("    <testcase classname=\"assay.{}\" name=\"{}\"",
                                xml(result.suite), xml(result.name));
  const std::string reason = xml(result.reason);
  if (is_failure(result)) {
    return out + fmt::format("><failure type=\"regression\" message=\"{}\"/></testcase>\n", reason);
  }
  if (is_error(result)) {
    return out + fmt::format("><error type=\"incomparable\" message=\"{}\"/></testcase>\n", reason);
  }
  if (is_skipped(result)) {
    return out + fmt::format("><skipped message=\"{}\"/></testcase>\n", reason);
  }
  return out + fmt::format("><system-out>{}</system-out></testcase>\n", reason);
}

}  // namespace

Json gate_json(const GateReport& report) {
  Json out;
  out.set("schema", "assay-gate-1");
  out.set("baseline", report.baseline);
  out.set("candidate", report.candidate);
  out.set("verdict", gate_verdict_name(report.verdict()));
  out.set("exit_code", static_cast<int>(report.exit_code()));
  Json::Array gates;
  for (const GateResult& result : report.results) {
    Json entry;
    entry.set("name", result.name);
    entry.set("suite", result.suite);
    entry.set("verdict", gate_verdict_name(result.verdict));
    entry.set("reason", result.reason);
    entry.set("value", result.value ? Json(*result.value) : Json());
    entry.set("interval", result.interval
                              ? Json(Json::Array{result.interval->low, result.interval->high})
                              : Json());
    entry.set("p_adjusted", result.p_adjusted ? Json(*result.p_adjusted) : Json());
    entry.set("margin", result.margin);
    entry.set("items_needed", result.items_needed);
    gates.push_back(std::move(entry));
  }
  out.set("gates", Json(std::move(gates)));
  out.set("comparison", report.comparison ? comparison_json(*report.comparison) : Json());
  return out;
}

std::string gate_text(const GateReport& report) {
  std::string out = fmt::format("{}: {} against {}\n", gate_verdict_name(report.verdict()),
                                report.candidate, report.baseline);
  for (const GateResult& result : report.results) {
    out += fmt::format("  {:<12} {}: {}\n", gate_verdict_name(result.verdict), escaped(result.name),
                       escaped(result.reason, 1000));
  }
  return out;
}

std::string gate_markdown(const GateReport& report) {
  std::string out =
      fmt::format("### assay gate: {}\n\n| gate | verdict | figures |\n|---|---|---|\n",
                  gate_verdict_name(report.verdict()));
  for (const GateResult& result : report.results) {
    std::string reason = replace_all(escaped(result.reason, 1000), "|", "\\|");
    reason = replace_all(replace_all(reason, "<", "&lt;"), "`", "'");
    const std::string name =
        replace_all(replace_all(escaped(result.name), "|", "\\|"), "<", "&lt;");
    out += fmt::format("| {} | {} | {} |\n", name, gate_verdict_name(result.verdict), reason);
  }
  if (report.comparison) out += "\n" + comparison_markdown(*report.comparison);
  return out;
}

std::string gate_junit(std::span<const GateReport> reports) {
  std::string suites;
  std::array<std::size_t, 4> all{};
  const auto counts = [](const std::array<std::size_t, 4>& n) {
    return fmt::format("tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"", n[0], n[1],
                       n[2], n[3]);
  };
  for (const GateReport& report : reports) {
    std::array<std::size_t, 4> own{report.results.size(), 0, 0, 0};
    std::string cases;
    for (const GateResult& result : report.results) {
      own[1] += is_failure(result) ? 1 : 0;
      own[2] += is_error(result) ? 1 : 0;
      own[3] += is_skipped(result) ? 1 : 0;
      cases += testcase(result);
    }
    for (std::size_t i = 0; i < all.size(); ++i) all[i] += own[i];
    suites += fmt::format(
        "  <testsuite name=\"assay gate\" {0}>\n    <properties><property name=\"candidate\" "
        "value=\"{1}\"/><property name=\"baseline\" value=\"{2}\"/></properties>\n{3}"
        "  </testsuite>\n",
        counts(own), xml(report.candidate), xml(report.baseline), cases);
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"assay\" {}>\n{}"
      "</testsuites>\n",
      counts(all), suites);
}

}  // namespace assay::reports
