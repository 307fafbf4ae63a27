#include "exchange.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char beginning[] = "{\"jsonrpc\":\"2.0\",\"id\":";
static const char result[] = ",\"result\":{\"";
enum { BEGINNING = sizeof beginning - 1 };

void line_request(char *request, long number) {
    char digits[32];
    if (strncmp(request, beginning, BEGINNING)) fail("a request must begin with %s", beginning);
    snprintf(digits, sizeof digits, "%ld", NUMBER_BASE + number);
    memcpy(request + BEGINNING, digits, NUMBER_LENGTH);
}

static size_t measure(const char *bytes, size_t count) {
    const char *end = memchr(bytes, '\n', count);
    return end ? (size_t)(end - bytes) + 1 : 0;
}

static long number(const char *reply, size_t length) {
    const char *after = reply + BEGINNING + NUMBER_LENGTH;
    if (length < BEGINNING + NUMBER_LENGTH + sizeof result || memcmp(reply, beginning, BEGINNING)
        || memcmp(after, result, sizeof result - 1))
        fail("the reply is no result: %.*s", (int)(length < 400 ? length : 400), reply);
    return strtol(reply + BEGINNING, NULL, 10) - NUMBER_BASE;
}

/* The text of a member that holds no escapes. */
static const char *member(const char *reply, size_t length, const char *name, size_t *count) {
    char wanted[32];
    int size = snprintf(wanted, sizeof wanted, "\"%s\":\"", name);
    const char *found = memmem(reply, length, wanted, (size_t)size);
    const char *end = found ? memchr(found + size, '"', (size_t)(reply + length - found - size)) : NULL;
    if (!end) fail("the reply has no %s", name);
    *count = (size_t)(end - found - size);
    return found + size;
}

static int accepts_text(const struct verifier *verifier, const char *data, size_t size, const char *text,
                        size_t length) {
    unsigned char signature[LONGEST_SIGNATURE];
    if (length > LONGEST_SIGNATURE * 4 / 3) return 0;
    return verifier_accepts(verifier, data, size, signature, base64url_decode(text, length, signature));
}

static int accepts_jwt(const struct verifier *verifier, const char *request, size_t size, const char *reply,
                       size_t length) {
    size_t count;
    (void)request, (void)size;
    const char *jwt = member(reply, length, "jwt", &count), *dot = memrchr(jwt, '.', count);
    return dot && accepts_text(verifier, jwt, (size_t)(dot - jwt), dot + 1, (size_t)(jwt + count - dot - 1));
}

static int accepts_line(const struct verifier *verifier, const char *request, size_t size, const char *reply,
                        size_t length) {
    size_t count;
    const char *signature = member(reply, length, "signature", &count);
    return accepts_text(verifier, request, size - 1, signature, count);
}

static int accepts_any(const struct verifier *verifier, const char *request, size_t size, const char *reply,
                       size_t length) {
    (void)verifier, (void)request, (void)size, (void)reply, (void)length;
    return 1;
}

const struct exchange json_exchange = { measure, number, accepts_jwt };
const struct exchange signed_line_exchange = { measure, number, accepts_line };
const struct exchange line_exchange = { measure, number, accepts_any };
