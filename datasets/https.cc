#include "datasets/https.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <cerrno>
#include <cstring>
#include <exception>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "base/tls.h"
#include "base/url.h"

namespace assay::datasets {
namespace {

namespace fs = std::filesystem;
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using Stream = asio::ssl::stream<beast::tcp_stream>;
using Parser = http::response_parser<http::buffer_body>;

constexpr int kMaxRedirects = 5;
constexpr std::uint32_t kMaxHeaderBytes = 64 << 10;
constexpr std::size_t kMaxUrlBytes = 4096;  // as base/url.h has it
constexpr std::chrono::milliseconds kLongestWait{30'000};
constexpr std::int64_t kLongestRetryAfterSeconds = 120;

/// Throws: Error(kInput) for anything but a plain https address without credentials.
Url parse_https(const std::string& text) {
  if (text.rfind("https://", 0) != 0) {
    throw_input("{}: only https addresses are fetched", escaped(text));
  }
  Url url = parse_url(text);
  if (!url.credentials.empty()) throw_input("{}: is no plain address", escaped(url.shown()));
  return url;
}

/// The side file, locked and open for appending, with the tag of the server's version of it.
class SideFile {
 public:
  explicit SideFile(fs::path path) : path_(std::move(path)) {
    constexpr int kFlags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
    fd_ = ::open(path_.c_str(), kFlags, 0644);
    if (fd_ < 0) fail("cannot be written");
    struct stat status {};
    if (::flock(fd_, LOCK_EX | LOCK_NB) != 0 || ::fstat(fd_, &status) != 0 ||
        !S_ISREG(status.st_mode)) {
      ::close(fd_);
      throw_environment("{}: is in use by another download", shown());
    }
    size_ = static_cast<std::uint64_t>(status.st_size);
    ::lseek(fd_, 0, SEEK_END);
  }
  ~SideFile() { ::close(fd_); }
  SideFile(const SideFile&) = delete;
  SideFile& operator=(const SideFile&) = delete;

  [[nodiscard]] std::uint64_t size() const { return size_; }

  void append(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t put = ::write(fd_, bytes.data(), bytes.size());
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) fail("cannot be written");
      size_ += static_cast<std::uint64_t>(put);
      bytes.remove_prefix(static_cast<std::size_t>(put));
    }
  }

  /// Empties the file; what comes next is the version `tag` of `url`.
  void restart(const std::string& url, const std::string& tag) {
    if (::ftruncate(fd_, 0) != 0 || ::lseek(fd_, 0, SEEK_SET) != 0) fail("cannot be emptied");
    size_ = 0;
    write_file_atomic(tag_path(), url + "\n" + tag);
  }

  void flush() const {
    if (::fsync(fd_) != 0) fail("cannot be flushed");
  }

  /// The tag under which the present bytes of `url` came, or "".
  [[nodiscard]] std::string tag(const std::string& url) const {
    std::error_code ignored;
    if (size_ == 0 || !fs::exists(tag_path(), ignored)) return "";
    const std::string text = read_file(tag_path(), kMaxHeaderBytes + kMaxUrlBytes);
    return text.rfind(url + "\n", 0) == 0 ? text.substr(url.size() + 1) : "";
  }

 private:
  [[nodiscard]] fs::path tag_path() const { return path_.string() + ".tag"; }
  [[nodiscard]] std::string shown() const { return escaped(path_.string(), 400); }
  [[noreturn]] void fail(std::string_view what) const {
    throw_environment("{}: {}: {}", shown(), what, std::strerror(errno));
  }

