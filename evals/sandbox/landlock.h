// Landlock: a process gives up access to the file system but for what it names.
// Source: landlock(7), linux/landlock.h. Second wall in the full sandbox, the only one for files in
// the reduced one.
#pragma once

#include <string>
#include <vector>

namespace assay::evals {

/// Version of the kernel's interface; 0 where there is none.
int landlock_version();

struct LandlockRules {
  std::vector<std::string> read;     // folders and files: read, list, execute
  std::vector<std::string> devices;  // device files: read and write
  std::string scratch;               // everything but special files
};

/// From here on only this, for good, inherited by what is executed. Also no TCP and no signals out
/// of the domain where the kernel knows them. False with errno. REQUIRES: no_new_privs is set.
bool restrict_with_landlock(const LandlockRules& rules);

}  // namespace assay::evals
