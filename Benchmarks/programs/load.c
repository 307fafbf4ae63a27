/* usage: load --socket PATH --exchange json|signed-line|line|ssh --request FILE --algorithm NAME --public-key FILE
 *             [--connections N] [--in-flight N] [--rate N] [--seconds N] [--replies N] [--warm-up N]
 *             [--server-pid PID] [--comment KEY]
 *
 * Sends one request and waits for its reply before the next, on each connection, or keeps as many as are asked for in
 * flight. With a rate it sends that many a second at random moments instead, whether or not earlier ones have been
 * answered. A file of several lines is as many requests, sent in turn; the file of public keys then has as many, one
 * after the other. Every reply is looked at; of one in a thousand the signature is verified, afterwards. Ends after the
 * seconds, or after so many replies when that is sooner. Prints the rate, the latencies in microseconds and the
 * processor time per reply. It is one thread, which with one connection waits in recv.
 */
#include "exchange.h"
#include "histogram.h"
#include "options.h"
#include "processor.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

enum { SAMPLE = 1000, PATIENCE = 10 };

/* What is sent, in turn. */
struct request {
    char *bytes;
    size_t length;
};

/* A place for a request in flight: which one it is, with the number of the place in it. */
struct slot {
    char *request;
    size_t length;
    int which;
    uint64_t sent;
};

struct connection {
    int fd;
    char *input, *output;
    size_t have;
    /* What is in flight, in the order it was sent; and what is not. */
    int *flying, first, in_flight, *idle, idle_count;
};

struct sample {
    char *request, *reply;
    size_t request_length, length;
    int which;
};

static const struct exchange *exchange;
static struct connection *connections;
static struct slot *slots;
static struct request *requests;
static size_t longest_request, input_size;
static int request_count, next_request, connection_count, depth;

static struct histogram latencies, lateness;
static uint64_t replies, most_replies, measuring_from = UINT64_MAX;
static struct sample *samples;
static size_t sample_count, sample_room;

static int connect_to(const char *path) {
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct timeval patience = { .tv_sec = PATIENCE };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), room = 1 << 20;
    if (strlen(path) >= sizeof address.sun_path) fail("the path of the socket is too long");
    strcpy(address.sun_path, path);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) fail("%s: %s", path, strerror(errno));
    return fd;
}

static char *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "r");
    struct stat status;
    if (!file || fstat(fileno(file), &status)) fail("%s cannot be read", path);
    char *text = malloc((size_t)status.st_size + 1);
    *length = fread(text, 1, (size_t)status.st_size, file);
    fclose(file);
    return text;
}

static void add_request(char *bytes, size_t length) {
    requests = realloc(requests, ((size_t)request_count + 1) * sizeof *requests);
    requests[request_count++] = (struct request){ bytes, length };
    if (length > longest_request) longest_request = length;
}

/* Puts the request whose turn it is into a slot. */
static void fill(struct slot *slot, int number) {
    slot->which = next_request;
    next_request = (next_request + 1) % request_count;
    slot->length = requests[slot->which].length;
    memcpy(slot->request, requests[slot->which].bytes, slot->length);
    if (exchange != &ssh_exchange) line_request(slot->request, number);
}

static void prepare(int count, char **arguments, enum algorithm algorithm) {
    const char *path = option_text(count, arguments, "--socket", NULL);
    const char *name = option_text(count, arguments, "--exchange", NULL);
    size_t length;
    char *text = read_file(option_text(count, arguments, "--request", NULL), &length);
    exchange = !strcmp(name, "json")          ? &json_exchange
               : !strcmp(name, "signed-line") ? &signed_line_exchange
               : !strcmp(name, "line")        ? &line_exchange
               : !strcmp(name, "ssh")         ? &ssh_exchange
                                              : NULL;
    if (!exchange) fail("no exchange is called %s", name);
    connections = calloc((size_t)connection_count, sizeof *connections);
    slots = calloc((size_t)connection_count * (size_t)depth, sizeof *slots);
    input_size = (size_t)depth * 4096 + (1 << 16);
    for (char *end, *line = text; exchange != &ssh_exchange && line < text + length; line = end) {
        end = memchr(line, '\n', (size_t)(text + length - line));
        if (!end++) fail("the last request does not end");
        add_request(line, (size_t)(end - line));
    }
    for (int place = 0; place < connection_count; place++) {
        struct connection *connection = &connections[place];
        connection->fd = connect_to(path);
        if (exchange == &ssh_exchange && place == 0) {
            text = ssh_request(connection->fd, option_text(count, arguments, "--comment", NULL), text, length, algorithm,
                               &length);
            add_request(text, length);
        }
        if (request_count == 0) fail("there is no request");
        connection->input = malloc(input_size);
        connection->output = malloc(longest_request * (size_t)depth);
        connection->flying = calloc((size_t)depth, sizeof(int));
        connection->idle = calloc((size_t)depth, sizeof(int));
        for (int number = place * depth; number < (place + 1) * depth; number++) {
            slots[number].request = malloc(longest_request);
            fill(&slots[number], number);
            connection->idle[connection->idle_count++] = number;
        }
    }
    next_request = 0;
}

