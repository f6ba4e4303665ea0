// Server-sent events, as they come in pieces of any size.
// Source: HTML Living Standard, section 9.2.6; only the fields that matter here.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace assay::engine {

class EventStream {
 public:
  /// Called with the joined data lines of each event that has any.
  using Handler = std::function<void(std::string_view data)>;

  /// `max_event` bounds the bytes of one event, its fields' names included.
  explicit EventStream(std::size_t max_event) : max_event_(max_event) {}

  /// Takes the next bytes. Throws: Fault(kMalformed) for an event beyond the limit.
  void feed(std::string_view bytes, const Handler& handler);
  /// Bytes after the last complete line.
  [[nodiscard]] bool has_rest() const { return !line_.empty(); }

 private:
  void take_line(std::string_view line, const Handler& handler);

  std::size_t max_event_;
  std::string line_;        // an unfinished line
  std::string data_;        // of the unfinished event
  bool has_data_ = false;   // a data line stood, maybe an empty one
  bool skip_feed_ = false;  // the last line ended in CR: an LF now belongs to it
  bool first_line_ = true;  // a byte order mark may stand before it
};

}  // namespace assay::engine
