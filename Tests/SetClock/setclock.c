#define _GNU_SOURCE
#include "SetClock.h"

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

// Waits whose end is a moment of the wall clock are made of short ones: so they notice, as the kernel's do, that it is set.

static struct setclock_state *state;

/// Calls are made before this library is initialised, by the constructors of others.
#define NEXT(function) ((__typeof__(&function))dlsym(RTLD_NEXT, #function))

__attribute__((constructor)) static void open_state(void) {
    const char *const path = getenv("SETCLOCK_FILE");
    if (path == NULL) return;
    // The first call loads a library.
    void *frame;
    (void)backtrace(&frame, 1);
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) abort();
    void *const memory = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) abort();
    close(fd);
    state = memory;
}

enum { SECOND = 1000000000, SLICE = 10000000 };

static int64_t nanoseconds(const struct timespec *time) { return (int64_t)time->tv_sec * SECOND + time->tv_nsec; }

static struct timespec timespec_of(int64_t time) {
    return (struct timespec){.tv_sec = (time_t)(time / SECOND), .tv_nsec = (long)(time % SECOND)};
}

static int64_t machine_time(clockid_t clock) {
    struct timespec time;
    NEXT(clock_gettime)(clock, &time);
    return nanoseconds(&time);
}

static int64_t wall_time(void) { return machine_time(CLOCK_REALTIME) + (state != NULL ? state->offset : 0); }

static struct timespec end_of_slice(void) { return timespec_of(machine_time(CLOCK_MONOTONIC) + SLICE); }

/// Whether there is none but libdispatch's code on the stack: a thread of its pool rests for five seconds before it ends. It can
/// be woken for work however long that becomes, so nothing is held up.
static bool is_pool_resting(void) {
    void *frames[32];
    const int count = backtrace(frames, sizeof frames / sizeof *frames);
    bool is_dispatch = false;
    for (int i = 0; i < count; i++) {
        Dl_info place;
        if (!dladdr(frames[i], &place) || place.dli_fname == NULL) continue;
        if (strstr(place.dli_fname, "libdispatch") != NULL) {
            is_dispatch = true;
        } else if (strstr(place.dli_fname, "libSetClock") == NULL && strstr(place.dli_fname, "/libc.so") == NULL) {
            return false;
        }
    }
    return is_dispatch;
}

static void count_wait(void) {
    if (state != NULL && !is_pool_resting()) state->waits++;
}

// What the time is

int clock_gettime(clockid_t clock, struct timespec *out) {
    const bool is_wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
    if (!is_wall) return NEXT(clock_gettime)(clock, out);
    *out = timespec_of(wall_time());
    return 0;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
    (void)zone;
    const int64_t now = wall_time();
    out->tv_sec = (time_t)(now / SECOND);
    out->tv_usec = (suseconds_t)(now % SECOND / 1000);
    return 0;
}

time_t time(time_t *out) {
    const time_t now = (time_t)(wall_time() / SECOND);
    if (out != NULL) *out = now;
    return now;
}

// Waiting until a moment of it

static int wait_for_semaphore(sem_t *semaphore, const struct timespec *end) {
    count_wait();
    while (true) {
        const struct timespec slice = end_of_slice();
        if (NEXT(sem_clockwait)(semaphore, CLOCK_MONOTONIC, &slice) == 0) return 0;
        if (errno != ETIMEDOUT) return -1;
        if (wall_time() >= nanoseconds(end)) {
            errno = ETIMEDOUT;
            return -1;
        }
    }
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict end) {
    return wait_for_semaphore(semaphore, end);
}

int sem_clockwait(sem_t *restrict semaphore, clockid_t clock, const struct timespec *restrict end) {
    return clock == CLOCK_REALTIME ? wait_for_semaphore(semaphore, end) : NEXT(sem_clockwait)(semaphore, clock, end);
}

static int wait_for_condition(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *end) {
    count_wait();
    while (true) {
        const struct timespec slice = end_of_slice();
        const int result = NEXT(pthread_cond_clockwait)(condition, mutex, CLOCK_MONOTONIC, &slice);
        if (result != ETIMEDOUT || wall_time() >= nanoseconds(end)) return result;
    }
}

int pthread_cond_timedwait(
    pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex, const struct timespec *restrict end) {
    // glibc's mark of pthread_condattr_setclock(3).
    const bool is_monotonic = (condition->__data.__wrefs & 2) != 0;
    return is_monotonic ? NEXT(pthread_cond_clockwait)(condition, mutex, CLOCK_MONOTONIC, end)
                        : wait_for_condition(condition, mutex, end);
}

int pthread_cond_clockwait(
    pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex, clockid_t clock, const struct timespec *restrict end) {
    return clock == CLOCK_REALTIME ? wait_for_condition(condition, mutex, end)
                                   : NEXT(pthread_cond_clockwait)(condition, mutex, clock, end);
}

// What follows is counted and not changed: nobody is to call it.

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict end) {
    count_wait();
    return NEXT(pthread_mutex_timedlock)(mutex, end);
}

int pthread_rwlock_timedrdlock(pthread_rwlock_t *restrict lock, const struct timespec *restrict end) {
    count_wait();
    return NEXT(pthread_rwlock_timedrdlock)(lock, end);
}

int pthread_rwlock_timedwrlock(pthread_rwlock_t *restrict lock, const struct timespec *restrict end) {
    count_wait();
    return NEXT(pthread_rwlock_timedwrlock)(lock, end);
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *rest) {
    if (clock == CLOCK_REALTIME && (flags & TIMER_ABSTIME)) count_wait();
    return NEXT(clock_nanosleep)(clock, flags, time, rest);
}

int timerfd_create(clockid_t clock, int flags) {
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM) count_wait();
    return NEXT(timerfd_create)(clock, flags);
}
