#include "tests/fuzz/archive_bytes.h"

#include <archive.h>
#include <archive_entry.h>

#include "base/check.h"

namespace assay::test {

namespace {

la_ssize_t append(archive* /*writer*/, void* out, const void* data, std::size_t size) {
  static_cast<std::string*>(out)->append(static_cast<const char*>(data), size);
  return static_cast<la_ssize_t>(size);
}

void write_member(archive* writer, const std::string& path, const std::string& content,
                  const std::string& link) {
  archive_entry* entry = archive_entry_new();
  archive_entry_set_pathname(entry, path.c_str());
  archive_entry_set_filetype(entry, link.empty() ? AE_IFREG : AE_IFLNK);
  archive_entry_set_perm(entry, 0644);
  if (!link.empty()) archive_entry_set_symlink(entry, link.c_str());
  archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
  ASSAY_CHECK(archive_write_header(writer, entry) == ARCHIVE_OK, archive_error_string(writer));
  archive_write_data(writer, content.data(), content.size());
  archive_entry_free(entry);
}

std::string finished(archive* writer, std::string& out) {
  ASSAY_CHECK(archive_write_close(writer) == ARCHIVE_OK, archive_error_string(writer));
  archive_write_free(writer);
  return std::move(out);
}

}  // namespace

std::string tar_bytes(const Members& members, const std::string& filter) {
  std::string out;
  archive* writer = archive_write_new();
  archive_write_set_format_ustar(writer);
  if (filter == "gzip") archive_write_add_filter_gzip(writer);
  archive_write_open(writer, &out, nullptr, append, nullptr);
  for (const auto& [path, content] : members) write_member(writer, path, content, "");
  return finished(writer, out);
}

std::string link_tar_bytes(const std::string& path, const std::string& target) {
  std::string out;
  archive* writer = archive_write_new();
  archive_write_set_format_ustar(writer);
  archive_write_open(writer, &out, nullptr, append, nullptr);
  write_member(writer, path, "", target);
  return finished(writer, out);
}

std::string zip_bytes(const Members& members, const std::string& password) {
  std::string out;
  archive* writer = archive_write_new();
  archive_write_set_format_zip(writer);
  if (!password.empty()) {
    archive_write_set_options(writer, "zip:encryption=zipcrypt");
    archive_write_set_passphrase(writer, password.c_str());
  }
  archive_write_open(writer, &out, nullptr, append, nullptr);
  for (const auto& [path, content] : members) write_member(writer, path, content, "");
  return finished(writer, out);
}

}  // namespace assay::test
