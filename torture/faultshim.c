/*
 * LD_PRELOAD library: lets one file-system call below a directory fail, or kills the process in front of it, whoever
 * makes the call: Node or the engine. FAULT="call:number:errno", errno -1 kills; FAULT_DIR is the directory; a call that
 * was hit is written to FAULT_HIT. Calls are counted over all threads.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char wanted[32];
static int number = -1, code;
static const char *below, *hit_path;
static atomic_int seen;

__attribute__((constructor)) static void setup(void) {
  const char *fault = getenv("FAULT");
  below = getenv("FAULT_DIR");
  hit_path = getenv("FAULT_HIT");
  if (!fault || !below || sscanf(fault, "%31[^:]:%d:%d", wanted, &number, &code) != 3) number = -1;
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

/* True if this call is the one; then errno is set, or the process is gone. */
static int strikes(const char *call, int is_inside) {
  if (number < 0 || strcmp(call, wanted) != 0 || !is_inside) return 0;
  if (atomic_fetch_add(&seen, 1) + 1 != number) return 0;
  int (*real_open)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
  int fd = real_open(hit_path, O_CREAT | O_WRONLY, 0644);
  if (fd >= 0) close(fd);
  if (code < 0) kill(getpid(), SIGKILL);
  errno = code;
  return 1;
}

#define REAL(result, name, ...) static result (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, name)

int fsync(int fd) { REAL(int, "fsync", int); return strikes("fsync", inside_fd(fd)) ? -1 : real(fd); }
int fdatasync(int fd) { REAL(int, "fdatasync", int); return strikes("fsync", inside_fd(fd)) ? -1 : real(fd); }
ssize_t write(int fd, const void *data, size_t size) {
  REAL(ssize_t, "write", int, const void *, size_t);
  return strikes("write", inside_fd(fd)) ? -1 : real(fd, data, size);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
  REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
  return strikes("write", inside_fd(fd)) ? -1 : real(fd, data, size, at);
}
ssize_t pread64(int fd, void *data, size_t size, off64_t at) {
  REAL(ssize_t, "pread64", int, void *, size_t, off64_t);
  return strikes("read", inside_fd(fd)) ? -1 : real(fd, data, size, at);
}
ssize_t read(int fd, void *data, size_t size) {
  REAL(ssize_t, "read", int, void *, size_t);
  return strikes("read", inside_fd(fd)) ? -1 : real(fd, data, size);
}
int link(const char *from, const char *to) {
  REAL(int, "link", const char *, const char *);
  return strikes("link", inside(to)) ? -1 : real(from, to);
}
int rename(const char *from, const char *to) {
  REAL(int, "rename", const char *, const char *);
  return strikes("rename", inside(to)) ? -1 : real(from, to);
}
int unlink(const char *path) { REAL(int, "unlink", const char *); return strikes("unlink", inside(path)) ? -1 : real(path); }
int mkdir(const char *path, mode_t mode) {
  REAL(int, "mkdir", const char *, mode_t);
  return strikes("mkdir", inside(path)) ? -1 : real(path, mode);
}
static mode_t mode_of(int flags, va_list rest) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; }
int open(const char *path, int flags, ...) {
  REAL(int, "open", const char *, int, ...);
  va_list rest; va_start(rest, flags); mode_t mode = mode_of(flags, rest); va_end(rest);
  return strikes("open", inside(path)) ? -1 : real(path, flags, mode);
}
int open64(const char *path, int flags, ...) {
  REAL(int, "open64", const char *, int, ...);
  va_list rest; va_start(rest, flags); mode_t mode = mode_of(flags, rest); va_end(rest);
  return strikes("open", inside(path)) ? -1 : real(path, flags, mode);
}
