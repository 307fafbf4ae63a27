#define _GNU_SOURCE
#include "CPlatform.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

_Static_assert(sizeof(struct privyseal_ucred) == sizeof(struct ucred), "struct ucred has changed");

int privyseal_peer_credentials(int fd, struct privyseal_ucred *out) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0) return errno;
    if (length != sizeof peer) return EINVAL;
    out->pid = peer.pid;
    out->uid = peer.uid;
    out->gid = peer.gid;
    return 0;
}

int privyseal_peer_groups(int fd, gid_t *out, size_t *count) {
    socklen_t length = (socklen_t)(*count * sizeof *out);
    const int failure = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, out, &length) == 0 ? 0 : errno;
    *count = length / sizeof *out;
    return failure;
}

int privyseal_disable_dumps(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : errno; }

void privyseal_name_thread(const char *name) { (void)prctl(PR_SET_NAME, name, 0, 0, 0); }

int privyseal_is_dumpable(void) { return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0); }

int privyseal_disable_core_files(void) {
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = 0};
    return setrlimit(RLIMIT_CORE, &none) == 0 ? 0 : errno;
}

int privyseal_end_on_crash(void) {
    const int signals[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGQUIT, SIGSEGV, SIGSYS, SIGTRAP};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        if (signal(signals[i], SIG_DFL) == SIG_ERR) return errno;
    }
    return 0;
}

int privyseal_forgo_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : errno; }

int privyseal_has_forgone_privileges(void) { return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); }

int privyseal_open_standard_descriptors(void) {
    for (;;) {
        // The lowest that is free.
        const int fd = open("/dev/null", O_RDWR);
        if (fd < 0) return errno;
        if (fd <= STDERR_FILENO) continue;
        close(fd);
        return 0;
    }
}

int privyseal_close_from(int first) {
    if (close_range((unsigned)first, ~0U, 0) == 0) return 0;
    DIR *const open_ones = opendir("/proc/self/fd");
    if (open_ones == NULL) return errno;
    const struct dirent *entry;
    while ((entry = readdir(open_ones)) != NULL) {
        char *end;
        const long fd = strtol(entry->d_name, &end, 10);
        if (*end == '\0' && end != entry->d_name && fd >= first && fd != dirfd(open_ones)) close((int)fd);
    }
    closedir(open_ones);
    return 0;
}

int privyseal_descriptor_limit(uint64_t *soft, uint64_t *hard) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return errno;
    *soft = limit.rlim_cur;
    *hard = limit.rlim_max;
    return 0;
}

int privyseal_raise_descriptor_limit(uint64_t soft) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return errno;
    limit.rlim_cur = soft;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? 0 : errno;
}

int privyseal_listening_path(int fd, char *path, size_t capacity) {
    struct sockaddr_un address;
    socklen_t length = sizeof address;
    memset(&address, 0, sizeof address);
    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0) return errno;
    int type = 0;
    int listens = 0;
    socklen_t size = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return errno;
    size = sizeof listens;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0) return errno;
    if (address.sun_family != AF_UNIX || type != SOCK_STREAM) return EPROTOTYPE;
    if (!listens) return EINVAL;
    // The kernel does not promise a NUL at the end of a name that fills the field.
    const size_t longest = length > offsetof(struct sockaddr_un, sun_path) ? length - offsetof(struct sockaddr_un, sun_path) : 0;
    const size_t count = strnlen(address.sun_path, longest);
    if (count >= capacity) return ENAMETOOLONG;
    memcpy(path, address.sun_path, count);
    path[count] = '\0';
    return 0;
}

void privyseal_wipe(void *memory, size_t length) {
    if (length > 0) explicit_bzero(memory, length);
}

int privyseal_take_environment(const char *name, uint8_t *out, size_t capacity, size_t *length) {
    char *value = getenv(name);
    if (value == NULL) return ENOENT;
    *length = strlen(value);
    const int fits = *length <= capacity;
    if (fits) memcpy(out, value, *length);
    privyseal_wipe(value, *length);
    if (unsetenv(name) != 0) return errno;
    return fits ? 0 : ERANGE;
}

/// Fills in a Unix socket address; 0 when the name does not fit.
static socklen_t unix_address(const char *name, int may_be_abstract, struct sockaddr_un *address) {
    const size_t length = strlen(name);
    memset(address, 0, sizeof *address);
    address->sun_family = AF_UNIX;
    if (length == 0 || length >= sizeof address->sun_path) return 0;
    memcpy(address->sun_path, name, length);
    if (may_be_abstract && name[0] == '@') {
        // An abstract name is counted, not NUL-terminated: a NUL behind it would be part of it.
        address->sun_path[0] = '\0';
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    }
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
}

int privyseal_send_datagram(const char *name, const uint8_t *message, size_t length, int milliseconds) {
    struct sockaddr_un address;
    const socklen_t address_length = unix_address(name, 1, &address);
    if (address_length == 0) return ENAMETOOLONG;
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    // 0 would be for ever.
    const int most = milliseconds > 0 ? milliseconds : 1;
    const struct timeval limit = {.tv_sec = most / 1000, .tv_usec = (most % 1000) * 1000L};
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0) {
        const int failure = errno;
        close(fd);
        return failure;
    }
    const ssize_t sent =
        sendto(fd, message, length, MSG_NOSIGNAL, (const struct sockaddr *)&address, address_length);
    const int failure = sent < 0 ? errno : ((size_t)sent == length ? 0 : EMSGSIZE);
    close(fd);
    return failure;
}

