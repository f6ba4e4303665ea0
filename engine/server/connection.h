// One client's connection: reads requests one after another, each wholly, and answers them.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/server/call.h"
#include "engine/server/http.h"
#include "engine/server/request_reader.h"
#include "engine/server/state.h"

namespace assay::engine {

/// Of the server's thread. Every wait on the client has a deadline, which the server checks.
class Connection {
 public:
  using Clock = std::chrono::steady_clock;

  /// `reserved`: one beyond the limit, which may only ask for health and metrics.
  Connection(ServerState& state, boost::asio::ip::tcp::socket socket, bool reserved);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  Connection(Connection&&) = delete;
  Connection& operator=(Connection&&) = delete;

  /// Until the connection is over.
  boost::asio::awaitable<void> run();
  /// Gives up whatever is waited for beyond its deadline.
  void check(Clock::time_point now);
  /// Ends the connection if no request is being read or answered; later ones are its last.
  void drain();
  /// Ends it now.
  void abort();

 private:
  /// Reads one request and answers it. False: the connection is of no more use.
  boost::asio::awaitable<bool> exchange();
  boost::asio::awaitable<bool> wait_for_bytes();
  /// What is to be said against a request by its header.
  std::optional<ApiError> refusal(const RequestReader& reader) const;
  boost::asio::awaitable<void> answer(const HttpRequest& request);
  boost::asio::awaitable<void> generate(const HttpRequest& request);
  boost::asio::awaitable<PreparedCall> prepare(const HttpRequest& request);
  boost::asio::awaitable<void> follow(Call& call, const PreparedCall& prepared);
  boost::asio::awaitable<void> follow_stream(Call& call, const PreparedCall& prepared,
                                             const ReplyContext& context);
  boost::asio::awaitable<void> follow_whole(Call& call, const PreparedCall& prepared,
                                            const ReplyContext& context);
  /// Returns when the client is gone.
  boost::asio::awaitable<void> watch();
  boost::asio::awaitable<bool> next_pieces(Call& call, std::vector<AnswerPart>& pieces);
  boost::asio::awaitable<void> reply(const HttpReply& reply);
  boost::asio::awaitable<void> write(std::string_view bytes);
  boost::asio::awaitable<void> linger();
  [[nodiscard]] std::string frame(std::string_view events, bool begins, bool ends) const;
  [[nodiscard]] ApiError failure(const Completion& completion) const;
  void count(int status);
  void count_tokens(const Completion& completion);
  void set_deadline(std::chrono::milliseconds from_now);

  ServerState& state_;
  boost::asio::ip::tcp::socket socket_;
  std::shared_ptr<boost::asio::steady_timer> bell_;  // rung when a call has pieces
  boost::beast::flat_buffer buffer_;                 // read, but not yet used
  bool reserved_;
  Clock::time_point deadline_ = Clock::time_point::max();
  bool overdue_ = false;  // the deadline passed
  bool idle_ = true;      // no request is being read or answered
  bool open_ = true;      // another request may follow
  bool gone_ = false;     // nothing more can be written
  bool aborted_ = false;  // the server ends it
  // Of the request being answered.
  bool head_only_ = false;    // HEAD
  bool old_version_ = false;  // HTTP/1.0
  std::string path_;          // a metric's label
  std::int64_t begun_ns_ = 0;
};

}  // namespace assay::engine
