/*
 * Stands between a Linux program and libc (LD_PRELOAD) and does three things with its file-system calls:
 *
 * 1. It records them. With FILE_CALLS_LOG=FILE each call that changed something below FILE_CALLS_ROOT is appended to FILE,
 *    in the order in which it happened, and so is every write to standard output: what the program acknowledged. The
 *    log's format is in recording.ts. Writes to a -shm file and through mmap are not recorded: SQLite never needs the
 *    content of a -shm after a power loss.
 * 2. It makes them fail. The program arms a fault by looking at a path that does not exist (control.ts does it):
 *      access("/file-calls/arm/KIND/NTH/ERRNO/MODE/NAME")  the NTH call (from 1) of this kind on a path that contains
 *                                                          NAME fails. MODE is once, always (this call and all later
 *                                                          ones) or short (a write stores a part and says so).
 *      access("/file-calls/lift")                          ends it.
 *      readlink("/file-calls/status")                      how many calls failed; how many of each kind, in the order of
 *                                                          KINDS, there were on such paths; and the last path that
 *                                                          failed.
 *
 * 3. It kills the program at one of them. With FILE_CALLS_KILL=CALLS:N too the program dies (SIGKILL) right after it has
 *    recorded N changes that are among CALLS (the log's letters for them). So the last entry of the log is where it died.
 *
 * To add a call: wrap it below, ask fails() first, then note what it did. To add a kind: a name in KINDS.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define CONTROL "/file-calls/"
#define MOST_DESCRIPTORS 65536
#define NEXT(name) ((__typeof__(&name))next(#name))

enum kind { OPEN, READ, WRITE, SYNC, TRUNCATE, RENAME, LINK, UNLINK, MKDIR, KINDS_END };
static const char *const KINDS[] = {"open", "read", "write", "sync", "truncate", "rename", "link", "unlink", "mkdir"};

/* One call at a time, so that the log has the order in which things happened. Recursive: libc calls itself. */
static pthread_mutex_t lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
static int log_descriptor = -1;
static struct { char calls[32]; int left; } death;
static char root[PATH_MAX];
static char *paths[MOST_DESCRIPTORS];