/* Sends as many of the idle requests as are asked for, together. What is in flight always fits into the socket. */
static void send_idle(struct connection *connection, int count) {
    size_t length = 0;
    uint64_t now = monotonic_ns();
    for (; count > 0 && connection->idle_count > 0; count--) {
        int number = connection->idle[--connection->idle_count];
        struct slot *slot = &slots[number];
        if (request_count > 1) fill(slot, number);
        memcpy(connection->output + length, slot->request, slot->length);
        length += slot->length;
        slot->sent = now;
        connection->flying[(connection->first + connection->in_flight++) % depth] = number;
    }
    for (size_t sent = 0; sent < length;) {
        ssize_t taken = send(connection->fd, connection->output + sent, length - sent, MSG_NOSIGNAL);
        if (taken <= 0) fail("the server closed a connection");
        sent += (size_t)taken;
    }
}

static char *copy_of(const char *bytes, size_t length) { return memcpy(malloc(length), bytes, length); }

static void keep_sample(const struct slot *slot, const char *reply, size_t length) {
    if (sample_count == sample_room) {
        sample_room = sample_room ? 2 * sample_room : 256;
        samples = realloc(samples, sample_room * sizeof *samples);
    }
    samples[sample_count++] = (struct sample){ copy_of(slot->request, slot->length), copy_of(reply, length), slot->length,
                                               length, slot->which };
}

static void take_reply(struct connection *connection, const char *reply, size_t length, uint64_t now) {
    long number = exchange->number(reply, length);
    int place = 0;
    if (connection->in_flight == 0) fail("a reply came that nobody waits for");
    if (number < 0) number = connection->flying[connection->first];
    while (place < connection->in_flight && connection->flying[(connection->first + place) % depth] != number) place++;
    if (place == connection->in_flight) fail("a reply has the number of no request");
    /* Those before it move up: replies are nearly in order. */
    for (; place > 0; place--)
        connection->flying[(connection->first + place) % depth] =
            connection->flying[(connection->first + place - 1) % depth];
    connection->first = (connection->first + 1) % depth;
    connection->in_flight--;
    connection->idle[connection->idle_count++] = (int)number;
    if (now < measuring_from) return;
    histogram_note(&latencies, now - slots[number].sent);
    if (replies++ % SAMPLE == 0) keep_sample(&slots[number], reply, length);
}

/* Takes what has come, waiting for it if it must. Returns how many replies that was, and the moment. */
static int receive(struct connection *connection, uint64_t *now) {
    ssize_t got = recv(connection->fd, connection->input + connection->have, input_size - connection->have, 0);
    if (got <= 0) fail(got == 0 ? "the server closed a connection" : "no reply has come for %d s", PATIENCE);
    *now = monotonic_ns();
    connection->have += (size_t)got;
    const char *at = connection->input, *end = at + connection->have;
    int count = 0;
    for (size_t length; (length = exchange->measure(at, (size_t)(end - at))) > 0; at += length, count++)
        take_reply(connection, at, length, *now);
    connection->have = (size_t)(end - at);
    memmove(connection->input, at, connection->have);
    return count;
}

static double own, server, all_used;
static pid_t server_pid;
static uint64_t ends;

/* Called with the time: begins and ends the measurement. */
static int goes_on(uint64_t now, uint64_t warm_until, double seconds) {
    if (measuring_from == UINT64_MAX && now >= warm_until) {
        server = processor_of(server_pid);
        own = processor_self();
        all_used = processor_all();
        memset(&lateness, 0, sizeof lateness);
        measuring_from = monotonic_ns();
        ends = measuring_from + (uint64_t)(seconds * 1e9);
    }
    if (most_replies > 0 && replies >= most_replies) return 0;
    return measuring_from == UINT64_MAX || now < ends;
}

