/* Finds its settings and the real module, and gives out the functions. */
#define _GNU_SOURCE
#include "faulty.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct settings settings;
CK_FUNCTION_LIST *real;

static CK_FUNCTION_LIST list;
static bool is_ready;

void complain(const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "faulty token: %s\n", text);
}

static CK_RV get_function_list(CK_FUNCTION_LIST_PTR_PTR result);

static void fill_list(void) {
    list.version = real->version;
    list.C_GetFunctionList = get_function_list;
#define X(name) list.name = wrapped_##name;
    FUNCTIONS(X)
#undef X
}

static bool remove_from_list(const char *name) {
    switch (function_of(name)) {
#define X(name) \
    case F_##name: list.name = NULL; return true;
        FUNCTIONS(X)
#undef X
    default: return false;
    }
}

static char *copy(const char *text) {
    char *result = strdup(text);
    if (result == NULL) abort();
    return result;
}

/* Takes a line of the settings. What a function lacks is noted for later, when there is a list to take it from. */
static bool set(const char *path, char *line, char **lacking, size_t *lacking_count) {
    char *value = strchr(line, '=');
    if (line[0] == '#' || line[strspn(line, " \t")] == '\0') return true;
    if (value != NULL) {
        *value++ = '\0';
        if (strcmp(line, "module") == 0) return settings.module = copy(value), true;
        if (strcmp(line, "control") == 0) return settings.control = copy(value), true;
        if (strcmp(line, "counters") == 0) return settings.counters = copy(value), true;
        if (strcmp(line, "lacks") == 0 && function_of(value) != FUNCTION_COUNT && *lacking_count < FUNCTION_COUNT) {
            lacking[(*lacking_count)++] = copy(value);
            return true;
        }
    }
    complain("%s: \"%s\" is no setting: module=, control=, counters= or lacks=C_FUNCTION is", path, line);
    return false;
}

static bool read_settings(char **lacking, size_t *lacking_count) {
    Dl_info info;
    /* The file this very copy of the module was loaded from. */
    if (dladdr((void *)&list, &info) == 0 || info.dli_fname == NULL) {
        complain("it cannot find out where it was loaded from");
        return false;
    }
    char *path;
    if (asprintf(&path, "%s.conf", info.dli_fname) < 0) abort();
    FILE *file = fopen(path, "re");
    const char *const fallback = getenv("FAULTY_TOKEN_CONF");
    if (file == NULL && fallback != NULL) {
        free(path);
        path = copy(fallback);
        file = fopen(path, "re");
    }
    bool is_good = file != NULL;
    if (!is_good) complain("%s: %m; FAULTY_TOKEN_CONF may name another file", path);
    char *line = NULL;
    size_t size = 0;
    while (is_good && getline(&line, &size, file) >= 0) {
        line[strcspn(line, "\r\n")] = '\0';
        is_good = set(path, line, lacking, lacking_count);
    }
    if (is_good && settings.module == NULL) {
        complain("%s: module= is missing", path);
        is_good = false;
    }
    free(line);
    if (file != NULL) fclose(file);
    free(path);
    return is_good;
}

static bool load(void) {
    void *library = dlopen(settings.module, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        complain("%s", dlerror());
        return false;
    }
    CK_C_GetFunctionList get = (CK_C_GetFunctionList)dlsym(library, "C_GetFunctionList");
    if (get == NULL) {
        complain("%s has no C_GetFunctionList", settings.module);
        return false;
    }
    const CK_RV value = get(&real);
    if (value != CKR_OK || real == NULL) {
        complain("C_GetFunctionList of %s returned 0x%lx", settings.module, value);
        return false;
    }
    return true;
}

static void prepare(void) {
    char *lacking[FUNCTION_COUNT];
    size_t lacking_count = 0;
    is_ready = read_settings(lacking, &lacking_count) && load();
    if (is_ready && !counters_open(settings.counters)) {
        complain("%s: %m", settings.counters);
        is_ready = false;
    }
    if (is_ready) fill_list();
    for (size_t i = 0; i < lacking_count; i++) {
        if (is_ready) remove_from_list(lacking[i]);
        free(lacking[i]);
    }
}

/* Apart from the exported function, whose name another library of the process may have taken: libp11-kit has it too. */
static CK_RV get_function_list(CK_FUNCTION_LIST_PTR_PTR result) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (result == NULL) return CKR_ARGUMENTS_BAD;
    pthread_once(&once, prepare);
    if (!is_ready) return BROKEN;
    *result = &list;
    return CKR_OK;
}

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR result) {
    return get_function_list(result);
}
