// Fields of bytes with their lengths: what crosses between the program, the spawner of sandboxes
// and the confined interpreters. A message is a 32-bit length and that many bytes of fields.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay::evals {

constexpr std::size_t kMaxMessageBytes = std::size_t{8} << 20;

/// Each field as a 32-bit little-endian length and its bytes.
std::string pack_fields(const std::vector<std::string_view>& fields);
/// The fields, or nothing when the bytes are not exactly a sequence of them.
std::optional<std::vector<std::string>> unpack_fields(std::string_view bytes);

/// The body of the first message in `buffer`, or nothing while it is incomplete. `oversized` is
/// set when it announces more than `limit` bytes.
std::optional<std::string> take_message(std::string_view buffer, std::size_t limit,
                                        bool& oversized);
/// `body` with its length in front.
std::string frame_message(std::string_view body);

/// Writes or reads everything on a blocking descriptor, over interruptions. False on end of
/// stream or error.
bool write_all(int fd, std::string_view bytes);
bool read_exactly(int fd, std::size_t size, std::string& out);
/// One framed message from a blocking descriptor.
std::optional<std::string> read_message(int fd, std::size_t limit);

/// Closes a descriptor at the end of its scope.
class FileDescriptor {
 public:
  FileDescriptor() = default;
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() { reset(); }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;

  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }
  int release();
  void reset();

 private:
  int fd_ = -1;
};

}  // namespace assay::evals