static struct {
  int armed, kind, nth, error, always, shorten, fired;
  int seen[KINDS_END];
  char name[PATH_MAX], path[PATH_MAX];
} fault;

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void begin(void) {
  const char *log = getenv("FILE_CALLS_LOG"), *where = getenv("FILE_CALLS_ROOT");
  if (!log || !where) return;
  snprintf(root, sizeof root, "%s", where);
  const char *at = getenv("FILE_CALLS_KILL");
  if (at && sscanf(at, "%31[A-Z]:%d", death.calls, &death.left) != 2) abort();
  log_descriptor = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* The absolute path of what a call names. */
static void resolve(int folder, const char *path, char *out) {
  char base[PATH_MAX] = "";
  if (path[0] != '/') {
    if (folder == AT_FDCWD) {
      if (!getcwd(base, sizeof base)) base[0] = 0;
    } else if (folder >= 0 && folder < MOST_DESCRIPTORS && paths[folder]) {
      snprintf(base, sizeof base, "%s", paths[folder]);
    }
    snprintf(out, PATH_MAX, "%.2000s/%.2000s", base, path);
  } else {
    snprintf(out, PATH_MAX, "%.4000s", path);
  }
}

static int is_recorded(const char *path) {
  size_t length = strlen(path);
  if (log_descriptor < 0 || strncmp(path, root, strlen(root)) != 0) return 0;
  return length < 4 || strcmp(path + length - 4, "-shm") != 0;
}

struct entry {
  uint8_t call, unused[3];
  int32_t descriptor;
  int64_t number;
  uint32_t path_length, data_length;
} __attribute__((packed));

static void note(char call, int descriptor, int64_t number, const char *path, const void *data, size_t length) {
  struct entry entry = {.call = call, .descriptor = descriptor, .number = number,
                        .path_length = path ? strlen(path) : 0, .data_length = length};
  struct iovec parts[] = {{&entry, sizeof entry}, {(void *)path, entry.path_length}, {(void *)data, length}};
  if (log_descriptor < 0) return;
  if (syscall(SYS_writev, log_descriptor, parts, 3) != (long)(sizeof entry + entry.path_length + length)) abort();
  int is_change = call != 'O' || number != 0;
  if (death.left > 0 && is_change && strchr(death.calls, call) && --death.left == 0) kill(getpid(), SIGKILL);
}

/* Whether this call is to fail: then errno is set. A short write is left to the caller. */
static int fails(enum kind kind, const char *path) {
  if (!fault.armed || !path || !strstr(path, fault.name)) return 0;
  int seen = ++fault.seen[kind];
  if (fault.kind != (int)kind || seen < fault.nth || (seen > fault.nth && !fault.always)) return 0;
  fault.fired++;
  snprintf(fault.path, sizeof fault.path, "%s", path);
  if (fault.shorten) return 0;
  errno = fault.error;
  return 1;
}

static int descriptor_fails(enum kind kind, int descriptor) {
  return descriptor >= 0 && descriptor < MOST_DESCRIPTORS && fails(kind, paths[descriptor]);
}

/* How much of a write is done: a part of it if this is the call that is to be short. */
static size_t allowed(size_t length, int fired) { return fault.shorten && fault.fired > fired ? (length + 1) / 2 : length; }

static void arm(const char *words) {
  char kind[16] = "", mode[16] = "";
  memset(&fault, 0, sizeof fault);
  if (sscanf(words, "%15[^/]/%d/%d/%15[^/]/%4000s", kind, &fault.nth, &fault.error, mode, fault.name) < 4) abort();
  while (fault.kind < KINDS_END && strcmp(KINDS[fault.kind], kind) != 0) fault.kind++;
  if (fault.kind == KINDS_END) abort();
  fault.always = strcmp(mode, "always") == 0;
  fault.shorten = strcmp(mode, "short") == 0;
  fault.armed = 1;
}

int access(const char *path, int mode) {
  if (strncmp(path, CONTROL, strlen(CONTROL)) != 0) return NEXT(access)(path, mode);
  pthread_mutex_lock(&lock);
  if (strncmp(path + strlen(CONTROL), "arm/", 4) == 0) arm(path + strlen(CONTROL) + 4);
  else fault.armed = 0;
  pthread_mutex_unlock(&lock);
  return 0;
}

ssize_t readlink(const char *path, char *buffer, size_t size) {
  if (strcmp(path, CONTROL "status") != 0) return NEXT(readlink)(path, buffer, size);
  int length = snprintf(buffer, size, "%d", fault.fired);
  for (int kind = 0; kind < KINDS_END; kind++)
    length += snprintf(buffer + length, size - length, " %d", fault.seen[kind]);
  return length + snprintf(buffer + length, size - length, " %s", fault.path);
}

static void remember(int descriptor, const char *path) {
  if (descriptor < 0 || descriptor >= MOST_DESCRIPTORS) return;
  free(paths[descriptor]);
  paths[descriptor] = path ? strdup(path) : NULL;
}

static const char *path_of(int descriptor) {
  return descriptor >= 0 && descriptor < MOST_DESCRIPTORS && paths[descriptor] && is_recorded(paths[descriptor])
             ? paths[descriptor]
             : NULL;
}

static int open_any(int folder, const char *path, int flags, mode_t mode) {
  char full[PATH_MAX];
  struct stat found;
  int saved, descriptor = -1;
  pthread_mutex_lock(&lock);
  resolve(folder, path, full);
  if (!fails(OPEN, full)) {
    int existed = syscall(SYS_newfstatat, folder, path, &found, 0) == 0;
    descriptor = syscall(SYS_openat, folder, path, flags, mode);
    saved = errno;
    if (descriptor >= 0) {
      remember(descriptor, full);
      /* number: 1 if the file is new, 2 if it was emptied. */
      if (is_recorded(full))
        note('O', descriptor, existed ? (flags & O_TRUNC ? 2 : 0) : 1, full, NULL, 0);
    }
    errno = saved;
  }
  saved = errno;
  pthread_mutex_unlock(&lock);
  errno = saved;
  return descriptor;
}

static mode_t mode_of(int flags, va_list list) {
  return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(list, mode_t) : 0;
}

#define OPENER(name)                                     \
  int name(const char *path, int flags, ...) {           \
    va_list list;                                        \
    va_start(list, flags);                               \
    mode_t mode = mode_of(flags, list);                  \
    va_end(list);                                        \
    return open_any(AT_FDCWD, path, flags, mode);        \
  }
OPENER(open)
OPENER(open64)

#define OPENER_AT(name)                                  \
  int name(int folder, const char *path, int flags, ...) { \
    va_list list;                                        \
    va_start(list, flags);                               \
    mode_t mode = mode_of(flags, list);                  \
    va_end(list);                                        \
    return open_any(folder, path, flags, mode);          \
  }
OPENER_AT(openat)
OPENER_AT(openat64)

int creat(const char *path, mode_t mode) { return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }

int close(int descriptor) {
  pthread_mutex_lock(&lock);
  if (path_of(descriptor)) note('C', descriptor, 0, NULL, NULL, 0);
  remember(descriptor, NULL);
  pthread_mutex_unlock(&lock);
  return NEXT(close)(descriptor);
}

ssize_t read(int descriptor, void *data, size_t length) {
  return descriptor_fails(READ, descriptor) ? -1 : NEXT(read)(descriptor, data, length);
}

ssize_t pread(int descriptor, void *data, size_t length, off_t at) {
  return descriptor_fails(READ, descriptor) ? -1 : NEXT(pread)(descriptor, data, length, at);
}

ssize_t pread64(int descriptor, void *data, size_t length, off64_t at) { return pread(descriptor, data, length, at); }

/* at < 0: where the descriptor stands. */
static ssize_t write_any(int descriptor, const void *data, size_t length, off_t at) {
  ssize_t written = -1;
  pthread_mutex_lock(&lock);
  int fired = fault.fired;
  if (!descriptor_fails(WRITE, descriptor)) {
    off_t from = at < 0 ? lseek(descriptor, 0, fcntl(descriptor, F_GETFL) & O_APPEND ? SEEK_END : SEEK_CUR) : at;
    written = at < 0 ? syscall(SYS_write, descriptor, data, allowed(length, fired))
                     : syscall(SYS_pwrite64, descriptor, data, allowed(length, fired), at);
    int saved = errno;
    if (written > 0 && path_of(descriptor)) note('W', descriptor, from, NULL, data, written);
    if (written > 0 && descriptor == STDOUT_FILENO) note('A', 0, 0, NULL, data, written);
    errno = saved;
  }
  int saved = errno;
  pthread_mutex_unlock(&lock);
  errno = saved;
  return written;
}

ssize_t write(int descriptor, const void *data, size_t length) { return write_any(descriptor, data, length, -1); }
ssize_t pwrite(int descriptor, const void *data, size_t length, off_t at) {
  return write_any(descriptor, data, length, at);
}
ssize_t pwrite64(int descriptor, const void *data, size_t length, off64_t at) {
  return write_any(descriptor, data, length, at);
}

/* In pieces: a vector may be written in part, as the manual says. */
static ssize_t write_vector(int descriptor, const struct iovec *parts, int count, off_t at) {
  ssize_t total = 0;
  for (int i = 0; i < count; i++) {
    if (parts[i].iov_len == 0) continue;
    ssize_t written = write_any(descriptor, parts[i].iov_base, parts[i].iov_len, at < 0 ? -1 : at + total);
    if (written < 0) return total > 0 ? total : -1;
    total += written;
    if ((size_t)written < parts[i].iov_len) break;
  }
  return total;
}

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
  return write_vector(descriptor, parts, count, -1);
}
ssize_t pwritev(int descriptor, const struct iovec *parts, int count, off_t at) {
  return write_vector(descriptor, parts, count, at);
}
ssize_t pwritev64(int descriptor, const struct iovec *parts, int count, off64_t at) {
  return write_vector(descriptor, parts, count, at);
}

