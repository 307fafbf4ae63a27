#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>
#include <string.h>
#include <time.h>

/*
 * How often something took how long, in nanoseconds: 128 steps to each power of two, so that a percentile is right to
 * less than one per cent. Two can be added up.
 */
enum { HISTOGRAM_STEPS = 128, HISTOGRAM_BUCKETS = HISTOGRAM_STEPS * 34 };

struct histogram {
    uint64_t total;
    uint32_t count[HISTOGRAM_BUCKETS];
};

static inline uint64_t monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline void histogram_note(struct histogram *histogram, uint64_t ns) {
    unsigned shift = 0, bucket;
    while ((ns >> shift) >= 2 * HISTOGRAM_STEPS) shift++;
    bucket = shift * HISTOGRAM_STEPS + (unsigned)(ns >> shift);
    histogram->count[bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1]++;
    histogram->total++;
}

static inline void histogram_add(struct histogram *to, const struct histogram *from) {
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) to->count[bucket] += from->count[bucket];
    to->total += from->total;
}

/* Microseconds that the given share of all stayed below. */
static inline double histogram_us(const struct histogram *histogram, double share) {
    uint64_t seen = 0, wanted = (uint64_t)(share * (double)histogram->total);
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->count[bucket];
        if (seen > wanted) {
            unsigned shift = bucket < 2 * HISTOGRAM_STEPS ? 0 : bucket / HISTOGRAM_STEPS - 1;
            double step = bucket - shift * HISTOGRAM_STEPS + (shift > 0 ? 0.5 : 0);
            return step * (double)(1ull << shift) / 1000;
        }
    }
    return 0;
}

#endif
