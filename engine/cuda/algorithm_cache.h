// Which algorithm of a library was the fastest for a product, kept in a file for later runs.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace assay::engine {

/// One line an entry: "KEY HEX". A line that cannot be read is skipped: the entry is found again.
/// Used by one thread; several processes may write the same file, the last one wins.
class AlgorithmCache {
 public:
  /// An empty path keeps nothing on disk.
  explicit AlgorithmCache(std::filesystem::path path);
  [[nodiscard]] std::optional<std::vector<unsigned char>> find(const std::string& key) const;
  /// Adds and writes the file, through a temporary one; a disk that refuses is not an error.
  void add(const std::string& key, const std::vector<unsigned char>& algorithm);

 private:
  std::filesystem::path path_;
  std::map<std::string, std::string> entries_;  // key without blanks -> hexadecimal
};

/// $XDG_CACHE_HOME/assay/NAME, else ~/.cache/assay/NAME; empty without a home.
std::filesystem::path cache_file(const std::string& name);

}  // namespace assay::engine
