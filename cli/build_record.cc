#include "cli/build_record.h"

#include "cli/version.h"

namespace assay::cli {

store::BuildRecord build_record() {
  return {.version = kVersion,
          .git_commit = git_commit(),
          .compiler = kCompiler,
          .flags = kCompilerFlags};
}

}  // namespace assay::cli
