// An OpenAI-compatible server that answers nothing of use at exactly known times: for the load
// generator's own accuracy and cost. One thread, no locks while it runs.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace assay::test {

/// When tokens are sent, in milliseconds after a request was read. The first two ids of a prompt
/// choose: the first token comes after first_ms + a % first_spread, each further one
/// gap_ms + b % gap_spread later.
struct StreamScript {
  std::int64_t first_ms = 20;
  std::int64_t first_spread = 50;
  std::int64_t gap_ms = 50;
  std::int64_t gap_spread = 50;
};

/// What the server did for one request; times of the monotonic clock.
struct StreamRecord {
  std::int64_t read_ns = 0;
  std::int64_t first_ms = 0;
  std::int64_t gap_ms = 0;
  std::vector<std::int64_t> written_ns;  // one a token, taken just before it was written
};

class StreamServer {
 public:
  /// Listens on a free port of 127.0.0.1.
  explicit StreamServer(const StreamScript& script);
  ~StreamServer();  // stops and joins
  StreamServer(const StreamServer&) = delete;
  StreamServer& operator=(const StreamServer&) = delete;
  StreamServer(StreamServer&&) = delete;
  StreamServer& operator=(StreamServer&&) = delete;

  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::string url() const {
    return "http://127.0.0.1:" + std::to_string(port_) + "/v1";
  }
  /// Serves on a thread of its own, or, with `here`, on the calling one until stop().
  void start();
  void serve();
  void stop();
  /// By the prompt's ids as written, "1,2,3"; after stop().
  [[nodiscard]] const std::map<std::string, StreamRecord>& records() const { return records_; }

 private:
  struct Connection;
  struct Token {
    std::uint64_t connection = 0;
    std::int64_t number = 0;
  };
  void accept_all();
  void read_from(Connection& connection);
  bool take_request(Connection& connection);
  void answer(Connection& connection, const std::string& head, const std::string& body);
  void begin_stream(Connection& connection, const std::string& body);
  void send_due();
  void send_token(Connection& connection, std::int64_t number);
  void arm_timer();
  void close(std::uint64_t id);

  StreamScript script_;
  int listener_ = -1;
  int epoll_ = -1;
  int timer_ = -1;
  int wake_ = -1;
  int port_ = 0;
  std::atomic<bool> stop_{false};
  std::thread thread_;
  std::uint64_t next_id_ = 16;  // smaller ones name the descriptors above
  std::map<std::uint64_t, std::unique_ptr<Connection>> connections_;
  std::multimap<std::int64_t, Token> due_;
  std::map<std::string, StreamRecord> records_;
};

}  // namespace assay::test
