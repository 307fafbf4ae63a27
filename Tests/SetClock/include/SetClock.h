// Preloaded into a program (ld.so(8), LD_PRELOAD), it gives that program alone another wall clock, which a test sets while the
// program runs, and counts the program's waits for a moment of that clock.
#pragma once

#include <stdint.h>

/// What stands in the file that SETCLOCK_FILE names, in the machine's byte order.
struct setclock_state {
    /// Nanoseconds by which the program's wall clock is ahead of the machine's.
    _Atomic int64_t offset;
    /// How often the program has begun to wait until a moment of the wall clock, or made a timer for one; libdispatch's own
    /// threads, which rest so, left out.
    _Atomic uint64_t waits;
};
