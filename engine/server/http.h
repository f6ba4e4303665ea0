// HTTP requests and replies as values: what routes work on. Sockets are engine/server/connection.*.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace assay::engine {

/// A request whose header was read; of the fields only those that anything depends on.
struct HttpRequest {
  std::string method;
  std::string path;           // of the target, without the query
  std::string host;           // "" where there is none
  std::string content_type;   // lower case
  std::string authorization;  // as sent
  std::string body;
};

struct HttpReply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  // beside type and length
};

/// Why a request is not answered, in the terms of OpenAI's error objects.
class ApiError : public std::runtime_error {
 public:
  ApiError(int status_code, const std::string& message, std::string parameter = "",
           std::string error_code = "")
      : std::runtime_error(message),
        status(status_code),
        param(std::move(parameter)),
        code(std::move(error_code)) {}

  int status;
  std::string param;  // the field that is at fault; "" for none
  std::string code;   // "" for none
  int retry_after_s = 0;
  std::vector<std::pair<std::string, std::string>> headers;
};

/// {"error": {"message", "type", "param", "code"}}
std::string error_json(const ApiError& error);
HttpReply error_reply(const ApiError& error);

/// "Bad Request" and so on; "Unknown" for a status that this server never sends.
std::string_view status_text(int status);

}  // namespace assay::engine
