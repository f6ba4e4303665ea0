// Reads the policy of a gate.
#include "reports/gate.h"

namespace assay::reports {

namespace {

double share(ObjectReader& reader, const Json& rule, const char* key, double fallback) {
  const double value = reader.number(key, fallback);
  if (!(value > 0 && value < 100)) reader.fail(rule, key, "must be above 0 and below 100");
  return value / 100;
}

GateRule parse_rule(const Json& json, const JsonSource& source, const std::string& path) {
  ObjectReader reader(json, source, path);
  GateRule rule;
  rule.alpha = reader.number("alpha", 0.05);
  if (!(rule.alpha > 0 && rule.alpha < 0.5)) {
    reader.fail(json, "alpha", "must be above 0 and below 0.5");
  }
  rule.metric = reader.string("metric", "");
  if (json.find("speed") != nullptr) {
    rule.kind = GateRule::Kind::kSpeed;
    rule.task = reader.required_string("speed");
    rule.margin = share(reader, json, "margin_percent", 0);
    const std::string better = reader.required_string("better");
    if (better != "higher" && better != "lower") {
      reader.fail(json, "better", "\"higher\" or \"lower\"");
    }
    rule.higher_is_better = better == "higher";
    if (rule.metric.empty()) reader.fail(json, "metric", "is missing");
  } else if (json.find("memory") != nullptr) {
    rule.kind = GateRule::Kind::kMemory;
    (void)reader.required_string("memory");
    rule.margin = share(reader, json, "margin_percent", 0);
  } else if (json.find("max_unscored") != nullptr) {
    rule.kind = GateRule::Kind::kUnscored;
    rule.task = reader.string("task", "*");
    rule.max_unscored = reader.integer("max_unscored", 0, 0, INT64_MAX);
  } else if (json.find("reference") != nullptr) {
    rule.kind = GateRule::Kind::kReference;
    rule.task = reader.required_string("task");
    rule.reference = reader.number("reference", 0);
    rule.margin = share(reader, json, "tolerance_points", 0);
  } else {
    rule.task = reader.string("task", "*");
    rule.margin = share(reader, json, "margin_points", 0);
  }
  reader.finish();
  return rule;
}

}  // namespace

GatePolicy parse_policy(const Json& gates, const JsonSource& source) {
  GatePolicy policy;
  const Json* rules = &gates;
  if (gates.is_object()) {
    ObjectReader reader(gates, source, "gates");
    rules = &reader.required("rules");
    const std::string inconclusive = reader.string("on_inconclusive", "warn");
    if (inconclusive != "warn" && inconclusive != "fail") {
      reader.fail(gates, "on_inconclusive", "\"warn\" or \"fail\"");
    }
    policy.inconclusive_fails = inconclusive == "fail";
    reader.finish();
  }
  if (!rules->is_array() || rules->as_array().empty()) {
    throw_input("{}:{}: gates: a list of rules is wanted", source.name,
                line_and_column(source.text, rules->offset()));
  }
  for (const Json& rule : rules->as_array()) {
    policy.rules.push_back(parse_rule(rule, source, fmt::format("gates[{}]", policy.rules.size())));
  }
  return policy;
}

GatePolicy default_policy() {
  GateRule margin;
  margin.margin = 0.01;
  GateRule unscored;
  unscored.kind = GateRule::Kind::kUnscored;
  return {{margin, unscored}, false};
}

}  // namespace assay::reports