  fs::path path_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
};

/// What one exchange came to; a fault that no repetition mends is thrown instead.
struct Outcome {
  enum class Kind { kDone, kRedirect, kRetry };
  Kind kind = Kind::kRetry;
  std::string text;  // where to, or why
  std::chrono::milliseconds wait{0};
};

Outcome retry(std::string reason, std::chrono::milliseconds wait = {}) {
  return {.kind = Outcome::Kind::kRetry, .text = std::move(reason), .wait = wait};
}

bool is_strong_tag(std::string_view tag) { return tag.size() > 2 && tag.front() == '"'; }

/// "bytes 5-9/10": begins at `start` and ends with the file, or "bytes */10" with `start` = 10.
bool range_fits(std::string_view range, std::uint64_t start) {
  if (range.rfind("bytes ", 0) != 0) return false;
  range.remove_prefix(6);
  const std::size_t slash = range.find('/');
  if (slash == std::string_view::npos) return false;
  const auto total = parse_int(range.substr(slash + 1));
  const std::string_view part = range.substr(0, slash);
  if (!total) return false;
  if (part == "*") return static_cast<std::uint64_t>(*total) == start;
  const std::size_t dash = part.find('-');
  if (dash == std::string_view::npos) return false;
  const auto first = parse_int(part.substr(0, dash));
  const auto last = parse_int(part.substr(dash + 1));
  return first && last && *first >= 0 && static_cast<std::uint64_t>(*first) == start &&
         *last + 1 == *total;
}

class Download {
 public:
  Download(std::string url, const fs::path& side_file, const HttpsOptions& options)
      : url_(std::move(url)),
        options_(options),
        file_(side_file),
        context_(asio::ssl::context::tls_client) {
    verify_peers(context_.native_handle(), options.ca_file);
  }

  void run() {
    std::string url = url_;
    std::chrono::milliseconds wait = options_.first_wait;
    for (int attempt = 1, redirects = 0;;) {
      const Outcome outcome = exchange_once(url);
      if (outcome.kind == Outcome::Kind::kDone) break;
      if (outcome.kind == Outcome::Kind::kRedirect) {
        if (++redirects > kMaxRedirects) throw_environment("{}: too many redirects", shown());
        url = outcome.text;
        continue;
      }
      if (attempt++ >= options_.attempts) {
        throw_environment("{}: {} ({} attempts); run the same command again to go on", shown(),
                          outcome.text, options_.attempts);
      }
      std::this_thread::sleep_for(std::max(wait, outcome.wait));
      wait = std::min(wait * 2, kLongestWait);
      url = url_;
      redirects = 0;
    }
    file_.flush();
  }

 private:
  [[nodiscard]] std::string shown() const { return escaped(url_, 400); }

  Outcome exchange_once(const std::string& url) {
    asio::io_context io;
    Outcome outcome;
    std::exception_ptr fault;
    asio::co_spawn(io, exchange(parse_https(url)), [&](std::exception_ptr thrown, Outcome value) {
      fault = thrown;
      outcome = std::move(value);
    });
    io.run();
    try {
      if (fault) std::rethrow_exception(fault);
    } catch (const boost::system::system_error& error) {
      return retry(error.code().message());
    }
    return outcome;
  }

  asio::awaitable<Outcome> exchange(Url url) {
    Stream stream(co_await asio::this_coro::executor, context_);
    co_await connect(stream, url);
    const std::string tag = file_.tag(url_);
    const bool resume = is_strong_tag(tag);
    http::request<http::empty_body> request(http::verb::get, url.target, 11);
    request.set(http::field::host, url.authority());
    request.set(http::field::user_agent, "assay");
    request.set(http::field::accept_encoding, "identity");
    request.set(http::field::connection, "close");
    if (resume) {
      request.set(http::field::range, fmt::format("bytes={}-", file_.size()));
      request.set(http::field::if_range, tag);
    }
    beast::get_lowest_layer(stream).expires_after(options_.timeout);
    co_await http::async_write(stream, request, asio::use_awaitable);
    beast::flat_buffer buffer(2 * kMaxHeaderBytes);
    Parser parser;
    parser.header_limit(kMaxHeaderBytes);
    parser.body_limit(boost::none);  // counted in read_body
    co_await http::async_read_header(stream, buffer, parser, asio::use_awaitable);
    if (const auto early = judge_header(parser.get(), url, resume)) co_return *early;
    co_return co_await read_body(stream, buffer, parser);
  }

  asio::awaitable<void> connect(Stream& stream, const Url& url) {
    expect_host(stream.native_handle(), url.host);
    tcp::resolver resolver(stream.get_executor());
    const auto endpoints = co_await resolver.async_resolve(url.host, url.port, asio::use_awaitable);
    beast::get_lowest_layer(stream).expires_after(options_.timeout);
    co_await beast::get_lowest_layer(stream).async_connect(endpoints, asio::use_awaitable);
    const auto [error] = co_await stream.async_handshake(asio::ssl::stream_base::client,
                                                         asio::as_tuple(asio::use_awaitable));
    const std::string failure = error ? verify_failure(stream.native_handle()) : "";
    if (!failure.empty()) {
      throw_environment("{}: the certificate of {} does not verify: {}", shown(), escaped(url.host),
                        failure);
    }
    if (error) throw boost::system::system_error(error);
  }

