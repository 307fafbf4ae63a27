/* The ssh-agent protocol, draft-miller-ssh-agent §4; names as there. */
#include "exchange.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    SSH_AGENTC_REQUEST_IDENTITIES = 11,
    SSH_AGENT_IDENTITIES_ANSWER = 12,
    SSH_AGENTC_SIGN_REQUEST = 13,
    SSH_AGENT_SIGN_RESPONSE = 14,
    SSH_AGENT_RSA_SHA2_256 = 2,
};

static uint32_t get_number(const char *bytes) {
    uint32_t number;
    memcpy(&number, bytes, sizeof number);
    return ntohl(number);
}

static char *put_number(char *at, uint32_t number) {
    number = htonl(number);
    memcpy(at, &number, sizeof number);
    return at + sizeof number;
}

static char *put_string(char *at, const char *bytes, size_t count) {
    at = put_number(at, (uint32_t)count);
    memcpy(at, bytes, count);
    return at + count;
}

/* Takes a string off the front of what is left. */
static const char *take(const char **at, size_t *left, size_t *count) {
    if (*left < 4 || get_number(*at) > *left - 4) fail("ssh-agent's answer is not one");
    *count = get_number(*at);
    const char *string = *at + 4;
    *at = string + *count;
    *left -= 4 + *count;
    return string;
}

static void receive(int connection, char *bytes, size_t count) {
    if (recv(connection, bytes, count, MSG_WAITALL) != (ssize_t)count) fail("ssh-agent closed the connection");
}

char *ssh_request(int connection, const char *comment, const char *data, size_t count, enum algorithm algorithm,
                  size_t *length) {
    static char answer[1 << 18];
    const char asked[] = { 0, 0, 0, 1, SSH_AGENTC_REQUEST_IDENTITIES };
    if (send(connection, asked, sizeof asked, 0) != sizeof asked) fail("ssh-agent takes nothing");
    receive(connection, answer, 4);
    size_t left = get_number(answer);
    if (left < 5 || left > sizeof answer) fail("ssh-agent's answer is too long");
    receive(connection, answer, left);
    if (answer[0] != SSH_AGENT_IDENTITIES_ANSWER) fail("ssh-agent lists no keys");
    const char *at = answer + 5;
    left -= 5;
    for (uint32_t keys = get_number(answer + 1); keys > 0; keys--) {
        size_t size, named;
        const char *key = take(&at, &left, &size), *name = take(&at, &left, &named);
        if (named != strlen(comment) || memcmp(name, comment, named)) continue;
        char *request = malloc(size + count + 64), *end = request + 4;
        *end++ = SSH_AGENTC_SIGN_REQUEST;
        end = put_string(end, key, size);
        end = put_string(end, data, count);
        end = put_number(end, algorithm == RS256 ? SSH_AGENT_RSA_SHA2_256 : 0);
        *length = (size_t)(end - request);
        put_number(request, (uint32_t)(*length - 4));
        return request;
    }
    fail("ssh-agent has no key %s", comment);
}

static size_t measure(const char *bytes, size_t count) {
    if (count < 4) return 0;
    size_t length = 4 + (size_t)get_number(bytes);
    return count < length ? 0 : length;
}

static long number(const char *reply, size_t length) {
    if (length < 5 || reply[4] != SSH_AGENT_SIGN_RESPONSE) fail("ssh-agent refused to sign");
    return -1;
}

/* A positive mpint as 32 bytes (RFC 4251 §5). */
static void fixed_width(const char **at, size_t *left, unsigned char *number) {
    size_t count;
    const char *bytes = take(at, left, &count);
    for (; count > 32; bytes++, count--)
        if (*bytes) fail("ssh-agent's signature is too long");
    memset(number, 0, 32);
    memcpy(number + 32 - count, bytes, count);
}

static int accepts(const struct verifier *verifier, const char *request, size_t size, const char *reply,
                   size_t length) {
    const char *at = request + 5, *answer = reply + 5;
    size_t left = size - 5, count, rest = length - 5, of, name;
    take(&at, &left, &count);
    const char *data = take(&at, &left, &count), *signature = take(&answer, &rest, &of);
    const char *format = take(&signature, &of, &name), *bytes = take(&signature, &of, &rest);
    if (name != strlen("ecdsa-sha2-nistp256") || memcmp(format, "ecdsa-sha2-nistp256", name))
        return verifier_accepts(verifier, data, count, (const unsigned char *)bytes, rest);
    unsigned char numbers[64];
    fixed_width(&bytes, &rest, numbers);
    fixed_width(&bytes, &rest, numbers + 32);
    return verifier_accepts(verifier, data, count, numbers, sizeof numbers);
}

const struct exchange ssh_exchange = { measure, number, accepts };
