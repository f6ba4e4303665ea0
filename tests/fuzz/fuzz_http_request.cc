// Any bytes as what a client sends to the server: a request within the limits, a refusal with a
// status, or a broken connection; whatever way the bytes of its head are cut.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <string>

#include "base/check.h"
#include "engine/server/request_reader.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/loopback.h"

namespace assay::fuzz {

std::vector<std::string> seeds() {
  return {
      "",
      "GET /metrics?x=1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Authorization: Bearer x\r\nContent-Length: 2\r\n\r\n{}GET / HTTP/1.1\r\n\r\n",
      "POST /v1/chat/completions HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: chunked\r\n\r\n"
      "2;a=b\r\n{}\r\n0\r\nTrailer: x\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n",
      "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "GET / HTTP/1.1\nHost: a\n\n",
  };
}

namespace {

namespace asio = boost::asio;
constexpr std::size_t kMostBody = 1000;

asio::awaitable<void> read_requests(asio::ip::tcp::socket& socket) {
  boost::beast::flat_buffer buffer;
  for (bool again = true; again;) {
    engine::RequestReader reader(kMostBody);
    const bool head = co_await reader.read_head(socket, buffer);
    ASSAY_CHECK(!(head && reader.fault()), "taken or refused");
    // Not within &&, of which GCC 12 makes a coroutine that never ends.
    bool body = false;
    if (head) body = co_await reader.read_body(socket, buffer);
    again = body && reader.keep_alive();
    if (const auto& fault = reader.fault()) {
      ASSAY_CHECK(fault->status >= 400 && fault->status < 600, "a status of a refusal");
      again = false;
    }
    if (!again) break;
    const engine::HttpRequest& request = reader.request();
    ASSAY_CHECK(request.path.starts_with('/') && request.path.size() <= 8192, "path");
    ASSAY_CHECK(request.body.size() <= kMostBody && reader.complete(), "body");
  }
}

/// Where the head ends, or -1; or the status of its refusal, negative. Byte by byte or at once.
long head_end(std::string_view bytes, std::size_t step) {
  engine::HeadScanner scanner;
  try {
    for (std::size_t known = step; known < bytes.size(); known += step) {
      if (const auto end = scanner.scan(bytes.substr(0, known))) return static_cast<long>(*end);
    }
    const auto end = scanner.scan(bytes);
    return end ? static_cast<long>(*end) : -1;
  } catch (const engine::ApiError& error) {
    return -error.status;
  }
}

}  // namespace
}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;  // NOLINT(google-build-using-namespace): one function
  const std::string text = fuzz::text_of(data, size);
  ASSAY_CHECK(fuzz::head_end(text, 1) == fuzz::head_end(text, size + 1), "pieces of a head");
  fuzz::asio::io_context io;
  fuzz::Loopback pair(io, text);
  auto done = fuzz::asio::co_spawn(io, fuzz::read_requests(pair.reader), fuzz::asio::use_future);
  io.run();
  done.get();
  return 0;
}
