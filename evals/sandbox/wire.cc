#include "evals/sandbox/wire.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace assay::evals {
namespace {

void append_length(std::string& out, std::size_t size) {
  for (int shift = 0; shift < 32; shift += 8) {
    out.push_back(static_cast<char>((size >> shift) & 0xff));
  }
}

std::size_t length_at(std::string_view bytes) {
  std::size_t size = 0;
  for (int i = 0; i < 4; ++i) {
    size |= static_cast<std::size_t>(static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]))
            << (8 * i);
  }
  return size;
}

}  // namespace

std::string pack_fields(const std::vector<std::string_view>& fields) {
  std::string out;
  for (const std::string_view field : fields) {
    append_length(out, field.size());
    out += field;
  }
  return out;
}

std::optional<std::vector<std::string>> unpack_fields(std::string_view bytes) {
  std::vector<std::string> fields;
  while (!bytes.empty()) {
    if (bytes.size() < 4) return std::nullopt;
    const std::size_t size = length_at(bytes);
    bytes.remove_prefix(4);
    if (size > bytes.size()) return std::nullopt;
    fields.emplace_back(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
  return fields;
}

std::optional<std::string> take_message(std::string_view buffer, std::size_t limit,
                                        bool& oversized) {
  oversized = false;
  if (buffer.size() < 4) return std::nullopt;
  const std::size_t size = length_at(buffer);
  oversized = size > limit;
  if (oversized || buffer.size() - 4 < size) return std::nullopt;
  return std::string(buffer.substr(4, size));
}

std::string frame_message(std::string_view body) {
  std::string out;
  append_length(out, body.size());
  out += body;
  return out;
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool read_exactly(int fd, std::size_t size, std::string& out) {
  out.resize(size);
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count = read(fd, out.data() + done, size - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    done += static_cast<std::size_t>(count);
  }
  return true;
}

std::optional<std::string> read_message(int fd, std::size_t limit) {
  std::string head;
  if (!read_exactly(fd, 4, head)) return std::nullopt;
  const std::size_t size = length_at(head);
  std::string body;
  if (size > limit || !read_exactly(fd, size, body)) return std::nullopt;
  return body;
}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

int FileDescriptor::release() { return std::exchange(fd_, -1); }

void FileDescriptor::reset() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

}  // namespace assay::evals
