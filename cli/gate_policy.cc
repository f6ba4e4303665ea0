#include "cli/gate_policy.h"

#include "base/error.h"
#include "base/file.h"

namespace assay::cli {

reports::GatePolicy gate_policy(const std::string& file, const Json& suite,
                                const std::string& suite_name) {
  if (!file.empty()) {
    const JsonSource source{file, read_file(file, std::uint64_t{16} << 20)};
    const Json document = parse_jsonc(source.text, source.name);
    const Json* gates = document.find("gates");
    if (gates == nullptr) throw_input("{}: no \"gates\" in it; see docs/gates.md", file);
    return reports::parse_policy(*gates, source);
  }
  const Json* gates = suite.find("gates");
  if (gates == nullptr || gates->is_null()) return reports::default_policy();
  return reports::parse_policy(*gates, {suite_name, suite.dump()});
}

}  // namespace assay::cli
