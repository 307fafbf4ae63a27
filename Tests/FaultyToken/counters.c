/* Counts what is called, where other processes can read it: also while a call is held, and after a kill. */
#define _GNU_SOURCE
#include "faulty.h"

#include "include/FaultyToken.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(sizeof(struct faulty_token_counter) == 64, "the records are documented to be 64 bytes long");

static struct faulty_token_counter *records;
static int file = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Found once, then read without the lock. */
static struct faulty_token_counter *by_function[FUNCTION_COUNT][COUNT_KINDS];

static void set_file_lock(short type) {
    if (file < 0) return;
    /* Of the open file, not of the process: another copy of the module in this process counts as another. */
    struct flock range = {.l_type = type, .l_whence = SEEK_SET};
    fcntl(file, F_OFD_SETLKW, &range);
}

/* Under the lock. Null when the table is full. */
static struct faulty_token_counter *find(const char *name) {
    for (int i = 0; i < FAULTY_TOKEN_COUNTERS && __atomic_load_n(&records[i].name[0], __ATOMIC_ACQUIRE) != '\0'; i++) {
        if (strncmp(records[i].name, name, sizeof records[i].name) == 0) return &records[i];
    }
    return NULL;
}

/* Under the lock. */
static struct faulty_token_counter *find_or_add(const char *name) {
    struct faulty_token_counter *record = find(name);
    if (record != NULL) return record;
    set_file_lock(F_WRLCK);
    /* Another process may have added it, or taken the place. */
    record = find(name);
    for (int i = 0; record == NULL && i < FAULTY_TOKEN_COUNTERS; i++) {
        if (records[i].name[0] != '\0') continue;
        record = &records[i];
        /* The first letter comes last: it is what makes the record one. */
        strncpy(record->name + 1, name + 1, sizeof record->name - 2);
        __atomic_store_n(&record->name[0], name[0], __ATOMIC_RELEASE);
    }
    set_file_lock(F_UNLCK);
    return record;
}

static void add(struct faulty_token_counter *record, int64_t by) {
    if (record != NULL) __atomic_fetch_add(&record->count, (uint64_t)by, __ATOMIC_SEQ_CST);
}

bool counters_open(const char *path) {
    const size_t size = FAULTY_TOKEN_COUNTERS * sizeof *records;
    if (path == NULL) {
        records = calloc(1, size);
        return records != NULL;
    }
    file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    struct stat status;
    if (file < 0 || fstat(file, &status) != 0) return false;
    if ((size_t)status.st_size < size && ftruncate(file, (off_t)size) != 0) return false;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) return false;
    records = memory;
    /* Whoever counts keeps a shared lock until its process ends, however it ends. When there is nobody else, what a
       process that was killed held is held no more. */
    if (flock(file, LOCK_EX | LOCK_NB) == 0) {
        for (int i = 0; i < FAULTY_TOKEN_COUNTERS; i++) {
            const size_t length = strnlen(records[i].name, sizeof records[i].name);
            if (length > 5 && memcmp(records[i].name + length - 5, ":held", 5) == 0) records[i].count = 0;
        }
    }
    return flock(file, LOCK_SH) == 0;
}

void count_function(enum function function, enum count_kind kind, int64_t by) {
    static const char *const suffixes[COUNT_KINDS] = {"", ":fault", ":held"};
    struct faulty_token_counter *record = __atomic_load_n(&by_function[function][kind], __ATOMIC_ACQUIRE);
    if (record == NULL) {
        char name[sizeof record->name];
        snprintf(name, sizeof name, "%s%s", function_names[function], suffixes[kind]);
        pthread_mutex_lock(&lock);
        record = find_or_add(name);
        pthread_mutex_unlock(&lock);
        __atomic_store_n(&by_function[function][kind], record, __ATOMIC_RELEASE);
    }
    add(record, by);
}

void count_name(const char *function, const char *detail) {
    char name[sizeof records->name];
    snprintf(name, sizeof name, "%s:%s", function, detail);
    pthread_mutex_lock(&lock);
    struct faulty_token_counter *record = find_or_add(name);
    pthread_mutex_unlock(&lock);
    add(record, 1);
}
