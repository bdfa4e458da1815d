/* Records what a process writes to the files below one folder, and what it has made sure of.
 *
 * Loaded before the C library (LD_PRELOAD), it stands in for the calls that change files, makes
 * each of them, and appends a record of it to a journal. One lock is held meanwhile, so that the
 * order of the records is the order of the calls, and what a sync made sure of is what stands
 * before it. What reaches the disk past these calls is found out later: the journal's files are
 * held against the real ones.
 *
 * SESSIONSTORE_POWER_FOLDER is the folder, without a slash at its end, SESSIONSTORE_POWER_JOURNAL
 * the journal. A record is: kind (1 byte), length of the name (4), file (8), offset (8), length of
 * the data (8), name, data. Its kinds are read in journal.py.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static const char *folder;
static size_t folder_length;
static int journal = -1;

static void hold(void) { pthread_mutex_lock(&lock); }
static void release(void) { pthread_mutex_unlock(&lock); }

static void begin(void) {
    const char *path = getenv("SESSIONSTORE_POWER_JOURNAL");
    folder = getenv("SESSIONSTORE_POWER_FOLDER");
    if (!path || !folder) return;
    folder_length = strlen(folder);
    /* A child that is forked while another thread holds the lock would wait for it for ever. */
    pthread_atfork(hold, release, release);
    journal = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int is_recording(void) {
    pthread_once(&once, begin);
    return journal >= 0;
}

static void append(const void *data, size_t length) {
    const char *rest = data;
    while (length) {
        ssize_t written = syscall(SYS_write, journal, rest, length);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) {
            /* A journal with a gap would speak of a disk that never was: better none at all. */
            journal = -1;
            return;
        }
        rest += written;
        length -= (size_t)written;
    }
}

static void record(char kind, const char *name, uint64_t file, int64_t offset, const void *data, int64_t length) {
    char head[29];
    uint32_t name_length = (uint32_t)strlen(name);
    int kept = errno;
    head[0] = kind;
    memcpy(head + 1, &name_length, 4);
    memcpy(head + 5, &file, 8);
    memcpy(head + 13, &offset, 8);
    memcpy(head + 21, &length, 8);
    append(head, sizeof head);
    append(name, name_length);
    if (length) append(data, (size_t)length);
    errno = kept;
}

/* Names ------------------------------------------------------------------------------------- */

static int is_below(const char *path) {
    return strncmp(path, folder, folder_length) == 0 && (path[folder_length] == '/' || path[folder_length] == 0);
}

/* The path that an open file has now; a removed one ends in " (deleted)". */
static int path_of(int fd, char *into) {
    char link[48];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, into, PATH_MAX - 1);
    if (length < 0) return 0;
    into[length] = 0;
    return is_below(into);
}

/* The file's number, where an open file is an ordinary one of ours; 0 where it is not. */
static uint64_t file_of(int fd) {
    char path[PATH_MAX];
    struct stat found;
    int kept = errno;
    uint64_t file = 0;
    if (is_recording() && fstat(fd, &found) == 0 && S_ISREG(found.st_mode) && path_of(fd, path)) file = found.st_ino;
    errno = kept;
    return file;
}

/* The path of a name, whose folder exists, without links in the folder's part. */
static int name_at(int directory, const char *path, char *into) {
    char parent[PATH_MAX], whole[PATH_MAX];
    if (!is_recording() || !path || !*path || strlen(path) >= PATH_MAX) return 0;
    if (path[0] == '/' || directory == AT_FDCWD) {
        snprintf(whole, sizeof whole, "%s", path);
    } else {
        char link[48], base[PATH_MAX];
        snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
        ssize_t length = readlink(link, base, sizeof base - 1);
        if (length < 0) return 0;
        base[length] = 0;
        if (snprintf(whole, sizeof whole, "%s/%s", base, path) >= (int)sizeof whole) return 0;
    }
    size_t length = strlen(whole);
    while (length > 1 && whole[length - 1] == '/') whole[--length] = 0;
    char *slash = strrchr(whole, '/');
    const char *last = slash ? slash + 1 : whole;
    if (!slash) strcpy(parent, ".");
    else if (slash == whole) strcpy(parent, "/");
    else {
        memcpy(parent, whole, (size_t)(slash - whole));
        parent[slash - whole] = 0;
    }
    char resolved[PATH_MAX];
    if (!realpath(parent, resolved)) return 0;
    if (snprintf(into, PATH_MAX, "%s/%s", resolved, last) >= PATH_MAX) return 0;
    return is_below(into);
}

