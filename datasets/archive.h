// Members of zip and tar archives, read in memory: nothing is unpacked to disk, so a member's path
// can leave no folder. libarchive sits behind this header.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace assay::datasets {

struct ArchiveMember {
  std::string path;
  std::string content;
};

/// One member of a zip, decrypted with `password` if that is not "". `source` names the archive in
/// errors.
/// Throws: Error(kInput) for a damaged archive, a missing member, a wrong or missing password, a
/// checksum that fails, or content beyond the limits.
std::string read_zip_member(std::string_view bytes, std::string_view source,
                            std::string_view member, std::string_view password);

/// The regular files of a plain tar whose path begins with `prefix`, sorted by path.
/// Throws: Error(kInput) for a damaged archive, absolute paths or "..", links, special files, two
/// members of one path, or content beyond the limits.
std::vector<ArchiveMember> read_tar(std::string_view bytes, std::string_view source,
                                    std::string_view prefix);

/// The regular files of a zip or a (plain or gzip) tar whose path, with "/" before it, ends in one
/// of `endings`; the same rules.
std::vector<ArchiveMember> read_archive_members(std::string_view bytes, std::string_view source,
                                                const std::vector<std::string>& endings);

}  // namespace assay::datasets
