#define _GNU_SOURCE
#include "CPlatform.h"

#include <errno.h>
#include <time.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
// ThreadSanitizer knows sem_post(3) and sem_wait(3), and not sem_clockwait(3).
void __tsan_acquire(void *address);
#define ACQUIRED(address) __tsan_acquire(address)
#endif
#endif
#ifndef ACQUIRED
#define ACQUIRED(address) ((void)(address))
#endif

/// The end of a time that begins now. On CLOCK_MONOTONIC: an end on CLOCK_REALTIME, which sem_timedwait(3) and
/// pthread_cond_timedwait(3) take, is put off by as much as somebody sets that clock back.
static struct timespec end_of(int64_t nanoseconds) {
    enum { SECOND = 1000000000 };
    struct timespec end;
    // Cannot fail: every kernel has the clock.
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += (time_t)(nanoseconds / SECOND);
    end.tv_nsec += (long)(nanoseconds % SECOND);
    if (end.tv_nsec >= SECOND) {
        end.tv_sec += 1;
        end.tv_nsec -= SECOND;
    }
    return end;
}

int privyseal_semaphore_wait(sem_t *semaphore, int64_t nanoseconds) {
    if (nanoseconds < 0) {
        while (sem_wait(semaphore) != 0) {
            if (errno != EINTR) return errno;
        }
        return 0;
    }
    const struct timespec end = end_of(nanoseconds);
    while (sem_clockwait(semaphore, CLOCK_MONOTONIC, &end) != 0) {
        if (errno != EINTR) return errno;
    }
    ACQUIRED(semaphore);
    return 0;
}

int privyseal_condition_init(struct privyseal_condition *condition) {
    const int failure = pthread_mutex_init(&condition->mutex, NULL);
    return failure != 0 ? failure : pthread_cond_init(&condition->changed, NULL);
}

void privyseal_condition_destroy(struct privyseal_condition *condition) {
    (void)pthread_cond_destroy(&condition->changed);
    (void)pthread_mutex_destroy(&condition->mutex);
}

int privyseal_condition_wait(struct privyseal_condition *condition, int64_t nanoseconds) {
    const struct timespec end = end_of(nanoseconds);
    return pthread_cond_clockwait(&condition->changed, &condition->mutex, CLOCK_MONOTONIC, &end);
}
