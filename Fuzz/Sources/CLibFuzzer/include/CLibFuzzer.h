#ifndef PRIVYSEAL_CLIBFUZZER_H
#define PRIVYSEAL_CLIBFUZZER_H

#include <stddef.h>
#include <stdint.h>

/// libFuzzer as a library: runs with the command line's options and feeds `callback` until it is told to end.
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));

#endif
