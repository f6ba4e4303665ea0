// A server on a free port in a thread of the test.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/json.h"
#include "engine/server/server.h"
#include "tests/support/http_client.h"

namespace assay::test {

class RunningServer {
 public:
  explicit RunningServer(engine::Session& session, engine::ServerOptions options = {},
                         std::vector<engine::PageRoute> pages = {})
      : server_(session, on_free_port(std::move(options)), std::move(pages)), thread_([this] {
          try {
            result = server_.run(false);
          } catch (const std::exception& caught) {
            error = caught.what();
          }
        }) {}
  ~RunningServer() { stop(); }
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;
  RunningServer(RunningServer&&) = delete;
  RunningServer& operator=(RunningServer&&) = delete;

  std::uint16_t port() const { return port_; }
  void begin_stop() { server_.stop(); }
  void join() {
    if (thread_.joinable()) thread_.join();
  }
  void stop() {
    if (!thread_.joinable()) return;
    server_.stop();
    thread_.join();
  }
  /// One exchange on a connection of its own.
  RawReply ask(const std::string& request) const {
    RawClient client(port_);
    client.send(request);
    return client.reply();
  }
  Json ask_json(std::string_view path, std::string_view body) const {
    const RawReply reply = ask(post(path, body));
    EXPECT_EQ(reply.status, 200) << reply.body;
    return parse_json(reply.body, "reply");
  }

  int result = -1;
  std::string error;

 private:
  static engine::ServerOptions on_free_port(engine::ServerOptions options) {
    options.port = 0;
    return options;
  }

  engine::Server server_;
  std::uint16_t port_ = server_.port();
  std::thread thread_;
};

/// The JSON of each event of a stream, without the [DONE] that must end it.
inline std::vector<Json> events_of(const std::string& body) {
  std::vector<Json> out;
  bool done = false;
  for (const std::string_view event : split(std::string_view(body), "\n\n")) {
    if (event.empty()) continue;
    EXPECT_FALSE(done);
    EXPECT_TRUE(event.starts_with("data: ")) << event;
    done = event == "data: [DONE]";
    if (!done) out.push_back(parse_json(event.substr(6), "event"));
  }
  EXPECT_TRUE(done);
  return out;
}

}  // namespace assay::test
