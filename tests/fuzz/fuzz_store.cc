// A sound store that the input changes, byte by byte (first byte even) or value by value: whatever
// is opened, checked, read or imported ends, and what is imported is what was exported.
#include <sqlite3.h>

#include <optional>
#include <string>

#include "base/file.h"
#include "store/export.h"
#include "store/store.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"
#include "tests/store/fixture.h"

namespace assay::fuzz {

namespace {

constexpr std::size_t kMaxChanges = 64;
constexpr const char* kColumns[][2] = {
    {"run", "name"},
    {"run", "status"},
    {"run", "inputs"},
    {"run", "engine"},
    {"run", "seed"},
    {"run", "started_at"},
    {"run", "suite_id"},
    {"run", "peak_memory_bytes"},
    {"suite", "definition"},
    {"model", "detail"},
    {"machine", "cores"},
    {"task", "metrics"},
    {"task", "definition"},
    {"task", "name"},
    {"run_task", "items"},
    {"run_task", "repeats"},
    {"run_task", "position"},
    {"item", "key"},
    {"item", "question"},
    {"item", "sha256"},
    {"prompt", "text"},
    {"prompt", "ids"},
    {"generation", "position"},
    {"generation", "repeat"},
    {"generation", "item_id"},
    {"generation", "response_key"},
    {"generation", "output_hash"},
    {"generation", "finish_reason"},
    {"generation", "digest"},
    {"generation", "last_ns"},
    {"generation", "output_tokens"},
    {"generation_text", "output"},
    {"generation_text", "ids"},
    {"generation_text", "choices"},
    {"score", "verdict"},
    {"score", "value"},
    {"score", "detail"},
    {"score", "digest"},
    {"score_part", "value"},
    {"score_part", "count"},
    {"score_part", "metric_id"},
    {"metric_name", "name"},
    {"attempt", "active_ns"},
    {"tag", "name"},
};

const std::string& good_store() {
  static const std::string kBytes = [] {
    const std::filesystem::path path = input_folder().path() / "good.db";
    {
      store::Store store = store::Store::open(path, store::OpenMode::kCreate);
      const store::RunRecord run =
          store.load_run(store.create_run(test::example_run(), std::vector{test::example_task()}));
      store.set_tag(run.row, "main", "seed");
      store::RunWriter writer(store, run.row, run.machine);
      for (int i = 0; i < 3; ++i) {
        std::vector<store::SampleRecord> one{test::example_sample(i, i != 1)};
        writer.add(store.load_tasks(run.row)[0].row, one);
      }
      writer.finish(store::RunStatus::kDone);
    }
    return read_file(path);
  }();
  return kBytes;
}

/// Each change: three bytes of place, one of length, the bytes.
void change_bytes(std::string_view input, std::string& bytes) {
  for (std::size_t n = 0; n < kMaxChanges && input.size() >= 5; ++n) {
    std::size_t at = 0;
    for (int i = 0; i < 3; ++i)
      at = at << 8 | static_cast<unsigned char>(input[static_cast<std::size_t>(i)]);
    const std::size_t length =
        std::min<std::size_t>(1 + static_cast<unsigned char>(input[3]) % 16, input.size() - 4);
    at %= bytes.size();
    bytes.replace(at, std::min(length, bytes.size() - at),
                  input.substr(4, std::min(length, bytes.size() - at)));
    input.remove_prefix(4 + length);
  }
}

/// Each line: a byte that picks the column, a byte that picks the type, the value.
void change_values(std::string_view input, const std::filesystem::path& path) {
  sqlite3* db = nullptr;
  sqlite3_open(path.c_str(), &db);
  sqlite3_exec(db, "PRAGMA ignore_check_constraints=ON; PRAGMA synchronous=OFF; BEGIN", nullptr,
               nullptr, nullptr);
  for (std::size_t n = 0; n < kMaxChanges && input.size() >= 3; ++n) {
    const auto& column = kColumns[static_cast<unsigned char>(input[0]) % std::size(kColumns)];
    const auto kind = static_cast<unsigned char>(input[1]);
    input.remove_prefix(2);
    const std::string value = take_part(input, "\n");
    const std::string sql = fmt::format("UPDATE {} SET {} = CAST(? AS {})", column[0], column[1],
                                        kind % 3 == 0   ? "TEXT"
                                        : kind % 3 == 1 ? "INTEGER"
                                                        : "BLOB");
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr) == SQLITE_OK) {
      sqlite3_bind_blob(statement, 1, value.data(), static_cast<int>(value.size()), SQLITE_STATIC);
      sqlite3_step(statement);
    }
    sqlite3_finalize(statement);
  }
  sqlite3_exec(db, "COMMIT", nullptr, nullptr, nullptr);
  sqlite3_close(db);
}