int privyseal_listen(const char *path, int backlog) {
    struct sockaddr_un address;
    const socklen_t address_length = unix_address(path, 0, &address);
    if (address_length == 0) return -ENAMETOOLONG;
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    if (bind(fd, (const struct sockaddr *)&address, address_length) == 0 && listen(fd, backlog) == 0) return fd;
    const int failure = errno;
    close(fd);
    return -failure;
}

int privyseal_accept(int fd) {
    int accepted;
    do {
        accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    } while (accepted < 0 && errno == EINTR);
    return accepted < 0 ? -errno : accepted;
}

int privyseal_never_wait(int fd) {
    const int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 ? 0 : errno;
}

ssize_t privyseal_send(int fd, const void *bytes, size_t count) {
    ssize_t sent;
    do {
        sent = send(fd, bytes, count, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

int privyseal_poller(void) {
    const int poller = epoll_create1(EPOLL_CLOEXEC);
    return poller < 0 ? -errno : poller;
}

int privyseal_poller_change(int poller, int fd, uint64_t number, bool is_known, uint8_t interest) {
    struct epoll_event event = {.events = EPOLLONESHOT, .data.u64 = number};
    if (interest & PRIVYSEAL_READ) event.events |= EPOLLIN | EPOLLRDHUP;
    if (interest & PRIVYSEAL_WRITE) event.events |= EPOLLOUT;
    const int operation = !is_known ? EPOLL_CTL_ADD : !interest ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    return epoll_ctl(poller, operation, fd, &event) == 0 ? 0 : errno;
}

int privyseal_poller_wait(int poller, struct privyseal_ready *out, int capacity, int milliseconds) {
    enum { MOST = 64 };
    struct epoll_event events[MOST];
    const int count = epoll_wait(poller, events, capacity < MOST ? capacity : MOST, milliseconds);
    if (count < 0) return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        const uint32_t flags = events[i].events;
        out[i].number = events[i].data.u64;
        out[i].interest = (uint8_t)((flags & (EPOLLIN | EPOLLRDHUP) ? PRIVYSEAL_READ : 0) |
                                    (flags & EPOLLOUT ? PRIVYSEAL_WRITE : 0) |
                                    (flags & (EPOLLHUP | EPOLLERR) ? PRIVYSEAL_READ | PRIVYSEAL_WRITE | PRIVYSEAL_END : 0));
    }
    return count;
}

int privyseal_poller_add_bell(int poller, uint64_t number) {
    const int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
    if (bell < 0) return -errno;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = number};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, bell, &event) == 0) return bell;
    const int failure = errno;
    close(bell);
    return -failure;
}

void privyseal_bell_ring(int bell, uint64_t times) { (void)eventfd_write(bell, times); }

bool privyseal_bell_take(int bell) {
    eventfd_t one;
    return eventfd_read(bell, &one) == 0;
}

int privyseal_probe_stream_socket(const char *path) {
    struct sockaddr_un address;
    const socklen_t address_length = unix_address(path, 0, &address);
    if (address_length == 0) return ENAMETOOLONG;
    // Not blocking: a listener with a full backlog answers EAGAIN instead of keeping the caller waiting.
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return errno;
    const int failure = connect(fd, (const struct sockaddr *)&address, address_length) == 0 ? 0 : errno;
    close(fd);
    return failure == EAGAIN ? 0 : failure;
}

size_t privyseal_socket_path_limit(void) { return sizeof(((struct sockaddr_un *)0)->sun_path) - 1; }

int privyseal_open(const char *path, int flags, mode_t mode) {
    int fd;
    do {
        fd = open(path, flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? -errno : fd;
}

int privyseal_mount_number(int fd, const char *path, uint64_t *number) {
    struct statx found;
    if (statx(fd, path, AT_EMPTY_PATH, STATX_MNT_ID, &found) != 0) return errno;
    if (!(found.stx_mask & STATX_MNT_ID)) return ENOTSUP;
    *number = found.stx_mnt_id;
    return 0;
}

int privyseal_random(void *memory, size_t length) {
    uint8_t *next = memory;
    while (length > 0) {
        const ssize_t count = getrandom(next, length, 0);
        if (count < 0) {
            if (errno == EINTR) continue;
            return errno;
        }
        next += count;
        length -= (size_t)count;
    }
    return 0;
}

pid_t privyseal_thread_id(void) { return (pid_t)syscall(SYS_gettid); }

int privyseal_thread_is_idle(pid_t thread, int *is_idle) {
    const int policy = sched_getscheduler(thread);
    if (policy < 0) return errno;
    *is_idle = policy == SCHED_IDLE;
    return policy == SCHED_IDLE || policy == SCHED_OTHER ? 0 : EINVAL;
}

int privyseal_set_thread_idle(pid_t thread, int is_idle) {
    const struct sched_param none = {.sched_priority = 0};
    return sched_setscheduler(thread, is_idle ? SCHED_IDLE : SCHED_OTHER, &none) == 0 ? 0 : errno;
}
