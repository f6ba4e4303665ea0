// Files: reading with limits, mapping, and writing that never leaves half a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>

namespace assay {

/// The whole of a regular file. Throws: Error(kInput) naming the path and the reason when it is
/// missing, no regular file, unreadable, or larger than `max_bytes`.
std::string read_file(const std::filesystem::path& path,
                      std::uint64_t max_bytes = std::uint64_t{1} << 30);

/// A gzip file (or, when it has no gzip magic, the plain file) decompressed in memory.
/// Throws: Error(kInput) on truncated or corrupt data, or beyond `max_bytes` of content.
std::string read_file_gunzip(const std::filesystem::path& path,
                             std::uint64_t max_bytes = std::uint64_t{1} << 30);

/// Writes beside the target, flushes to disk, renames. A crash leaves the old or the new file. A
/// device or a pipe is written to as it is.
/// Throws: Error(kEnvironment) naming path and reason.
void write_file_atomic(const std::filesystem::path& path, std::string_view content);

/// Returns once what was written to the file is on disk. Throws: Error(kEnvironment).
void flush_file(const std::filesystem::path& path);

/// SHA-256 of a file's bytes, read in pieces.
std::string sha256_file(const std::filesystem::path& path);

/// A regular file mapped read-only. If another process cuts it short, reading the lost part ends
/// this process with exit code 2 and a line that names the file.
class MappedFile {
 public:
  /// Throws: Error(kInput) when it cannot be opened or mapped.
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  [[nodiscard]] std::span<const std::byte> bytes() const { return {data_, size_}; }
  [[nodiscard]] std::string_view text() const {
    return {reinterpret_cast<const char*>(data_), size_};
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// Drops the pages read so far from this process's memory; reading maps them again.
  void release_pages() const;

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace assay
