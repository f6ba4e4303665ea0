// Archives made by hand, good and bad.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace assay::test {

using Members = std::vector<std::pair<std::string, std::string>>;  // path, content

/// `filter`: "" or "gzip". Paths are written as they are, also those that lead out of a folder.
std::string tar_bytes(const Members& members, const std::string& filter);
/// A tar with one symbolic link.
std::string link_tar_bytes(const std::string& path, const std::string& target);
/// `password`: "" for none.
std::string zip_bytes(const Members& members, const std::string& password);

}  // namespace assay::test
