#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/digest.h"
#include "base/error.h"
#include "base/mapped_faults.h"
#include "base/text.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

/// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

std::string shown(const fs::path& path) { return escaped(path.string(), 400); }

/// Opens a regular file for reading; a pipe or device never blocks or is read.
std::pair<Descriptor, std::uint64_t> open_regular(const fs::path& path) {
  Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) throw_input("{}: cannot be opened: {}", shown(path), std::strerror(errno));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) {
    throw_input("{}: cannot be read: {}", shown(path), std::strerror(errno));
  }
  if (S_ISDIR(status.st_mode)) throw_input("{}: is a folder, a file was expected", shown(path));
  if (!S_ISREG(status.st_mode)) throw_input("{}: is not a regular file", shown(path));
  return {std::move(fd), static_cast<std::uint64_t>(status.st_size)};
}

template <typename Sink>
void read_pieces(const Descriptor& fd, const fs::path& path, const Sink& sink) {
  std::array<char, 1 << 16> buffer{};
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_input("{}: cannot be read: {}", shown(path), std::strerror(errno));
    if (got == 0) return;
    sink(std::string_view(buffer.data(), static_cast<std::size_t>(got)));
  }
}

void write_all(const Descriptor& fd, std::string_view content, const fs::path& path) {
  while (!content.empty()) {
    const ssize_t put = ::write(fd.get(), content.data(), content.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw_environment("{}: cannot be written: {}", shown(path), std::strerror(errno));
    content.remove_prefix(static_cast<std::size_t>(put));
  }
}

}  // namespace

std::string read_file(const fs::path& path, std::uint64_t max_bytes) {
  const auto [fd, size] = open_regular(path);
  std::string out;
  out.reserve(static_cast<std::size_t>(std::min(size, max_bytes)));
  read_pieces(fd, path, [&](std::string_view piece) {
    if (out.size() + piece.size() > max_bytes) {
      throw_input("{}: larger than the {} bytes accepted here", shown(path), max_bytes);
    }
    out += piece;
  });
  return out;
}

std::string read_file_gunzip(const fs::path& path, std::uint64_t max_bytes) {
  const std::string packed = read_file(path, max_bytes);
  if (packed.size() < 2 || packed[0] != '\x1f' || packed[1] != '\x8b') return packed;
  z_stream stream{};
  if (inflateInit2(&stream, 15 + 16) != Z_OK) throw_environment("zlib could not be set up");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string out;
  std::array<char, 1 << 16> buffer{};
  int code = Z_OK;
  while (code == Z_OK) {
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = static_cast<uInt>(buffer.size());
    code = inflate(&stream, Z_NO_FLUSH);
    out.append(buffer.data(), buffer.size() - stream.avail_out);
    if (out.size() > max_bytes) break;
    if (code == Z_STREAM_END && stream.avail_in > 0) code = inflateReset(&stream);  // next member
    if (code == Z_BUF_ERROR) break;
  }
  inflateEnd(&stream);
  if (out.size() > max_bytes) {
    throw_input("{}: decompresses to more than the {} bytes accepted here", shown(path), max_bytes);
  }
  if (code != Z_STREAM_END) throw_input("{}: corrupt or truncated gzip data", shown(path));
  return out;
}

void write_file_atomic(const fs::path& path, std::string_view content) {
  std::error_code ignored;
  const fs::file_status target = fs::status(path, ignored);
  if (fs::exists(target) && !fs::is_regular_file(target) && !fs::is_directory(target)) {
    // A device or a pipe: renaming a file over /dev/null would break the machine.
    const Descriptor fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (fd.get() < 0) {
      throw_environment("{}: cannot be written: {}", shown(path), std::strerror(errno));
    }
    write_all(fd, content, path);
    return;
  }
  fs::path temporary = path;
  temporary += fmt::format(".tmp{}", ::getpid());
  try {
    const Descriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (fd.get() < 0) {
      throw_environment("{}: cannot be written: {}", shown(path), std::strerror(errno));
    }
    write_all(fd, content, path);
    if (::fsync(fd.get()) != 0) {
      throw_environment("{}: cannot be flushed: {}", shown(path), std::strerror(errno));
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
      throw_environment("{}: cannot be replaced: {}", shown(path), std::strerror(errno));
    }
  } catch (const Error&) {
    ::unlink(temporary.c_str());
    throw;
  }
}

void flush_file(const fs::path& path) {
  const Descriptor fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd.get() < 0 || ::fsync(fd.get()) != 0) {
    throw_environment("{}: cannot be flushed: {}", shown(path), std::strerror(errno));
  }
}

std::string sha256_file(const fs::path& path) {
  const auto [fd, size] = open_regular(path);
  Sha256 digest;
  read_pieces(fd, path, [&](std::string_view piece) { digest.update(piece); });
  return digest.hex();
}

MappedFile::MappedFile(const fs::path& path) : path_(path) {
  const auto [fd, size] = open_regular(path);
  size_ = static_cast<std::size_t>(size);
  if (size_ == 0) return;
  void* mapped = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (mapped == MAP_FAILED) {
    if (errno == ENOMEM) throw_environment("{}: cannot be mapped: out of memory", shown(path));
    throw_input("{}: cannot be mapped: {}", shown(path), std::strerror(errno));
  }
  data_ = static_cast<const std::byte*>(mapped);
  watch_mapping(data_, size_, path.string());
}

MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
  forget_mapping(data_);
  ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::release_pages() const {
  if (data_ != nullptr) ::madvise(const_cast<std::byte*>(data_), size_, MADV_DONTNEED);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

}  // namespace assay