/* A copy inside the kernel is done as a read and a write, so that it is seen. */
static ssize_t copy(int to, int from, off_t *at, size_t length) {
  char block[65536];
  size_t most = length < sizeof block ? length : sizeof block;
  ssize_t got = at ? pread(from, block, most, *at) : read(from, block, most);
  if (got <= 0) return got;
  ssize_t written = write(to, block, got);
  if (at && written > 0) *at += written;
  return written;
}
ssize_t sendfile(int to, int from, off_t *at, size_t length) { return copy(to, from, at, length); }
ssize_t sendfile64(int to, int from, off64_t *at, size_t length) { return copy(to, from, at, length); }

/* libuv calls copy_file_range by its number; it falls back to sendfile. */
long syscall(long number, ...) {
  va_list list;
  va_start(list, number);
  long a = va_arg(list, long), b = va_arg(list, long), c = va_arg(list, long), d = va_arg(list, long),
       e = va_arg(list, long), f = va_arg(list, long);
  va_end(list);
  if (number == SYS_copy_file_range) {
    errno = ENOSYS;
    return -1;
  }
  return NEXT(syscall)(number, a, b, c, d, e, f);
}

#define SYNCER(name)                                                        \
  int name(int descriptor) {                                                \
    pthread_mutex_lock(&lock);                                              \
    int result = descriptor_fails(SYNC, descriptor) ? -1 : NEXT(name)(descriptor); \
    int saved = errno;                                                      \
    if (result == 0 && path_of(descriptor)) note('S', descriptor, 0, NULL, NULL, 0); \
    pthread_mutex_unlock(&lock);                                            \
    errno = saved;                                                          \
    return result;                                                          \
  }
