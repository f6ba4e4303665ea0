#include "datasets/archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>

#include "base/error.h"
#include "base/text.h"
#include "datasets/limits.h"

namespace assay::datasets {
namespace {

struct CloseArchive {
  void operator()(archive* reader) const { archive_read_free(reader); }
};
using Reader = std::unique_ptr<archive, CloseArchive>;

/// What libarchive says, as one line.
std::string reason_of(archive* reader) {
  const char* text = archive_error_string(reader);
  return text == nullptr ? "unknown fault" : escaped(text);
}

void open_bytes(archive* reader, std::string_view bytes, std::string_view source) {
  if (archive_read_open_memory(reader, bytes.data(), bytes.size()) != ARCHIVE_OK) {
    throw_input("{}: is no readable archive: {}", source, reason_of(reader));
  }
}

bool leaves_folder(std::string_view path) {
  const auto parts = split(path, '/');
  return path.empty() || path.front() == '/' ||
         std::find(parts.begin(), parts.end(), "..") != parts.end();
}

/// A member's content. Throws for damage, a failed checksum or decryption, and beyond the limits.
std::string read_content(archive* reader, std::uint64_t packed, std::string_view place) {
  std::string content;
  std::array<char, 1 << 16> buffer{};
  for (;;) {
    const la_ssize_t got = archive_read_data(reader, buffer.data(), buffer.size());
    if (got == 0) return content;
    if (got < 0) throw_input("{}: cannot be read: {}", place, reason_of(reader));
    content.append(buffer.data(), static_cast<std::size_t>(got));
    if (content.size() > kMaxContentBytes || is_suspicious_ratio(content.size(), packed)) {
      throw_input("{}: unpacks to more than is accepted here ({} bytes out of {})", place,
                  content.size(), packed);
    }
  }
}

/// Calls `visit(path, entry)` for each member until it returns false.
void walk(archive* reader, std::string_view source,
          const std::function<bool(const std::string&, archive_entry*)>& visit) {
  for (std::uint64_t members = 0;; ++members) {
    archive_entry* entry = nullptr;
    const int code = archive_read_next_header(reader, &entry);
    if (code == ARCHIVE_EOF) return;
    if (code != ARCHIVE_OK) {
      throw_input("{}: damaged or truncated archive: {}", source, reason_of(reader));
    }
    if (members >= kMaxArchiveMembers) {
      throw_input("{}: more than {} members", source, kMaxArchiveMembers);
    }
    const char* name = archive_entry_pathname(entry);
    const std::string path = name == nullptr ? "" : name;
    if (leaves_folder(path)) {
      throw_input("{}: member \"{}\" has a path that leaves the archive's folder", source,
                  escaped(path));
    }
    if (!visit(path, entry)) return;
  }
}

/// Whether the member is a regular file. Throws for links and special files.
bool is_regular(archive_entry* entry, const std::string& path, std::string_view source) {
  if (archive_entry_hardlink(entry) != nullptr ||
      (archive_entry_filetype(entry) != AE_IFREG && archive_entry_filetype(entry) != AE_IFDIR)) {
    throw_input("{}: member \"{}\" is a link or special file", source, escaped(path));
  }
  return archive_entry_filetype(entry) == AE_IFREG;
}

std::string place_of(std::string_view source, std::string_view path) {
  return fmt::format("{}:{}", source, escaped(path));
}

/// Reads the members that `wanted` picks, with a limit on all of them together.
std::vector<ArchiveMember> read_members(archive* reader, std::string_view source,
                                        std::uint64_t packed,
                                        const std::function<bool(const std::string&)>& wanted) {
  std::vector<ArchiveMember> members;
  std::uint64_t total = 0;
  walk(reader, source, [&](const std::string& path, archive_entry* entry) {
    if (!wanted(path) || !is_regular(entry, path, source)) return true;
    members.push_back({path, read_content(reader, packed, place_of(source, path))});
    total += members.back().content.size();
    if (total > kMaxContentBytes || is_suspicious_ratio(total, packed)) {
      throw_input("{}: unpacks to more than is accepted here", source);
    }
    return true;
  });
  std::sort(members.begin(), members.end(),
            [](const ArchiveMember& a, const ArchiveMember& b) { return a.path < b.path; });
  for (std::size_t i = 1; i < members.size(); ++i) {
    if (members[i].path == members[i - 1].path) {
      throw_input("{}: has two members named \"{}\"", source, escaped(members[i].path));
    }
  }
  return members;
}

}  // namespace

std::string read_zip_member(std::string_view bytes, std::string_view source,
                            std::string_view member, std::string_view password) {
  const Reader reader(archive_read_new());
  archive_read_support_format_zip_seekable(reader.get());
  const std::string secret(password);
  if (!secret.empty()) archive_read_add_passphrase(reader.get(), secret.c_str());
  open_bytes(reader.get(), bytes, source);
  bool found = false;
  std::string content;
  walk(reader.get(), source, [&](const std::string& path, archive_entry* entry) {
    if (path != member) return true;
    const std::string place = place_of(source, path);
    if (!is_regular(entry, path, source)) throw_input("{}: is a folder", place);
    found = true;
    if (archive_entry_is_data_encrypted(entry) != 0 && secret.empty()) {
      throw_input("{}: is encrypted and no password is known", place);
    }
    try {
      content = read_content(reader.get(), bytes.size(), place);
    } catch (const Error& error) {
      // A wrong password passes the one-byte check of old zip encryption once in 256 times and
      // then fails as damaged data.
      if (archive_entry_is_data_encrypted(entry) == 0) throw;
      throw_input("{} (wrong password or damaged archive)", error.what());
    }
    return false;
  });
  if (!found) throw_input("{}: has no member \"{}\"", source, escaped(member));
  return content;
}

std::vector<ArchiveMember> read_tar(std::string_view bytes, std::string_view source,
                                    std::string_view prefix) {
  const Reader reader(archive_read_new());
  archive_read_support_format_tar(reader.get());
  open_bytes(reader.get(), bytes, source);
  return read_members(reader.get(), source, bytes.size(), [&](const std::string& path) {
    return path.compare(0, prefix.size(), prefix) == 0;
  });
}

std::vector<ArchiveMember> read_archive_members(std::string_view bytes, std::string_view source,
                                                const std::vector<std::string>& endings) {
  const Reader reader(archive_read_new());
  archive_read_support_format_zip_seekable(reader.get());
  archive_read_support_format_tar(reader.get());
  archive_read_support_filter_gzip(reader.get());
  open_bytes(reader.get(), bytes, source);
  return read_members(reader.get(), source, bytes.size(), [&](const std::string& path) {
    const std::string rooted = "/" + path;
    return std::any_of(endings.begin(), endings.end(), [&](const std::string& ending) {
      return rooted.size() >= ending.size() &&
             rooted.compare(rooted.size() - ending.size(), ending.size(), ending) == 0;
    });
  });
}

}  // namespace assay::datasets
