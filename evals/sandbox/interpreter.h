// Which Python runs the programs, and what of the file system it needs to see.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace assay::evals {

struct Interpreter {
  std::string path;                  // of the executable, no symbolic links
  std::string version;               // "3.11.2"
  std::vector<std::string> folders;  // the standard library
  std::vector<std::string> files;    // executable, dynamic loader, shared libraries
  std::vector<std::pair<std::string, std::string>> links;  // path and target of symbolic links
};

/// Asks the interpreter itself, in a child with an environment made from nothing; takes about
/// 0.1 s. `wanted` "" looks for python3 in /usr/bin, /usr/local/bin and /bin.
/// Throws: Error(kEnvironment) when there is none, or it is no CPython 3.8 or newer.
Interpreter find_interpreter(const std::string& wanted);

}  // namespace assay::evals