SYNCER(fsync)
SYNCER(fdatasync)

static int truncate_descriptor(int descriptor, off_t size) {
  pthread_mutex_lock(&lock);
  int result = descriptor_fails(TRUNCATE, descriptor) ? -1 : syscall(SYS_ftruncate, descriptor, size);
  int saved = errno;
  if (result == 0 && path_of(descriptor)) note('T', descriptor, size, NULL, NULL, 0);
  pthread_mutex_unlock(&lock);
  errno = saved;
  return result;
}
int ftruncate(int descriptor, off_t size) { return truncate_descriptor(descriptor, size); }
int ftruncate64(int descriptor, off64_t size) { return truncate_descriptor(descriptor, size); }

int truncate(const char *path, off_t size) {
  int descriptor = open(path, O_WRONLY);
  if (descriptor < 0) return -1;
  int result = ftruncate(descriptor, size), saved = errno;
  close(descriptor);
  errno = saved;
  return result;
}

/* Calls that change names: the result is noted with one path, or two. */
static int named(char call, int result, const char *path, const char *to) {
  int saved = errno;
  if (result == 0 && (is_recorded(path) || (to && is_recorded(to))))
    note(call, 0, 0, path, to, to ? strlen(to) : 0);
  pthread_mutex_unlock(&lock);
  errno = saved;
  return result;
}

static int two_names(enum kind kind, char call, long number, const char *from, const char *to) {
  char first[PATH_MAX], second[PATH_MAX];
  pthread_mutex_lock(&lock);
  resolve(AT_FDCWD, from, first);
  resolve(AT_FDCWD, to, second);
  return named(call, fails(kind, second) ? -1 : (int)syscall(number, from, to), first, second);
}
int rename(const char *from, const char *to) { return two_names(RENAME, 'R', SYS_rename, from, to); }
int link(const char *from, const char *to) { return two_names(LINK, 'L', SYS_link, from, to); }

static int remove_name(int folder, const char *path, int flags) {
  char full[PATH_MAX];
  pthread_mutex_lock(&lock);
  resolve(folder, path, full);
  return named('U', fails(UNLINK, full) ? -1 : (int)syscall(SYS_unlinkat, folder, path, flags), full, NULL);
}
int unlink(const char *path) { return remove_name(AT_FDCWD, path, 0); }
int unlinkat(int folder, const char *path, int flags) { return remove_name(folder, path, flags); }
int rmdir(const char *path) { return remove_name(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
  int result = unlink(path);
  return result != 0 && (errno == EISDIR || errno == EPERM) ? rmdir(path) : result;
}

int mkdir(const char *path, mode_t mode) {
  char full[PATH_MAX];
  pthread_mutex_lock(&lock);
  resolve(AT_FDCWD, path, full);
  return named('M', fails(MKDIR, full) ? -1 : (int)syscall(SYS_mkdir, path, mode), full, NULL);
}
