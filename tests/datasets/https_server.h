// A small HTTPS server for tests: scripted answers, cut connections, a certificate made on the
// spot.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace assay::test {

struct HttpRequest {
  std::string target;
  std::map<std::string, std::string> headers;  // names in lower case
};

struct HttpAnswer {
  int status = 200;
  std::map<std::string, std::string> headers;
  std::string body;
  std::size_t cut_after = static_cast<std::size_t>(-1);  // bytes of the body sent before the cut
};

/// Serves one connection after the other, one request each, on a free port of the loopback address.
class HttpsServer {
 public:
  using Handler = std::function<HttpAnswer(const HttpRequest&)>;
  /// Makes a self-signed certificate for `name` in `folder` with the openssl program.
  HttpsServer(const std::filesystem::path& folder, const std::string& name, Handler handler);
  ~HttpsServer();
  HttpsServer(const HttpsServer&) = delete;
  HttpsServer& operator=(const HttpsServer&) = delete;

  /// "https://localhost:PORT" + target.
  [[nodiscard]] std::string url(const std::string& target) const;
  /// The certificate, which is its own root.
  [[nodiscard]] std::string ca_file() const;
  /// What was asked so far; to be called when no exchange is under way.
  [[nodiscard]] const std::vector<HttpRequest>& requests() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay::test