static uint64_t run_closed(uint64_t warm_until, double seconds) {
    struct epoll_event events[64];
    int poll = epoll_create1(EPOLL_CLOEXEC);
    uint64_t now = monotonic_ns();
    for (int place = 0; place < connection_count; place++) {
        struct epoll_event wanted = { .events = EPOLLIN, .data.ptr = &connections[place] };
        epoll_ctl(poll, EPOLL_CTL_ADD, connections[place].fd, &wanted);
        send_idle(&connections[place], depth);
    }
    while (goes_on(now, warm_until, seconds)) {
        if (connection_count == 1) {
            send_idle(&connections[0], receive(&connections[0], &now));
            continue;
        }
        int ready = epoll_wait(poll, events, 64, PATIENCE * 1000);
        if (ready == 0) fail("no reply has come for %d s", PATIENCE);
        for (int place = 0; place < ready; place++) {
            struct connection *connection = events[place].data.ptr;
            send_idle(connection, receive(connection, &now));
        }
    }
    return now;
}

/* Nanoseconds to the next request, so that they come independently of each other. */
static uint64_t gap(double rate) {
    static uint64_t state = 88172645463325252ull;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint64_t)(-log(((double)(state >> 11) + 1) / 9007199254740993.0) / rate * 1e9);
}

static void set_timer(int timer, uint64_t moment) {
    struct itimerspec when = { .it_value = { (time_t)(moment / 1000000000u), (long)(moment % 1000000000u) } };
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static uint64_t run_open(uint64_t warm_until, double seconds, double rate) {
    struct epoll_event events[64], wanted = { .events = EPOLLIN };
    int poll = epoll_create1(EPOLL_CLOEXEC), timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    uint64_t now = monotonic_ns(), due = now;
    epoll_ctl(poll, EPOLL_CTL_ADD, timer, &wanted);
    for (int place = 0; place < connection_count; place++) {
        wanted.data.ptr = &connections[place];
        epoll_ctl(poll, EPOLL_CTL_ADD, connections[place].fd, &wanted);
    }
    for (int turn = 0; goes_on(now, warm_until, seconds);) {
        for (int tried = 0; due <= now && tried < connection_count; tried++, turn++) {
            struct connection *connection = &connections[turn % connection_count];
            if (connection->idle_count == 0) continue;
            histogram_note(&lateness, now - due);
            send_idle(connection, 1);
            due += gap(rate);
            tried = -1;
        }
        set_timer(timer, due > now ? due : now + 100000);
        int ready = epoll_wait(poll, events, 64, PATIENCE * 1000);
        if (ready == 0) fail("no reply has come for %d s", PATIENCE);
        for (int place = 0; place < ready; place++)
            if (events[place].data.ptr) receive(events[place].data.ptr, &now);
        now = monotonic_ns();
    }
    return now;
}

int main(int count, char **arguments) {
    enum algorithm algorithm = algorithm_named(option_text(count, arguments, "--algorithm", NULL));
    int verifier_count;
    struct verifier **verifiers =
        verifiers_open(option_text(count, arguments, "--public-key", NULL), algorithm, &verifier_count);
    double rate = option_number(count, arguments, "--rate", "0");
    double seconds = option_number(count, arguments, "--seconds", "2");
    double warm_up = option_number(count, arguments, "--warm-up", "0.2");
    connection_count = (int)option_number(count, arguments, "--connections", "1");
    depth = (int)option_number(count, arguments, "--in-flight", "1");
    most_replies = (uint64_t)option_number(count, arguments, "--replies", "0");
    server_pid = (pid_t)option_number(count, arguments, "--server-pid", "0");
    if (connection_count < 1 || depth < 1 || depth > 128) fail("1 to 128 requests can be in flight on a connection");
    prepare(count, arguments, algorithm);
    if (verifier_count != request_count) fail("%d requests have %d public keys", request_count, verifier_count);

    uint64_t warm_until = monotonic_ns() + (uint64_t)(warm_up * 1e9);
    uint64_t ended = rate > 0 ? run_open(warm_until, seconds, rate) : run_closed(warm_until, seconds);
    own = processor_self() - own;
    server = processor_of(server_pid) - server;
    all_used = processor_all() - all_used;
    for (size_t place = 0; place < sample_count; place++)
        if (!exchange->accepts(verifiers[samples[place].which], samples[place].request, samples[place].request_length,
                               samples[place].reply, samples[place].length))
            fail("a signature does not verify");
    if (replies == 0) fail("there was no reply in %.1f s", seconds);
    double elapsed = (double)(ended - measuring_from) / 1e9, all = (double)replies;
    printf("{\"rate\": %.1f, \"p50\": %.1f, \"p99\": %.1f, \"clientProcessor\": %.2f, \"serverProcessor\": %.2f, "
           "\"others\": %.3f, \"lateP99\": %.1f, \"verified\": %zu}\n",
           all / elapsed, histogram_us(&latencies, 0.5), histogram_us(&latencies, 0.99), own * 1e6 / all,
           server * 1e6 / all, (all_used - own - server) / elapsed, histogram_us(&lateness, 0.99), sample_count);
}
