// What Linux offers only through C macros, variadic calls or sockaddr casts. Each function is a thin, single-purpose
// wrapper: it returns 0 (or a count) on success and an errno value on failure, or a descriptor or a count and -errno where that
// is said, and keeps no state.
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// The layout of `struct ucred` (unix(7)), without the _GNU_SOURCE it hides behind.
struct privyseal_ucred {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

/// Reads the credentials of the process at the other end of a connected Unix socket, as the kernel recorded them at
/// connect(2).
int privyseal_peer_credentials(int fd, struct privyseal_ucred *out);

/// Reads the supplementary groups of that process, as the kernel recorded them then. ERANGE for more than `*count`, which
/// becomes how many there are.
int privyseal_peer_groups(int fd, gid_t *out, size_t *count);

/// prctl(PR_SET_DUMPABLE, 0): no core dump, no ptrace and no /proc/PID/mem for processes of the same user.
int privyseal_disable_dumps(void);

/// prctl(PR_GET_DUMPABLE).
int privyseal_is_dumpable(void);

/// RLIMIT_CORE to 0, soft and hard.
int privyseal_disable_core_files(void);

/// Gives the signals of a crash their default action, which is to end the process: no handler of a runtime's runs any more.
int privyseal_end_on_crash(void);

/// prctl(PR_SET_NO_NEW_PRIVS, 1): no set-user-ID program gives anything. Counts for the calling thread and those it starts.
int privyseal_forgo_privileges(void);

/// prctl(PR_GET_NO_NEW_PRIVS), of the calling thread.
int privyseal_has_forgone_privileges(void);

/// Opens /dev/null for each of the descriptors 0, 1 and 2 that is closed, so that no file can become one of them.
int privyseal_open_standard_descriptors(void);

/// Reads RLIMIT_NOFILE; UINT64_MAX stands for no limit.
int privyseal_descriptor_limit(uint64_t *soft, uint64_t *hard);

/// Sets the soft limit of RLIMIT_NOFILE, and leaves the hard one as it is.
int privyseal_raise_descriptor_limit(uint64_t soft);

/// Closes every descriptor from `first` on: close_range(2), and one after the other where the kernel or a filter refuses that.
int privyseal_close_from(int first);

/// Looks at a descriptor that another process has left here: 0 when it is a Unix stream socket that listens. `path` gets its
/// name, NUL-terminated and empty when it is abstract or has none; ENOTSOCK, EPROTOTYPE or EINVAL (it does not listen).
int privyseal_listening_path(int fd, char *path, size_t capacity);

/// Overwrites memory with zeros in a way the compiler does not remove.
void privyseal_wipe(void *memory, size_t length);

/// Copies the value of an environment variable, overwrites it where it stands and then unsets it: /proc/PID/environ goes
/// on showing what was only unset. `*length` is the length of the value; a value longer than `capacity` is overwritten
/// too, but not copied (ERANGE). ENOENT when there is no such variable. Not thread-safe against setenv(3).
int privyseal_take_environment(const char *name, uint8_t *out, size_t capacity, size_t *length);

/// Sends one datagram to a Unix socket, as sd_notify(3) does. A leading '@' names an abstract socket. Waits so many milliseconds
/// at most for room with the receiver (EAGAIN).
int privyseal_send_datagram(const char *address, const uint8_t *message, size_t length, int milliseconds);

/// A Unix stream socket that listens at `path` with O_NONBLOCK and O_CLOEXEC: the descriptor, or -errno.
int privyseal_listen(const char *path, int backlog);

/// Accepts a connection with O_NONBLOCK and O_CLOEXEC: the descriptor, or -errno.
int privyseal_accept(int fd);

/// Sets O_NONBLOCK.
int privyseal_never_wait(int fd);

/// send(2) with MSG_NOSIGNAL: how many bytes were taken, or -errno.
ssize_t privyseal_send(int fd, const void *bytes, size_t count);

/// Names the calling thread; 15 bytes of it are shown.
void privyseal_name_thread(const char *name);

/// An epoll(7) instance with O_CLOEXEC: the descriptor, or -errno.
int privyseal_poller(void);

/// What is waited for on a descriptor, and what it is ready for.
enum {
    /// Bytes, a connection, or the end.
    PRIVYSEAL_READ = 1,
    PRIVYSEAL_WRITE = 2,
    /// The other side has closed both directions, which is also said with the others.
    PRIVYSEAL_END = 4,
};

/// Says what is waited for on a descriptor, until it has come once: of one that is known, nothing takes it out. 0, or errno.
int privyseal_poller_change(int poller, int fd, uint64_t number, bool is_known, uint8_t interest);

/// A descriptor that is ready.
struct privyseal_ready {
    /// What it was added with.
    uint64_t number;
    /// Both when it is broken.
    uint8_t interest;
};

/// Waits until descriptors are ready, for so long at most, or for ever with -1: how many of them `out` names, or -errno.
/// EINTR counts as none.
int privyseal_poller_wait(int poller, struct privyseal_ready *out, int capacity, int milliseconds);

/// An eventfd(2) with O_CLOEXEC, O_NONBLOCK and EFD_SEMAPHORE that a poller waits for: the descriptor, or -errno. It is ready
/// until it has been taken as often as it was rung.
int privyseal_poller_add_bell(int poller, uint64_t number);
void privyseal_bell_ring(int bell, uint64_t times);
bool privyseal_bell_take(int bell);

/// Connects to a Unix stream socket and closes the connection again. 0 when somebody is listening.
int privyseal_probe_stream_socket(const char *path);

/// The number of bytes a path may have in `sun_path`, its terminating NUL left out.
size_t privyseal_socket_path_limit(void);

/// open(2) with O_CLOEXEC, begun again after EINTR: the descriptor, or -errno.
int privyseal_open(const char *path, int flags, mode_t mode);

/// Which mount a file is reached through, as the first column of mountinfo has it (proc(5), STATX_MNT_ID of statx(2)): what `path`
/// names below `fd`, or `fd` itself for an empty one. ENOTSUP before Linux 5.8.
int privyseal_mount_number(int fd, const char *path, uint64_t *number);

/// Fills memory from getrandom(2), waiting for the kernel's generator to be seeded.
int privyseal_random(void *memory, size_t length);

/// gettid(2).
pid_t privyseal_thread_id(void);

/// Whether a thread is scheduled as SCHED_IDLE (sched(7)); EINVAL for another policy than that and SCHED_OTHER.
int privyseal_thread_is_idle(pid_t thread, int *is_idle);

/// Has a thread scheduled as SCHED_IDLE or as SCHED_OTHER, its nice value being kept. EPERM for SCHED_OTHER again without
/// CAP_SYS_NICE and with less than `20 - nice` as RLIMIT_NICE.
int privyseal_set_thread_idle(pid_t thread, int is_idle);

/// Waits for a semaphore, for so many nanoseconds of CLOCK_MONOTONIC at most, or for ever with -1: 0, or ETIMEDOUT.
int privyseal_semaphore_wait(sem_t *semaphore, int64_t nanoseconds);

/// A lock, and a condition that those who wait for it, each for its time, are woken for.
struct privyseal_condition {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
};

/// 0, or errno.
int privyseal_condition_init(struct privyseal_condition *condition);
void privyseal_condition_destroy(struct privyseal_condition *condition);

/// Waits until the condition is announced, with its mutex held, for so many nanoseconds of CLOCK_MONOTONIC at most: 0, or
/// ETIMEDOUT. May return without an announcement.
int privyseal_condition_wait(struct privyseal_condition *condition, int64_t nanoseconds);

/// Has every shared library that is loaded stay so until the process ends, whoever closes it. ENOMEM when not every one was
/// reached.
int privyseal_keep_libraries(void);