std::string exported(const store::Store& store) {
  std::string out;
  for (const store::RunRecord& run : store.list_runs()) {
    const std::vector<store::RunTaskRecord> tasks = store.load_tasks(run.row);
    for (const store::RunTaskRecord& task : tasks) {
      store.for_each_sample(task.row, {}, [&](const store::SampleRecord& sample) {
        out += store::sample_json(task, sample, false).dump() + "\n";
        return true;
      });
      (void)store.load_scores(task.row);
      (void)store.load_items(task.row);
    }
    (void)store::run_document(run, tasks).dump();
    (void)store.load_bench(run.row);
  }
  return out;
}

void remove_store(const std::filesystem::path& path) {
  for (const char* suffix : {"", "-wal", "-shm", "-journal", "-lock"}) {
    std::filesystem::remove(path.string() + suffix);
  }
}

/// The store that runs are imported into: made once, and again after one was.
class Target {
 public:
  store::Store& store() {
    if (!store_) store_.emplace(store::Store::open(path(), store::OpenMode::kCreate));
    return *store_;
  }
  void forget() {
    store_.reset();
    remove_store(path());
  }

 private:
  static std::filesystem::path path() { return input_folder().path() / "target.db"; }
  std::optional<store::Store> store_;
};

Target& target() {
  static Target the_target;
  return the_target;
}

/// Full disks and the like do not happen here: SQLite's other codes come from the file as well.
template <typename Work>
bool taken(const Work& work) {
  try {
    work();
    return true;
  } catch (const Error& error) {
    ASSAY_CHECK(error.what()[0] != '\0', "a refusal without a reason");
    return false;
  }
}

}  // namespace

namespace {

/// An input that sets one column of every row.
std::string value(std::string_view table, std::string_view column, char kind,
                  const std::string& text) {
  char index = 0;
  for (const auto& known : kColumns) {
    if (table == known[0] && column == known[1]) break;
    ++index;
  }
  return std::string(1, index) + kind + text + "\n";
}

}  // namespace

std::vector<std::string> seeds() {
  const std::string change("\x01");
  const std::string largest = "9223372036854775807";
  return {
      "",
      std::string("\0\0\0\x10\x03zzzz", 9),
      std::string("\0\0\0\x1f\x0f\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 21),
      change + value("run", "name", 0, "../../evil"),
      change + value("task", "metrics", 0,
                     R"([{"name":"a","kind":"pass@k","part":"p","k":99999999999,"of":[]}])"),
      change + value("run_task", "items", 1, largest) + value("run_task", "repeats", 1, largest),
      change + value("generation_text", "choices", 0, R"([[1e308,-1,true],["-inf",0,false]])"),
      change + value("score", "detail", 0, "[[[[[[[[[[[[[[[[[[[[[[[[["),
      change + value("generation", "last_ns", 1, "-9223372036854775808"),
      change + value("score_part", "metric_id", 1, "77"),
      change + value("score_part", "count", 1, largest)};
}

}  // namespace assay::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace assay;  // NOLINT(google-build-using-namespace): one function
  if (size == 0) return 0;
  set_log_level(LogLevel::kQuiet);
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::filesystem::path path = fuzz::input_folder().path() / "input.db";
  fuzz::remove_store(path);
  std::string bytes = fuzz::good_store();
  if (input[0] % 2 == 0) fuzz::change_bytes(input.substr(1), bytes);
  (void)fuzz::input_folder().file("input.db", bytes);
  if (input[0] % 2 == 1) fuzz::change_values(input.substr(1), path);
  std::string source;
  const bool readable = fuzz::taken([&] {
    const store::Store store = store::Store::open(path, store::OpenMode::kReadOnly);
    (void)store.verify(0);
    source = fuzz::exported(store);
  });
  store::Store& target = fuzz::target().store();
  const bool imported = fuzz::taken([&] { (void)target.import_from(path); });
  ASSAY_CHECK(target.verify(0).problems.empty(), "the store that imported is damaged");
  if (imported) {
    ASSAY_CHECK(readable && fuzz::exported(target) == source, "imported as exported");
    fuzz::target().forget();
  } else {
    ASSAY_CHECK(target.list_runs().empty(), "a part of a run was imported");
  }
  return 0;
}
