// What the processes of a job send each other over TCP. Before they know each other: small JSON
// documents. Afterwards: frames, whose length the reader knows or bounds beforehand.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "base/json.h"

namespace assay::engine {

namespace asio = boost::asio;
using Socket = asio::ip::tcp::socket;

/// At most 4 KiB. The reader throws boost::system::system_error when the connection ends, and
/// Error(kEnvironment) for anything but such a document.
asio::awaitable<void> send_document(Socket& socket, const Json& document);
asio::awaitable<Json> receive_document(Socket& socket);

enum class FrameKind : std::uint32_t {
  kData = 1,  // of a collective
  kText,      // a message of the layer above
  kFailure,   // why a rank other than 0 cannot go on
  kEnd,       // rank 0 has ended: exit code in decimal digits, a blank, why
  kBye,       // the answer to it
};

/// One framed connection; frames are numbered in both directions. `name` stands in errors.
class Link {
 public:
  Link(Socket connected, std::string name);

  asio::awaitable<void> send(FrameKind kind, asio::const_buffer content);
  /// The next frame is data of this length. Throws: Error(kEnvironment) with the other's reason for
  /// a failure, GroupEnded for an end, which is answered; Error(kEnvironment) for anything else.
  asio::awaitable<void> receive_data(asio::mutable_buffer to);
  /// The next frame is text. Errors as above.
  asio::awaitable<std::string> receive_text();
  /// Reads and drops everything up to kBye.
  asio::awaitable<void> receive_bye();

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Socket& socket() { return socket_; }

 private:
  struct Header {
    std::uint32_t kind = 0;
    std::uint32_t number = 0;
    std::uint64_t bytes = 0;
  };
  asio::awaitable<Header> receive_header();
  asio::awaitable<std::string> receive_content(Header header);
  /// What a frame of another kind means. Throws always.
  asio::awaitable<void> refuse(Header header);

  Socket socket_;
  std::string name_;
  std::uint32_t sent_ = 0;
  std::uint32_t received_ = 0;
};

/// Closes a socket when it has not been destroyed within `limit`.
class Deadline {
 public:
  Deadline(Socket& socket, std::chrono::milliseconds limit);
  ~Deadline();
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
  Deadline(Deadline&&) = delete;
  Deadline& operator=(Deadline&&) = delete;

 private:
  struct Timer;
  std::shared_ptr<Timer> timer_;
};

}  // namespace assay::engine