#define NAME(variable, directory, path)                                                            \
    char variable[PATH_MAX];                                                                       \
    int kept_##variable = errno;                                                                   \
    int is_##variable = name_at(directory, path, variable);                                        \
    errno = kept_##variable;

/* Opening ----------------------------------------------------------------------------------- */

static int opened(int directory, const char *path, int flags, mode_t mode) {
    NAME(name, directory, path)
    if (!is_name) return (int)syscall(SYS_openat, directory, path, flags, mode);
    struct stat before, after;
    pthread_mutex_lock(&lock);
    int existed = fstatat(AT_FDCWD, name, &before, 0) == 0;
    int fd = (int)syscall(SYS_openat, directory, path, flags, mode);
    int kept = errno;
    if (fd >= 0 && fstat(fd, &after) == 0 && S_ISREG(after.st_mode)) {
        if ((flags & O_TMPFILE) == O_TMPFILE) record('C', "", after.st_ino, 0, NULL, 0);
        else if (!existed) {
            char real[PATH_MAX];
            if (path_of(fd, real)) record('C', real, after.st_ino, 0, NULL, 0);
        } else if (flags & O_TRUNC) record('T', "", after.st_ino, 0, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    errno = kept;
    return fd;
}

#define MODE                                                                                       \
    mode_t mode = 0;                                                                               \
    if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) {                                   \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode = (mode_t)va_arg(rest, int);                                                          \
        va_end(rest);                                                                              \
    }
int open(const char *path, int flags, ...) { MODE return opened(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE return opened(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int at, const char *path, int flags, ...) { MODE return opened(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE return opened(at, path, flags | O_LARGEFILE, mode); }
int __open_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return opened(AT_FDCWD, path, flags | O_LARGEFILE, 0); }
int __openat_2(int at, const char *path, int flags) { return opened(at, path, flags, 0); }
int __openat64_2(int at, const char *path, int flags) { return opened(at, path, flags | O_LARGEFILE, 0); }
int creat(const char *path, mode_t mode) { return opened(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

/* Writing ----------------------------------------------------------------------------------- */

static void wrote(int fd, uint64_t file, int64_t offset, const void *data, int64_t length) {
    record('W', "", file, offset, data, length);
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && (flags & O_DSYNC)) record('S', "", file, 0, NULL, 0);
}

/* Where a write that names no offset has begun, from where it has ended. */
static int64_t began(int fd, ssize_t length) { return lseek(fd, 0, SEEK_CUR) - length; }

ssize_t write(int fd, const void *data, size_t length) {
    uint64_t file = file_of(fd);
    if (!file) return syscall(SYS_write, fd, data, length);
    pthread_mutex_lock(&lock);
    ssize_t written = syscall(SYS_write, fd, data, length);
    int kept = errno;
    if (written > 0) wrote(fd, file, began(fd, written), data, written);
    pthread_mutex_unlock(&lock);
    errno = kept;
    return written;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    uint64_t file = file_of(fd);
    if (!file) return syscall(SYS_pwrite64, fd, data, length, offset);
    pthread_mutex_lock(&lock);
    ssize_t written = syscall(SYS_pwrite64, fd, data, length, offset);
    int kept = errno;
    if (written > 0) wrote(fd, file, offset, data, written);
    pthread_mutex_unlock(&lock);
    errno = kept;
    return written;
}
ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) { return pwrite(fd, data, length, offset); }

/* At the offset -1: where the file is. */
static ssize_t wrote_parts(int fd, const struct iovec *parts, int count, off_t offset, int flags) {
    uint64_t file = file_of(fd);
    if (file) pthread_mutex_lock(&lock);
    ssize_t written = offset == -1 && !flags ? syscall(SYS_writev, fd, parts, count)
                                             : syscall(SYS_pwritev2, fd, parts, count, offset, 0L, flags);
    if (!file) return written;
    int kept = errno;
    if (written > 0) {
        ssize_t left = written;
        int64_t at = offset == -1 ? began(fd, written) : offset;
        for (int part = 0; part < count && left > 0; part++) {
            ssize_t length = (ssize_t)parts[part].iov_len < left ? (ssize_t)parts[part].iov_len : left;
            if (length) wrote(fd, file, at, parts[part].iov_base, length);
            at += length;
            left -= length;
        }
        if (flags & (RWF_SYNC | RWF_DSYNC)) record('S', "", file, 0, NULL, 0);
    }
    pthread_mutex_unlock(&lock);
    errno = kept;
    return written;
}
ssize_t writev(int fd, const struct iovec *parts, int count) { return wrote_parts(fd, parts, count, -1, 0); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    return wrote_parts(fd, parts, count, offset, 0);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) {
    return wrote_parts(fd, parts, count, offset, 0);
}
ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags) {
    return wrote_parts(fd, parts, count, offset, flags);
}
ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off64_t offset, int flags) {
    return wrote_parts(fd, parts, count, offset, flags);
}

static int resized(int fd, off_t length) {
    uint64_t file = file_of(fd);
    if (file) pthread_mutex_lock(&lock);
    int answer = (int)syscall(SYS_ftruncate, fd, length);
    if (file) {
        if (answer == 0) record('T', "", file, length, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    return answer;
}
int ftruncate(int fd, off_t length) { return resized(fd, length); }
int ftruncate64(int fd, off64_t length) { return resized(fd, length); }

int truncate(const char *path, off_t length) {
    int fd = opened(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
    if (fd < 0) return -1;
    int answer = resized(fd, length), kept = errno;
    close(fd);
    errno = kept;
    return answer;
}
int truncate64(const char *path, off64_t length) { return truncate(path, length); }

static int made_room(int fd, int mode, off_t offset, off_t length) {
    uint64_t file = file_of(fd);
    if (file) pthread_mutex_lock(&lock);
    int answer = (int)syscall(SYS_fallocate, fd, mode, offset, length);
    if (file) {
        /* Other modes move what is in the file: that the journal differs is found out later. */
        if (answer == 0 && mode == 0) record('G', "", file, offset + length, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    return answer;
}
int fallocate(int fd, int mode, off_t offset, off_t length) { return made_room(fd, mode, offset, length); }
int fallocate64(int fd, int mode, off64_t offset, off64_t length) { return made_room(fd, mode, offset, length); }
int posix_fallocate(int fd, off_t offset, off_t length) {
    int kept = errno, answer = made_room(fd, 0, offset, length) == 0 ? 0 : errno;
    errno = kept;
    return answer;
}
int posix_fallocate64(int fd, off64_t offset, off64_t length) { return posix_fallocate(fd, offset, length); }

/* A file that is mapped to be written is written past all of this. */
void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset) {
    void *answer = (void *)syscall(SYS_mmap, address, length, protection, flags, fd, offset);
    if (answer != MAP_FAILED && fd >= 0 && (flags & MAP_SHARED) && (protection & PROT_WRITE)) {
        uint64_t file = file_of(fd);
        if (file) {
            pthread_mutex_lock(&lock);
            record('P', "", file, 0, NULL, 0);
            pthread_mutex_unlock(&lock);
        }
    }
    return answer;
}
void *mmap64(void *address, size_t length, int protection, int flags, int fd, off64_t offset) {
    return mmap(address, length, protection, flags, fd, offset);
}

/* Making sure ------------------------------------------------------------------------------- */

static int synced(int fd, long call) {
    char path[PATH_MAX];
    struct stat found;
    int kept = errno;
    int is_ours = is_recording() && fstat(fd, &found) == 0 && path_of(fd, path);
    errno = kept;
    if (!is_ours) return (int)syscall(call, fd);
    pthread_mutex_lock(&lock);
    int answer = (int)syscall(call, fd);
    if (answer == 0) record(S_ISDIR(found.st_mode) ? 'D' : 'S', S_ISDIR(found.st_mode) ? path : "", found.st_ino, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return answer;
}
int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }
int syncfs(int fd) {
    int answer = (int)syscall(SYS_syncfs, fd);
    if (answer == 0 && is_recording()) {
        pthread_mutex_lock(&lock);
        record('A', "", 0, 0, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    return answer;
}
void sync(void) {
    syscall(SYS_sync);
    if (is_recording()) {
        pthread_mutex_lock(&lock);
        record('A', "", 0, 0, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
}

/* Names that come and go -------------------------------------------------------------------- */

static int removed(int at, const char *path, int flags) {
    NAME(name, at, path)
    if (is_name) pthread_mutex_lock(&lock);
    int answer = (int)syscall(SYS_unlinkat, at, path, flags);
    if (is_name) {
        if (answer == 0 && !(flags & AT_REMOVEDIR)) record('U', name, 0, 0, NULL, 0);
        pthread_mutex_unlock(&lock);
    }
    return answer;
}
int unlink(const char *path) { return removed(AT_FDCWD, path, 0); }
int unlinkat(int at, const char *path, int flags) { return removed(at, path, flags); }

static int renamed(int from, const char *old, int to, const char *new, unsigned flags) {
    NAME(source, from, old)
    NAME(target, to, new)
    if (is_source || is_target) pthread_mutex_lock(&lock);
    int answer = (int)syscall(SYS_renameat2, from, old, to, new, flags);
    if (is_source || is_target) {
        struct stat found;
        int kept = errno;
        if (answer == 0) {
            /* Folders and exchanges are not followed: that the journal differs is found out. */
            int is_file = is_target && stat(target, &found) == 0 && S_ISREG(found.st_mode);
            if (is_source && is_target && is_file)
                record('R', source, found.st_ino, 0, target, (int64_t)strlen(target));
            else if (is_source && !is_target) record('U', source, 0, 0, NULL, 0);
        }
        pthread_mutex_unlock(&lock);
        errno = kept;
    }
    return answer;
}
int rename(const char *old, const char *new) { return renamed(AT_FDCWD, old, AT_FDCWD, new, 0); }
int renameat(int from, const char *old, int to, const char *new) { return renamed(from, old, to, new, 0); }
int renameat2(int from, const char *old, int to, const char *new, unsigned flags) {
    return renamed(from, old, to, new, flags);
}

static int linked(int from, const char *old, int to, const char *new, int flags) {
    NAME(target, to, new)
    if (is_target) pthread_mutex_lock(&lock);
    int answer = (int)syscall(SYS_linkat, from, old, to, new, flags);
    if (is_target) {
        struct stat found;
        int kept = errno;
        if (answer == 0 && stat(target, &found) == 0 && S_ISREG(found.st_mode))
            record('L', target, found.st_ino, 0, NULL, 0);
        pthread_mutex_unlock(&lock);
        errno = kept;
    }
    return answer;
}
int link(const char *old, const char *new) { return linked(AT_FDCWD, old, AT_FDCWD, new, 0); }
int linkat(int from, const char *old, int to, const char *new, int flags) {
    return linked(from, old, to, new, flags);
}

/* What was answered: called by the process that holds the store, and the proof that it is loaded. */
int sessionstore_power_mark(const char *text) {
    if (!is_recording()) return 0;
    pthread_mutex_lock(&lock);
    record('M', text, 0, 0, NULL, 0);
    pthread_mutex_unlock(&lock);
    return 1;
}
