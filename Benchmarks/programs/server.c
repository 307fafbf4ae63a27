/* usage: server --socket PATH --reply-bytes N
 *               [--algorithm NAME --module FILE --label LABEL --pin-file FILE]
 *
 * What a sign request and its reply cost a server that does nothing else: a thread for each connection reads lines and
 * answers each with one of the given length that carries its id. With an algorithm, each thread also has a session of
 * the token, signs the line and puts the signature into the reply: the least that a server can do. Without, it is the
 * socket alone. No JSON is read, nobody is asked who he is, nothing is recorded.
 */
#include "options.h"
#include "token.h"
#include "verify.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char prefix[] = "{\"jsonrpc\":\"2.0\",\"id\":1000000,\"result\":{\"signature\":\"";
static const char middle[] = "\",\"pad\":\"";
static const char ending[] = "\"}}\n";
enum { ID_PLACE = 22, ID_LENGTH = 7, INPUT = 1 << 17, OUTPUT = 1 << 20 };

static struct token token;
static int signs;
static enum algorithm algorithm;
static size_t reply_bytes;

struct signer {
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
};

static void answer(const struct signer *signer, const char *line, size_t length, char *reply) {
    unsigned char digest[DIGEST_LENGTH], signature[LONGEST_SIGNATURE];
    char *at = reply;
    memcpy(at, prefix, sizeof prefix - 1);
    if (length > ID_PLACE + ID_LENGTH) memcpy(at + ID_PLACE, line + ID_PLACE, ID_LENGTH);
    at += sizeof prefix - 1;
    if (signs) {
        sha256(line, length, digest);
        size_t size = token_sign(&token, signer->session, signer->key, algorithm, digest, signature);
        at += base64url_encode(signature, size, at);
    }
    memcpy(at, middle, sizeof middle - 1);
    at += sizeof middle - 1;
    memset(at, 'x', (size_t)(reply + reply_bytes - sizeof ending + 1 - at));
    memcpy(reply + reply_bytes - sizeof ending + 1, ending, sizeof ending - 1);
}

static int send_all(int connection, const char *bytes, size_t count) {
    while (count > 0) {
        ssize_t sent = send(connection, bytes, count, MSG_NOSIGNAL);
        if (sent <= 0) return 0;
        bytes += sent;
        count -= (size_t)sent;
    }
    return 1;
}

static void *serve(void *argument) {
    int connection = (int)(long)argument;
    struct signer signer = { 0 };
    char *input = malloc(INPUT), *output = malloc(OUTPUT);
    size_t have = 0;
    if (signs) {
        signer.session = token_session(&token);
        signer.key = token_key(&token, signer.session, algorithm);
    }
    for (;;) {
        ssize_t got = recv(connection, input + have, INPUT - have, 0);
        if (got <= 0) break;
        have += (size_t)got;
        char *line = input, *end;
        size_t ready = 0;
        while ((end = memchr(line, '\n', (size_t)(input + have - line)))) {
            answer(&signer, line, (size_t)(end - line), output + ready);
            ready += reply_bytes;
            line = end + 1;
            if (ready + reply_bytes > OUTPUT) {
                if (!send_all(connection, output, ready)) goto out;
                ready = 0;
            }
        }
        have -= (size_t)(line - input);
        if (have > 0) memmove(input, line, have);
        if (ready > 0 && !send_all(connection, output, ready)) break;
    }
out:
    if (signs) token.functions->C_CloseSession(signer.session);
    free(input);
    free(output);
    close(connection);
    return NULL;
}

int main(int count, char **arguments) {
    const char *path = option_text(count, arguments, "--socket", NULL), *name;
    reply_bytes = (size_t)option_number(count, arguments, "--reply-bytes", NULL);
    name = option_text(count, arguments, "--algorithm", "");
    if (*name) {
        signs = 1;
        algorithm = algorithm_named(name);
        token = token_open(option_text(count, arguments, "--module", NULL),
                           option_text(count, arguments, "--label", NULL),
                           option_text(count, arguments, "--pin-file", NULL));
    }
    if (reply_bytes < sizeof prefix + sizeof middle + sizeof ending + 400 || reply_bytes > OUTPUT / 2)
        fail("--reply-bytes is too small or too large");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof address.sun_path) fail("the path of the socket is too long");
    strcpy(address.sun_path, path);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 512))
        fail("the socket %s cannot be made", path);
    puts("ready");
    fflush(stdout);
    for (;;) {
        pthread_t thread;
        int connection = accept(listener, NULL, NULL);
        if (connection < 0) continue;
        if (pthread_create(&thread, NULL, serve, (void *)(long)connection)) fail("no thread can be started");
        pthread_detach(thread);
    }
}
