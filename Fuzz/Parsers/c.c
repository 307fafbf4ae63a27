// Reads claims as C programs do: json-c and cJSON, whichever there is.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if __has_include(<json-c/json.h>)
#include <json-c/json.h>
#define HAS_JSON_C
#endif
#if __has_include(<cjson/cJSON.h>)
#include <cjson/cJSON.h>
#define HAS_CJSON
#endif

static const char *const registered[] = {"iss", "sub", "aud", "exp", "nbf", "iat", "jti"};

static int is_date(const char *name) { return !strcmp(name, "exp") || !strcmp(name, "nbf") || !strcmp(name, "iat"); }

/// Appends to a text that ends within `end`.
static char *put(char *at, const char *text) { return stpcpy(at, text); }

static char *put_hex(char *at, const char *text) {
    for (const unsigned char *byte = (const unsigned char *)text; *byte; byte++) at += sprintf(at, "%02x", *byte);
    return at;
}

static int by_text(const void *left, const void *right) { return strcmp(*(char *const *)left, *(char *const *)right); }

/// Takes the names, which are hexadecimal and to be freed.
static char *put_names(char *at, char **names, size_t count) {
    qsort(names, count, sizeof *names, by_text);
    at = put(at, " names=");
    for (size_t place = 0; place < count; place++) {
        if (place) at = put(at, ",");
        at = put(at, names[place]);
        free(names[place]);
    }
    return at;
}

static char *hex(const char *text) {
    char *made = malloc(2 * strlen(text) + 1);
    *put_hex(made, text) = 0;
    return made;
}

#ifdef HAS_JSON_C
static long json_c_members(json_object *value) {
    long count = 0;
    if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, name, member) {
            (void)name;
            count += 1 + json_c_members(member);
        }
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t place = 0; place < json_object_array_length(value); place++)
            count += json_c_members(json_object_array_get_idx(value, place));
    }
    return count;
}

static char *json_c(char *at, const char *text, size_t length) {
    static char *names[70000];
    json_tokener *tokener = json_tokener_new_ex(64);
    json_object *claims = json_tokener_parse_ex(tokener, text, (int)length + 1);
    if (!claims || json_tokener_get_error(tokener) != json_tokener_success) {
        at = put(at, "refused");
    } else {
        for (size_t place = 0; place < 7; place++) {
            json_object *value;
            at += sprintf(at, "%s%s=", place ? " " : "", registered[place]);
            if (!json_object_object_get_ex(claims, registered[place], &value)) {
                at = put(at, "-");
            } else if (is_date(registered[place])) {
                at += sprintf(at, "%lld", (long long)json_object_get_int64(value));
            } else if (json_object_is_type(value, json_type_array)) {
                for (size_t element = 0; element < json_object_array_length(value); element++) {
                    if (element) at = put(at, ",");
                    at = put_hex(at, json_object_get_string(json_object_array_get_idx(value, element)));
                }
            } else {
                at = put_hex(at, json_object_get_string(value));
            }
        }
        at += sprintf(at, " members=%ld", json_c_members(claims));
        size_t count = 0;
        json_object_object_foreach(claims, name, value) {
            (void)value;
            names[count++] = hex(name);
        }
        at = put_names(at, names, count);
    }
    json_object_put(claims);
    json_tokener_free(tokener);
    return at;
}
#endif

#ifdef HAS_CJSON
static long cjson_members(const cJSON *value) {
    long count = 0;
    for (const cJSON *child = value->child; child; child = child->next) count += (child->string != NULL) + cjson_members(child);
    return count;
}

static char *cjson(char *at, const char *text, size_t length) {
    static char *names[70000];
    cJSON *claims = cJSON_ParseWithLength(text, length);
    if (!claims) return put(at, "refused");
    for (size_t place = 0; place < 7; place++) {
        // Its usual way to a member does not regard case.
        const cJSON *value = cJSON_GetObjectItem(claims, registered[place]);
        at += sprintf(at, "%s%s=", place ? " " : "", registered[place]);
        if (!value) {
            at = put(at, "-");
        } else if (is_date(registered[place])) {
            at += sprintf(at, "%.0f", value->valuedouble);
        } else if (cJSON_IsArray(value)) {
            for (const cJSON *element = value->child; element; element = element->next) {
                if (element != value->child) at = put(at, ",");
                at = put_hex(at, element->valuestring);
            }
        } else {
            at = put_hex(at, value->valuestring);
        }
    }
    at += sprintf(at, " members=%ld", cjson_members(claims));
    size_t count = 0;
    for (const cJSON *child = claims->child; child; child = child->next) names[count++] = hex(child->string);
    at = put_names(at, names, count);
    cJSON_Delete(claims);
    return at;
}
#endif

static size_t decode(const char *line, char *bytes) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned group = 0, bits = 0;
    size_t count = 0;
    for (const char *place; *line && (place = strchr(alphabet, *line)); line++) {
        group = group << 6 | (unsigned)(place - alphabet);
        if ((bits += 6) >= 8) bytes[count++] = (char)(group >> (bits -= 8));
    }
    bytes[count] = 0;
    return count;
}

int main(void) {
    static char line[1 << 20], bytes[1 << 20], reply[1 << 22];
    while (fgets(line, sizeof line, stdin)) {
        size_t length = decode(line, bytes);
        char *at = reply;
        (void)length;
#ifdef HAS_JSON_C
        at = json_c(put(at, "json-c:"), bytes, length);
        at = put(at, "\t");
#endif
#ifdef HAS_CJSON
        at = cjson(put(at, "cjson:"), bytes, length);
        at = put(at, "\t");
#endif
        *(at > reply ? at - 1 : at) = 0;
        puts(reply);
        fflush(stdout);
    }
}
