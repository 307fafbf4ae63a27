#include "options.h"
#include "token.h"

#include <stdlib.h>
#include <string.h>

const char *option_text(int count, char **arguments, const char *name, const char *fallback) {
    for (int place = 1; place + 1 < count; place += 2)
        if (strcmp(arguments[place], name) == 0) return arguments[place + 1];
    if (!fallback) fail("%s is missing", name);
    return fallback;
}

double option_number(int count, char **arguments, const char *name, const char *fallback) {
    char *end;
    const char *text = option_text(count, arguments, name, fallback);
    double number = strtod(text, &end);
    if (end == text || *end) fail("%s is no number: %s", name, text);
    return number;
}
