#define _GNU_SOURCE
#include "CPlatform.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

struct paths {
    char **items;
    size_t count, capacity;
    int failure;
};

static int note(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    struct paths *paths = context;
    // The program itself has no name.
    if (info->dlpi_name == NULL || *info->dlpi_name == '\0') return 0;
    if (paths->count == paths->capacity) {
        const size_t capacity = paths->capacity == 0 ? 64 : 2 * paths->capacity;
        char **const items = realloc(paths->items, capacity * sizeof *items);
        if (items == NULL) return paths->failure = ENOMEM;
        paths->items = items;
        paths->capacity = capacity;
    }
    char *const path = strdup(info->dlpi_name);
    if (path == NULL) return paths->failure = ENOMEM;
    paths->items[paths->count++] = path;
    return 0;
}

int privyseal_keep_libraries(void) {
    // Noted first: nothing may be opened while the list is walked through.
    struct paths paths = {0};
    (void)dl_iterate_phdr(note, &paths);
    for (size_t place = 0; place < paths.count; place++) {
        // One that has been unloaded meanwhile, or is none, as the kernel's, stays as it is.
        void *const library = dlopen(paths.items[place], RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
        if (library != NULL) (void)dlclose(library);
        free(paths.items[place]);
    }
    (void)dlerror();
    free(paths.items);
    return paths.failure;
}
