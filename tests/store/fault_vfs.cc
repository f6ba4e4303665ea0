#include "tests/store/fault_vfs.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>

#include "base/check.h"

namespace assay::test {

namespace {

constexpr std::int64_t kSector = 512;  // written wholly or not at all
constexpr int kCountedKinds = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL;

/// What SQLite allocates for a file: this, and the real layer's file behind it.
struct File {
  sqlite3_file base;
  FaultVfs* owner;
  std::string* path;
  bool counted;
  bool is_journal;
};

File& file_of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
sqlite3_file* real_of(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<char*>(file) + sizeof(File));
}
FaultVfs& owner_of(sqlite3_vfs* vfs) { return *static_cast<FaultVfs*>(vfs->pAppData); }

void apply(const FaultVfs::Change& change, std::string& content) {
  const auto offset = static_cast<std::size_t>(change.offset);
  if (change.truncates) {
    content.resize(offset, '\0');
    return;
  }
  if (content.size() < offset + change.bytes.size()) content.resize(offset + change.bytes.size());
  content.replace(offset, change.bytes.size(), change.bytes);
}

std::string read_all(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

int close_file(sqlite3_file* file) {
  delete file_of(file).path;
  return real_of(file)->pMethods->xClose(real_of(file));
}
int read_file(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
  return real_of(file)->pMethods->xRead(real_of(file), out, size, offset);
}
int write_file(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  File& self = file_of(file);
  if (self.counted && self.owner->fails()) return self.owner->write_error();
  if (self.counted) {
    self.owner->image(*self.path)
        .pending.push_back(
            {offset, std::string(static_cast<const char*>(data), static_cast<std::size_t>(size))});
  }
  return real_of(file)->pMethods->xWrite(real_of(file), data, size, offset);
}
int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  File& self = file_of(file);
  if (self.counted && self.owner->fails()) return SQLITE_IOERR_TRUNCATE;
  if (self.counted) {
    self.owner->image(*self.path).pending.push_back({.offset = size, .truncates = true});
  }
  return real_of(file)->pMethods->xTruncate(real_of(file), size);
}
int sync_file(sqlite3_file* file, int /*flags*/) {
  File& self = file_of(file);
  if (!self.counted) return SQLITE_OK;
  if (self.owner->fails()) return SQLITE_IOERR_FSYNC;
  FaultVfs::Image& image = self.owner->image(*self.path);
  for (const FaultVfs::Change& change : image.pending) apply(change, image.synced);
  image.pending.clear();
  if (self.is_journal && !image.exists) self.owner->sync_folder();
  return SQLITE_OK;  // the disk itself has nothing to do with this test
}
int file_size(sqlite3_file* file, sqlite3_int64* size) {
  return real_of(file)->pMethods->xFileSize(real_of(file), size);
}
int lock_file(sqlite3_file* file, int lock) {
  return real_of(file)->pMethods->xLock(real_of(file), lock);
}
int unlock_file(sqlite3_file* file, int lock) {
  return real_of(file)->pMethods->xUnlock(real_of(file), lock);
}
int check_lock(sqlite3_file* file, int* out) {
  return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}
int control(sqlite3_file* file, int what, void* argument) {
  return real_of(file)->pMethods->xFileControl(real_of(file), what, argument);
}
int sector_size(sqlite3_file* /*file*/) { return kSector; }
int characteristics(sqlite3_file* file) {
  return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}
int shm_map(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
  return real_of(file)->pMethods->xShmMap(real_of(file), page, size, extend, out);
}
int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}
void shm_barrier(sqlite3_file* file) { real_of(file)->pMethods->xShmBarrier(real_of(file)); }
int shm_unmap(sqlite3_file* file, int remove) {
  return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}
int fetch(sqlite3_file* /*file*/, sqlite3_int64 /*offset*/, int /*size*/, void** out) {
  *out = nullptr;  // no mapped reading
  return SQLITE_OK;
}
int unfetch(sqlite3_file* /*file*/, sqlite3_int64 /*offset*/, void* /*data*/) { return SQLITE_OK; }

constexpr sqlite3_io_methods kMethods = {
    3,         close_file,  read_file,  write_file, truncate_file, sync_file,       file_size,
    lock_file, unlock_file, check_lock, control,    sector_size,   characteristics, shm_map,
    shm_lock,  shm_barrier, shm_unmap,  fetch,      unfetch};

constexpr sqlite3_io_methods kMethodsWithoutMemory = [] {
  sqlite3_io_methods out = kMethods;
  out.iVersion = 1;
  return out;
}();

