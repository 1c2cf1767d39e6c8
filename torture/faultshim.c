/*
 * LD_PRELOAD library: lets one file-system call below a directory fail, or kills the process in front of it, whoever
 * makes the call: Node or the engine. FAULT_DIR is the directory; FAULT_SWITCH a file of `struct control`, by which the
 * fault is armed while the process runs. Calls are counted over all threads.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

enum call { NONE, OPEN, WRITE, READ, SYNC, LINK, RENAME, UNLINK, MKDIR, LIST, TRUNCATE, COPY, CHMOD };

/* `code` is an errno, -1 kills; with `persistent` every call below the directory fails from the one on. */
struct control { int call, number, code, persistent; atomic_int seen, hit; };

static struct control *control;
static const char *below;

__attribute__((constructor)) static void setup(void) {
  const char *path = getenv("FAULT_SWITCH");
  below = getenv("FAULT_DIR");
  int fd = path && below ? open(path, O_RDWR) : -1;
  if (fd < 0) return;
  void *memory = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory != MAP_FAILED) control = memory;
  close(fd);
}

static int inside(const char *path) { return path && strncmp(path, below, strlen(below)) == 0; }

static int inside_fd(int fd) {
  char name[64], path[4096];
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(name, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return inside(path);
}

/* True if this call is to fail; then errno is set, or the process is gone. */
static int fails(enum call call) {
  if (control->persistent && control->hit) { errno = control->code; return 1; }
  if ((int)call != control->call || atomic_fetch_add(&control->seen, 1) + 1 != control->number) return 0;
  atomic_store(&control->hit, 1);
  if (control->code < 0) kill(getpid(), SIGKILL);
  errno = control->code;
  return 1;
}

static int armed(void) { return control && control->call != NONE; }
static int strikes(enum call call, const char *path) { return armed() && inside(path) && fails(call); }
static int strikes_fd(enum call call, int fd) { return armed() && inside_fd(fd) && fails(call); }

#define REAL(result, name, ...) static result (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, name)

int fsync(int fd) { REAL(int, "fsync", int); return strikes_fd(SYNC, fd) ? -1 : real(fd); }
int fdatasync(int fd) { REAL(int, "fdatasync", int); return strikes_fd(SYNC, fd) ? -1 : real(fd); }
ssize_t write(int fd, const void *data, size_t size) {
  REAL(ssize_t, "write", int, const void *, size_t);
  return strikes_fd(WRITE, fd) ? -1 : real(fd, data, size);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
  REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
  return strikes_fd(WRITE, fd) ? -1 : real(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
  REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
  return strikes_fd(WRITE, fd) ? -1 : real(fd, data, size, at);
}
ssize_t pread(int fd, void *data, size_t size, off_t at) {
  REAL(ssize_t, "pread", int, void *, size_t, off_t);
  return strikes_fd(READ, fd) ? -1 : real(fd, data, size, at);
}
ssize_t pread64(int fd, void *data, size_t size, off64_t at) {
  REAL(ssize_t, "pread64", int, void *, size_t, off64_t);
  return strikes_fd(READ, fd) ? -1 : real(fd, data, size, at);
}
ssize_t read(int fd, void *data, size_t size) {
  REAL(ssize_t, "read", int, void *, size_t);
  return strikes_fd(READ, fd) ? -1 : real(fd, data, size);
}
int link(const char *from, const char *to) {
  REAL(int, "link", const char *, const char *);
  return strikes(LINK, to) ? -1 : real(from, to);
}
int rename(const char *from, const char *to) {
  REAL(int, "rename", const char *, const char *);
  return strikes(RENAME, to) ? -1 : real(from, to);
}
int unlink(const char *path) { REAL(int, "unlink", const char *); return strikes(UNLINK, path) ? -1 : real(path); }
int rmdir(const char *path) { REAL(int, "rmdir", const char *); return strikes(UNLINK, path) ? -1 : real(path); }
int mkdir(const char *path, mode_t mode) {
  REAL(int, "mkdir", const char *, mode_t);
  return strikes(MKDIR, path) ? -1 : real(path, mode);
}
DIR *opendir(const char *path) {
  REAL(DIR *, "opendir", const char *);
  return strikes(LIST, path) ? NULL : real(path);
}
typedef int filter(const struct dirent *);
typedef int compare(const struct dirent **, const struct dirent **);
int scandir(const char *path, struct dirent ***names, filter *wanted, compare *order) {
  REAL(int, "scandir", const char *, struct dirent ***, filter *, compare *);
  return strikes(LIST, path) ? -1 : real(path, names, wanted, order);
}
typedef int filter64(const struct dirent64 *);
typedef int compare64(const struct dirent64 **, const struct dirent64 **);
int scandir64(const char *path, struct dirent64 ***names, filter64 *wanted, compare64 *order) {
  REAL(int, "scandir64", const char *, struct dirent64 ***, filter64 *, compare64 *);
  return strikes(LIST, path) ? -1 : real(path, names, wanted, order);
}
int ftruncate(int fd, off_t size) {
  REAL(int, "ftruncate", int, off_t);
  return strikes_fd(TRUNCATE, fd) ? -1 : real(fd, size);
}
int ftruncate64(int fd, off64_t size) {
  REAL(int, "ftruncate64", int, off64_t);
  return strikes_fd(TRUNCATE, fd) ? -1 : real(fd, size);
}
ssize_t copy_file_range(int from, off64_t *at, int to, off64_t *there, size_t size, unsigned flags) {
  REAL(ssize_t, "copy_file_range", int, off64_t *, int, off64_t *, size_t, unsigned);
  return strikes_fd(COPY, to) ? -1 : real(from, at, to, there, size, flags);
}
ssize_t sendfile(int to, int from, off_t *at, size_t size) {
  REAL(ssize_t, "sendfile", int, int, off_t *, size_t);
  return strikes_fd(COPY, to) ? -1 : real(to, from, at, size);
}
ssize_t sendfile64(int to, int from, off64_t *at, size_t size) {
  REAL(ssize_t, "sendfile64", int, int, off64_t *, size_t);
  return strikes_fd(COPY, to) ? -1 : real(to, from, at, size);
}
int fchmod(int fd, mode_t mode) {
  REAL(int, "fchmod", int, mode_t);
  return strikes_fd(CHMOD, fd) ? -1 : real(fd, mode);
}
int chmod(const char *path, mode_t mode) {
  REAL(int, "chmod", const char *, mode_t);
  return strikes(CHMOD, path) ? -1 : real(path, mode);
}
static mode_t mode_of(int flags, va_list rest) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; }
int open(const char *path, int flags, ...) {
  REAL(int, "open", const char *, int, ...);
  va_list rest; va_start(rest, flags); mode_t mode = mode_of(flags, rest); va_end(rest);
  return strikes(OPEN, path) ? -1 : real(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
  REAL(int, "open64", const char *, int, ...);
  va_list rest; va_start(rest, flags); mode_t mode = mode_of(flags, rest); va_end(rest);
  return strikes(OPEN, path) ? -1 : real(path, flags, mode);
}
