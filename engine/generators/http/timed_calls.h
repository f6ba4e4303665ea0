// Calls at given moments on the client's thread, for whoever keeps a schedule. One timer for all.
// Used on that thread alone.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <map>

namespace assay::engine {

class TimedCalls {
 public:
  explicit TimedCalls(boost::asio::io_context& io) : timer_(io) {}

  /// At `at_ns` of the monotonic clock, or as soon after as the thread is free; never from here.
  void add(std::int64_t at_ns, std::function<void()> call);
  /// Drops what is not due yet, and what is added from now on, so that the thread can end.
  void close();

 private:
  void arm();
  void run_due();

  boost::asio::steady_timer timer_;
  std::multimap<std::int64_t, std::function<void()>> calls_;
  bool running_ = false;
  bool closed_ = false;
};

}  // namespace assay::engine