  /// What ends the exchange at its header; nothing when a body is to be read into the side file.
  template <typename Message>
  std::optional<Outcome> judge_header(const Message& reply, const Url& url, bool resume) {
    const unsigned status = reply.result_int();
    const std::string range(reply[http::field::content_range]);
    if (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) {
      return redirect(std::string(reply[http::field::location]), url);
    }
    if (status == 408 || status == 425 || status == 429 || status >= 500) {
      const auto seconds = parse_int(std::string(reply[http::field::retry_after]));
      const std::int64_t wait = seconds.value_or(0);
      if (wait > kLongestRetryAfterSeconds) {
        throw_environment("{}: the server asks to come back in {} s", shown(), wait);
      }
      return retry(fmt::format("the server answered {}", status),
                   std::chrono::seconds(std::max<std::int64_t>(wait, 0)));
    }
    if (status == 416 && resume) {
      if (range_fits(range, file_.size())) return Outcome{.kind = Outcome::Kind::kDone};
      file_.restart(url_, "");
      return retry("the server's file has changed");
    }
    if (status == 206 && resume && !range_fits(range, file_.size())) {
      file_.restart(url_, "");
      return retry("the server sent another part than was asked for");
    }
    if (status != 200 && !(status == 206 && resume)) {
      throw_environment("{}: the server answered {}", shown(), status);
    }
    const std::string encoding(reply[http::field::content_encoding]);
    if (!encoding.empty() && encoding != "identity") {
      throw_environment("{}: the server compresses ({}) what was asked for as it is", shown(),
                        escaped(encoding));
    }
    if (status == 200) {
      const std::string tag(reply[http::field::etag]);
      file_.restart(url_, is_strong_tag(tag) ? tag : "");
    }
    return std::nullopt;
  }

  Outcome redirect(std::string location, const Url& from) const {
    if (location.rfind('/', 0) == 0 && location.rfind("//", 0) != 0) {
      location = "https://" + from.authority() + location;
    }
    if (location.rfind("https://", 0) != 0) {
      throw_environment("{}: the server redirects to \"{}\", which is not https; not followed",
                        shown(), escaped(location));
    }
    return {.kind = Outcome::Kind::kRedirect, .text = std::move(location)};
  }

  asio::awaitable<Outcome> read_body(Stream& stream, beast::flat_buffer& buffer, Parser& parser) {
    const std::uint64_t rest = parser.content_length_remaining().value_or(0);
    const std::uint64_t total = rest == 0 ? 0 : file_.size() + rest;
    check_size(total);
    std::array<char, 1 << 16> piece{};
    while (!parser.is_done()) {
      auto& body = parser.get().body();
      body.data = piece.data();
      body.size = piece.size();
      body.more = true;
      beast::get_lowest_layer(stream).expires_after(options_.timeout);
      const auto [error, bytes] = co_await http::async_read_some(
          stream, buffer, parser, asio::as_tuple(asio::use_awaitable));
      file_.append({piece.data(), piece.size() - parser.get().body().size});
      check_size(file_.size());
      if (options_.progress) options_.progress(file_.size(), total);
      if (error && error != http::error::need_buffer) {
        co_return retry("the connection was cut: " + error.message());
      }
    }
    co_return Outcome{.kind = Outcome::Kind::kDone};
  }

  void check_size(std::uint64_t bytes) const {
    if (bytes > options_.max_bytes) {
      throw_input("{}: is larger than the {} bytes accepted here", shown(), options_.max_bytes);
    }
  }

  std::string url_;
  const HttpsOptions& options_;
  SideFile file_;
  asio::ssl::context context_;
};

}  // namespace

void download(const std::string& url, const fs::path& side_file, const HttpsOptions& options) {
  (void)parse_https(url);
  try {
    Download(url, side_file, options).run();
  } catch (const Error&) {
    std::error_code unknown;  // a file that is not there has no size and is left alone
    if (fs::file_size(side_file, unknown) == 0) discard_download(side_file);
    throw;
  }
}

void discard_download(const fs::path& side_file) {
  std::error_code ignored;
  fs::remove(side_file, ignored);
  fs::remove(side_file.string() + ".tag", ignored);
}

}  // namespace assay::datasets