int open_file(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  FaultVfs& owner = owner_of(vfs);
  File& self = *new (file) File{};
  const bool counted = name != nullptr && (flags & kCountedKinds) != 0;
  if (counted && owner.fails()) return SQLITE_CANTOPEN;
  const bool existed = counted && std::filesystem::exists(name);
  const int code = owner.real()->xOpen(owner.real(), name, real_of(file), flags, out_flags);
  if (code != SQLITE_OK) return code;
  if (counted && !owner.knows(name) && existed) {
    owner.image(name) = {.exists = true, .synced = read_all(name)};
  } else if (counted && !existed) {
    owner.created(name);
  }
  self.base.pMethods = owner.shared_memory() ? &kMethods : &kMethodsWithoutMemory;
  self.owner = &owner;
  self.path = new std::string(name == nullptr ? "" : name);
  self.counted = counted;
  self.is_journal = (flags & SQLITE_OPEN_MAIN_DB) == 0;
  return SQLITE_OK;
}

int delete_file(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  FaultVfs& owner = owner_of(vfs);
  if (owner.fails()) return SQLITE_IOERR_DELETE;
  if (owner.knows(name)) {
    if (sync_folder != 0) {
      owner.forget(name);
      owner.sync_folder();
    } else {
      owner.image(name).deleted = true;
    }
  }
  return owner.real()->xDelete(owner.real(), name, sync_folder);
}

/// Any part of one write: each sector of it may have reached the disk.
void apply_some(const FaultVfs::Change& change, SplitMix64& random, std::string& content) {
  if (change.truncates) {
    if (random.below(2) == 0) apply(change, content);
    return;
  }
  const auto size = static_cast<std::int64_t>(change.bytes.size());
  for (std::int64_t at = 0; at < size;) {
    const std::int64_t next =
        std::min(size, (change.offset + at) / kSector * kSector + kSector - change.offset);
    if (random.below(2) == 0) {
      apply({change.offset + at, change.bytes.substr(static_cast<std::size_t>(at),
                                                     static_cast<std::size_t>(next - at))},
            content);
    }
    at = next;
  }
}

}  // namespace

FaultVfs::FaultVfs(bool shared_memory)
    : real_(sqlite3_vfs_find(nullptr)), shared_memory_(shared_memory) {
  vfs_ = *real_;
  vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
  vfs_.pNext = nullptr;
  vfs_.zName = "assay-fault";
  vfs_.pAppData = this;
  vfs_.xOpen = open_file;
  vfs_.xDelete = delete_file;
  ASSAY_CHECK(sqlite3_vfs_register(&vfs_, 1) == SQLITE_OK, "the layer cannot be registered");
}

FaultVfs::~FaultVfs() {
  sqlite3_vfs_unregister(&vfs_);
  sqlite3_vfs_register(real_, 1);
}

void FaultVfs::arm(Fault fault, std::int64_t call, int write_error) {
  fault_ = fault;
  call_ = call;
  calls_ = 0;
  fired_ = false;
  write_error_ = write_error;
  images_.clear();
}

bool FaultVfs::fails() {
  ++calls_;
  if (fault_ == Fault::kNone || calls_ < call_) return false;
  if (fault_ == Fault::kOnce && calls_ > call_) return false;
  fired_ = true;
  return true;
}

void FaultVfs::created(const std::string& path) {
  Image& image = images_[path];
  // A name that was deleted without a sync stands for the old file or the new one after a cut; the
  // new one is taken, empty where it was not synced.
  image = {.exists = image.exists};
}

void FaultVfs::sync_folder() {
  std::erase_if(images_, [](const auto& entry) { return entry.second.deleted; });
  for (auto& [path, image] : images_) image.exists = true;
}

void FaultVfs::lose_unsynced(SplitMix64& random) {
  for (auto& [path, image] : images_) {
    std::string content = image.synced;
    const std::uint64_t what = random.below(3);  // nothing of the rest, all of it, or any part
    bool exists = image.exists && (!image.deleted || random.below(2) == 0);
    for (const Change& change : image.pending) {
      if (what == 1) apply(change, content);
      if (what == 2) apply_some(change, random, content);
    }
    if (!image.exists && !image.deleted) exists = random.below(2) == 0;
    if (exists) {
      std::ofstream(path, std::ios::binary) << content;
    } else {
      std::filesystem::remove(path);
    }
    std::filesystem::remove(path + "-shm");
  }
  images_.clear();
}

}  // namespace assay::test
