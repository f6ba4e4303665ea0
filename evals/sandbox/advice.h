// Why a machine allows no sandbox, and what to do about it: from what the kernel shows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace assay::evals {

/// Settings that can forbid a process without rights its own namespaces; none: the kernel has no
/// such setting.
struct NamespaceSettings {
  std::optional<std::int64_t> max_user_namespaces;  // user.max_user_namespaces
  std::optional<std::int64_t> unprivileged_clone;   // kernel.unprivileged_userns_clone (Debian)
  std::optional<std::int64_t> apparmor_restricts;   // kernel.apparmor_restrict_unprivileged_userns
  bool filtered = false;                            // a system-call filter is on this process
  int landlock = 0;                                 // version; 0: none
};

NamespaceSettings read_namespace_settings();

/// What is missing and how to get it, as the second half of a sentence. Pure.
std::string sandbox_advice(const NamespaceSettings& settings);

}  // namespace assay::evals
