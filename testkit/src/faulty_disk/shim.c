/* A disk that fails on command, preloaded into the server under test.
 *
 * Calls on files below FAULTY_DISK_BELOW fail while the file FAULTY_DISK_ORDER says so: its first word is the errno, the
 * others name what fails: write, sync, create (a new file), open (for writing), change (a name). With the word `lose`
 * a failing sync takes back what was written to the file since its last good one, as a kernel may. Every good sync takes
 * FAULTY_DISK_SYNC_TAKES_US microseconds longer.
 *
 * No descriptor of a file below is opened or closed here: closing one would end the process's record locks on it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))next(#name))

/* What was in a file where something was written that is not synced yet; the newest first. */
struct unsynced {
    struct unsynced *older;
    dev_t device;
    ino_t inode;
    off_t size_before, offset;
    size_t length;
    char bytes[];
};

static struct unsynced *unsynced;
static pthread_mutex_t unsynced_lock = PTHREAD_MUTEX_INITIALIZER;

static void *next(const char *name) {
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}

static int is_below(const char *path) {
    const char *below = getenv("FAULTY_DISK_BELOW");
    return below && path && strncmp(path, below, strlen(below)) == 0;
}

static int is_file_below(int fd) {
    char link[32], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return is_below(path);
}

/* The errno with which this call fails now; 0 if it does not. */
static int ordered(const char *call, int *lose) {
    static const struct { const char *name; int number; } errors[] = {
        {"ENOSPC", ENOSPC}, {"EROFS", EROFS}, {"EIO", EIO}, {"EDQUOT", EDQUOT},
    };
    char order[128];
    const char *path = getenv("FAULTY_DISK_ORDER");
    int file = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return 0;
    ssize_t length = read(file, order, sizeof order - 1);
    syscall(SYS_close, file);
    if (length <= 0) return 0;
    order[length] = 0;
    if (lose) *lose = strstr(order, " lose") != NULL;
    if (!strstr(order, call)) return 0;
    for (size_t at = 0; at < sizeof errors / sizeof *errors; at++)
        if (strncmp(order, errors[at].name, strlen(errors[at].name)) == 0) return errors[at].number;
    abort();
}

static int fails_on_file(int fd, const char *call, int *lose) {
    int kept = errno, error = ordered(call, lose);
    int fails = error && is_file_below(fd);
    errno = fails ? error : kept;
    return fails;
}

static int fails_on_path(const char *path, const char *call) {
    int kept = errno, error = is_below(path) ? ordered(call, NULL) : 0;
    errno = error ? error : kept;
    return error != 0;
}

/* Keeps what a write is about to replace. */
static void remember(int fd, off_t offset, size_t length) {
    struct stat file;
    if (!getenv("FAULTY_DISK_REMEMBERS") || !is_file_below(fd) || fstat(fd, &file) != 0) return;
    struct unsynced *kept = malloc(sizeof *kept + length);
    if (!kept) abort();
    ssize_t had = pread(fd, kept->bytes, length, offset);
    *kept = (struct unsynced){NULL, file.st_dev, file.st_ino, file.st_size, offset, had > 0 ? (size_t)had : 0};
    pthread_mutex_lock(&unsynced_lock);
    kept->older = unsynced;
    unsynced = kept;
    pthread_mutex_unlock(&unsynced_lock);
}

/* After a sync of the file: forgets what was kept of it, or puts it back first. */
static void synced(int fd, int put_back) {
    struct stat file;
    if (!getenv("FAULTY_DISK_REMEMBERS") || fstat(fd, &file) != 0) return;
    pthread_mutex_lock(&unsynced_lock);
    for (struct unsynced **at = &unsynced; *at;) {
        struct unsynced *kept = *at;
        if (kept->device != file.st_dev || kept->inode != file.st_ino) {
            at = &kept->older;
            continue;
        }
        if (put_back) {
            if (NEXT(pwrite64)(fd, kept->bytes, kept->length, kept->offset) < 0) abort();
            if (NEXT(ftruncate64)(fd, kept->size_before) < 0) abort();
        }
        *at = kept->older;
        free(kept);
    }
    pthread_mutex_unlock(&unsynced_lock);
}

ssize_t write(int fd, const void *bytes, size_t length) {
    if (fails_on_file(fd, "write", NULL)) return -1;
    return NEXT(write)(fd, bytes, length);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (fails_on_file(fd, "write", NULL)) return -1;
    return NEXT(writev)(fd, parts, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    if (fails_on_file(fd, "write", NULL)) return -1;
    remember(fd, offset, length);
    return NEXT(pwrite64)(fd, bytes, length, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    return pwrite64(fd, bytes, length, offset);
}

int ftruncate64(int fd, off64_t size) {
    struct stat file;
    if (fails_on_file(fd, "write", NULL)) return -1;
    if (fstat(fd, &file) == 0 && file.st_size > size) remember(fd, size, (size_t)(file.st_size - size));
    return NEXT(ftruncate64)(fd, size);
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

/* As a disk does that says so only when it has flushed. */
static void take_time(int fd) {
    const char *microseconds = getenv("FAULTY_DISK_SYNC_TAKES_US");
    if (microseconds && is_file_below(fd)) usleep((useconds_t)atoi(microseconds));
}

static int sync_file(int fd, int (*sync)(int)) {
    int lose = 0;
    if (fails_on_file(fd, "sync", &lose)) {
        int error = errno;
        if (lose) synced(fd, 1);
        errno = error;
        return -1;
    }
    take_time(fd);
    int done = sync(fd);
    if (done == 0) synced(fd, 0);
    return done;
}

int fsync(int fd) { return sync_file(fd, NEXT(fsync)); }

int fdatasync(int fd) { return sync_file(fd, NEXT(fdatasync)); }

static int fails_to_open(const char *path, int flags) {
    struct stat file;
    if (!is_below(path)) return 0;
    if ((flags & O_ACCMODE) != O_RDONLY && fails_on_path(path, "open")) return 1;
    return flags & O_CREAT && stat(path, &file) != 0 && fails_on_path(path, "create");
}

#define MODE_AFTER(flags) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

int open64(const char *path, int flags, ...) {
    MODE_AFTER(flags)
    if (fails_to_open(path, flags)) return -1;
    return NEXT(open64)(path, flags, mode);
}

int open(const char *path, int flags, ...) {
    MODE_AFTER(flags)
    return open64(path, flags, mode);
}

int mkdir(const char *path, mode_t mode) {
    if (fails_on_path(path, "change")) return -1;
    return NEXT(mkdir)(path, mode);
}

int unlink(const char *path) {
    if (fails_on_path(path, "change")) return -1;
    return NEXT(unlink)(path);
}

int rename(const char *from, const char *to) {
    if (fails_on_path(to, "change")) return -1;
    return NEXT(rename)(from, to);
}

int linkat(int from_folder, const char *from, int to_folder, const char *to, int flags) {
    if (fails_on_path(to, "change")) return -1;
    return NEXT(linkat)(from_folder, from, to_folder, to, flags);
}
