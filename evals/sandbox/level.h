// How strongly a program is confined.
#pragma once

namespace assay::evals {

enum class SandboxLevel {
  kFull,     // own namespaces, system-call filter, resource limits
  kReduced,  // Landlock, system-call filter, resource limits; only where asked for
  kUnsafe,   // resource limits alone; only with --unsafe-exec
};

}  // namespace assay::evals
