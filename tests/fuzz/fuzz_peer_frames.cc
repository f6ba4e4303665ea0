// Any bytes where the processes of a job read what another one sent: a document, frames, or a
// step's batch. Each is read, or refused in one line; what is read as a batch is written to the
// same bytes. The first byte picks the reader.
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <cstring>
#include <string>

#include "base/check.h"
#include "base/error.h"
#include "engine/parallel/process_group.h"
#include "engine/parallel/remote_steps.h"
#include "engine/parallel/wire.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/loopback.h"

namespace assay::fuzz {
namespace {

namespace asio = boost::asio;

template <typename T>
std::string raw(T value) {
  std::string out(sizeof(value), '\0');
  std::memcpy(out.data(), &value, sizeof(value));
  return out;
}

std::string frame(engine::FrameKind kind, std::uint32_t number, const std::string& content) {
  return raw(static_cast<std::uint32_t>(kind)) + raw(number) +
         raw(static_cast<std::uint64_t>(content.size())) + content;
}

std::string small_batch() {
  const std::array<std::int32_t, 2> pages = {3, 1};
  engine::Batch batch;
  batch.ids = {7, 8, 9};
  batch.positions = {0, 1, 2};
  batch.sequences.push_back({.first_row = 0, .rows = 3, .first_position = 0, .pages = pages});
  batch.queries.push_back({.row = 2});
  return engine::encode_batch(batch);
}

}  // namespace

std::vector<std::string> seeds() {
  using engine::FrameKind;
  const std::string document = R"({"protocol":1,"rank":2,"host":"a","nonce":"00ff"})";
  return {
      "",
      "d" + raw(static_cast<std::uint32_t>(document.size())) + document,
      "d" + raw(std::uint32_t{5000}) + document,
      "t" + frame(FrameKind::kText, 0, "one") + frame(FrameKind::kText, 1, "two"),
      "t" + frame(FrameKind::kEnd, 0, "6 disk full"),
      "t" + frame(FrameKind::kFailure, 0, "no memory\n"),
      "t" + frame(FrameKind::kText, 1, "out of order"),
      "f" + frame(FrameKind::kData, 0, "12345678"),
      "f" + frame(FrameKind::kData, 0, "1234567"),
      "b" + frame(FrameKind::kText, 0, "dropped") + frame(FrameKind::kBye, 1, ""),
      "s" + small_batch(),
      "s" + std::string(80, '\xff'),
  };
}

namespace {

asio::awaitable<void> read_all(asio::ip::tcp::socket socket, char reader) {
  if (reader == 'd') {
    (void)co_await engine::receive_document(socket);
    co_return;
  }
  engine::Link link(std::move(socket), "rank 1");
  if (reader == 'b') co_return co_await link.receive_bye();
  for (;;) {
    std::array<char, 8> data{};
    if (reader == 'f') {
      co_await link.receive_data(asio::buffer(data));
    } else {
      (void)co_await link.receive_text();
    }
  }
}

void check_batch(std::string_view bytes) {
  try {
    const engine::ReceivedBatch step = engine::decode_batch(bytes);
    ASSAY_CHECK(step.batch.positions.size() == step.batch.ids.size(), "a position each");
    ASSAY_CHECK(engine::encode_batch(step.batch) == bytes, "the same bytes");
  } catch (const Error& error) {
    ASSAY_CHECK(error.kind() == ErrorKind::kEnvironment, error.what());
  }
}

}  // namespace
}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;  // NOLINT(google-build-using-namespace): one function
  if (size == 0) return 0;
  const std::string text = fuzz::text_of(data + 1, size - 1);
  const char reader = static_cast<char>(data[0]);
  if (reader == 's') {
    fuzz::check_batch(text);
    return 0;
  }
  fuzz::asio::io_context io;
  fuzz::Loopback pair(io, text);
  auto done = fuzz::asio::co_spawn(io, fuzz::read_all(std::move(pair.reader), reader),
                                   fuzz::asio::use_future);
  io.run();
  try {
    done.get();
  } catch (const Error& error) {
    ASSAY_CHECK(error.kind() == ErrorKind::kEnvironment, error.what());
    ASSAY_CHECK(std::string_view(error.what()).size() < 8192, "bounded");
  } catch (const boost::system::system_error&) {  // NOLINT(bugprone-empty-catch): the bytes ended
  }
  return 0;
}
