#include "engine/generators/http/event_stream.h"

#include <fmt/format.h>

#include "engine/generators/http/fault.h"

namespace assay::engine {
namespace {

/// Where the first line ends, at LF or CR; npos when it does not.
std::size_t line_end(std::string_view bytes) {
  const std::size_t feed = bytes.find('\n');
  const std::size_t carriage = bytes.substr(0, feed).find('\r');  // nearly never there
  return carriage == std::string_view::npos ? feed : carriage;
}

}  // namespace

void EventStream::take_line(std::string_view line, const Handler& handler) {
  if (first_line_ && line.starts_with("\xef\xbb\xbf")) line.remove_prefix(3);
  first_line_ = false;
  if (line.empty()) {
    if (has_data_) {
      has_data_ = false;
      std::string data;
      data.swap(data_);
      handler(data);
      data.clear();
      if (data_.empty()) data_.swap(data);  // keeps its memory
    }
    return;
  }
  const std::size_t colon = line.find(':');
  if (line.substr(0, colon) != "data") return;  // comments, names, ids, retry times
  std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (has_data_) data_ += '\n';
  data_ += value;
  has_data_ = true;
}

void EventStream::feed(std::string_view bytes, const Handler& handler) {
  while (!bytes.empty()) {
    if (skip_feed_) {
      skip_feed_ = false;
      if (bytes.front() == '\n') bytes.remove_prefix(1);
      continue;
    }
    const std::size_t end = line_end(bytes);
    const std::string_view part = bytes.substr(0, end);
    if (line_.size() + part.size() + data_.size() > max_event_) {
      throw Fault(FaultKind::kMalformed,
                  fmt::format("an event of the stream has more than {} bytes", max_event_));
    }
    if (end == std::string_view::npos) {
      line_ += part;
      return;
    }
    skip_feed_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    if (line_.empty()) {
      take_line(part, handler);
    } else {
      line_ += part;
      std::string line;
      line.swap(line_);
      take_line(line, handler);
      line.clear();
      line_.swap(line);
    }
  }
}

}  // namespace assay::engine
