/* usage: raw --module FILE --label LABEL --pin-file FILE --algorithm NAME --public-key FILE [--threads N]
 *            [--processes N] [--seconds N] [--warm-up N] [--server-pid PID] [--generate N] [--keys N]
 *
 * Signs one digest after the other with the token, in as many threads and processes as are asked for, each with a
 * session. With --keys so many keys of the token sign in turn, each thread beginning elsewhere, once each session has
 * used them all; otherwise the one that make-keys made does. With --generate one more thread of each process generates
 * so many key pairs a second meanwhile, as far as the token lets it; they are destroyed afterwards. Prints the rate, the
 * latencies in microseconds, the processor time per signature and the pairs generated a second.
 */
#include "histogram.h"
#include "options.h"
#include "processor.h"
#include "token.h"
#include "verify.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum phase { PREPARING, WARMING_UP, MEASURING, COUNTED, ENDED };

/* What all threads of all processes see. */
struct shared {
    atomic_int phase, ready, generated;
    struct histogram histograms[];
};

struct worker {
    struct shared *shared;
    struct histogram *histogram;
    const struct token *token;
    const struct verifier *verifier;
    enum algorithm algorithm;
    unsigned number;
    size_t keys;
};

static void *work(void *argument) {
    struct worker *worker = argument;
    unsigned char digest[DIGEST_LENGTH] = { (unsigned char)worker->number }, signature[LONGEST_SIGNATURE];
    CK_SESSION_HANDLE session = token_session(worker->token);
    CK_OBJECT_HANDLE key = token_key(worker->token, session, worker->algorithm);
    size_t length = token_sign(worker->token, session, key, worker->algorithm, digest, signature);
    if (!verifier_accepts_digest(worker->verifier, digest, signature, length)) fail("a signature does not verify");
    size_t count = worker->keys > 0 ? worker->keys : 1;
    CK_OBJECT_HANDLE *keys = calloc(count, sizeof *keys);
    keys[0] = key;
    if (worker->keys > 0) token_keys(worker->token, session, worker->algorithm, keys, count);
    for (size_t place = 0; place < count; place++)
        token_sign(worker->token, session, keys[place], worker->algorithm, digest, signature);
    atomic_fetch_add(&worker->shared->ready, 1);
    while (atomic_load(&worker->shared->phase) == PREPARING) usleep(200);
    for (uint64_t round = 0;; round++) {
        int before = atomic_load(&worker->shared->phase);
        if (before == ENDED) break;
        memcpy(digest + 8, &round, sizeof round);
        key = keys[(worker->number * 97 + round) % count];
        uint64_t begun = monotonic_ns();
        token_sign(worker->token, session, key, worker->algorithm, digest, signature);
        if (before == MEASURING && atomic_load(&worker->shared->phase) == MEASURING)
            histogram_note(worker->histogram, monotonic_ns() - begun);
    }
    free(keys);
    return NULL;
}

enum { MOST_GENERATED = 10000 };

struct generator {
    struct shared *shared;
    const struct token *token;
    enum algorithm algorithm;
    double rate;
};

/* Generates pairs while the others sign, and destroys them when they have ended. */
static void *generate(void *argument) {
    struct generator *generator = argument;
    const struct token *token = generator->token;
    CK_SESSION_HANDLE session = token_session(token);
    struct key_pair *pairs = calloc(MOST_GENERATED, sizeof *pairs);
    int generated = 0;
    for (uint64_t due = monotonic_ns(); generated < MOST_GENERATED;) {
        int before = atomic_load(&generator->shared->phase);
        if (before == ENDED) break;
        uint64_t now = monotonic_ns();
        if (before == PREPARING || now < due) {
            usleep(500);
            continue;
        }
        pairs[generated++] = token_generate(token, session, generator->algorithm, "bench-beside");
        if (before == MEASURING && atomic_load(&generator->shared->phase) == MEASURING)
            atomic_fetch_add(&generator->shared->generated, 1);
        due = (now - due > 1000000000u ? now : due) + (uint64_t)(1e9 / generator->rate);
    }
    for (int place = 0; place < generated; place++) {
        check(token->functions->C_DestroyObject(session, pairs[place].private), "C_DestroyObject");
        check(token->functions->C_DestroyObject(session, pairs[place].public), "C_DestroyObject");
    }
    free(pairs);
    return NULL;
}

static struct shared *shared;
static int count;
static char **arguments;
static int threads;

/* Opens the token and works until the end is called for. */
static void *run(void *place) {
    const char *name = option_text(count, arguments, "--algorithm", NULL);
    struct token token = token_open(option_text(count, arguments, "--module", NULL),
                                    option_text(count, arguments, "--label", NULL),
                                    option_text(count, arguments, "--pin-file", NULL));
    const struct verifier *verifier =
        verifier_open(option_text(count, arguments, "--public-key", NULL), algorithm_named(name));
    pthread_t started[threads];
    struct worker workers[threads];
    for (int thread = 0; thread < threads; thread++) {
        int number = *(int *)place * threads + thread;
        workers[thread] = (struct worker){ shared, &shared->histograms[number], &token, verifier,
                                           algorithm_named(name), (unsigned)number,
                                           (size_t)option_number(count, arguments, "--keys", "0") };
        if (pthread_create(&started[thread], NULL, work, &workers[thread])) fail("no thread can be started");
    }
    pthread_t generating;
    struct generator generator = { shared, &token, algorithm_named(name), option_number(count, arguments, "--generate", "0") };
    if (generator.rate > 0 && pthread_create(&generating, NULL, generate, &generator)) fail("no thread can be started");
    for (int thread = 0; thread < threads; thread++) pthread_join(started[thread], NULL);
    if (generator.rate > 0) pthread_join(generating, NULL);
    check(token.functions->C_Finalize(NULL), "C_Finalize");
    return NULL;
}

int main(int argc, char **argv) {
    count = argc;
    arguments = argv;
    threads = (int)option_number(argc, argv, "--threads", "1");
    int processes = (int)option_number(argc, argv, "--processes", "1");
    pid_t server = (pid_t)option_number(argc, argv, "--server-pid", "0");
    int all = threads * processes;
    shared = mmap(NULL, sizeof *shared + (size_t)all * sizeof(struct histogram), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) fail("there is no memory");

    /* One process needs no child, and its time is then known more precisely. */
    pthread_t alone;
    pid_t children[processes];
    int place = 0;
    if (processes == 1 && pthread_create(&alone, NULL, run, &place)) fail("no thread can be started");
    for (; processes > 1 && place < processes; place++) {
        children[place] = fork();
        if (children[place] == 0) {
            run(&place);
            _exit(0);
        }
        /* One after the other: several that log in to a SoftHSM token at once fail now and then. */
        while (atomic_load(&shared->ready) < (place + 1) * threads) {
            if (waitpid(children[place], NULL, WNOHANG)) fail("a process ended early");
            usleep(1000);
        }
    }
    while (atomic_load(&shared->ready) < all) usleep(1000);

    atomic_store(&shared->phase, WARMING_UP);
    usleep((useconds_t)(option_number(argc, argv, "--warm-up", "0.2") * 1e6));
    double own = processes == 1 ? processor_self() : processor_of(getpid()), other = processor_of(server);
    double all_used = processor_all();
    uint64_t begun = monotonic_ns();
    atomic_store(&shared->phase, MEASURING);
    usleep((useconds_t)(option_number(argc, argv, "--seconds", "2") * 1e6));
    atomic_store(&shared->phase, COUNTED);
    double seconds = (double)(monotonic_ns() - begun) / 1e9;
    /* While they still work: a server may forget what a connection that has ended took. */
    other = processor_of(server) - other;
    own = (processes == 1 ? processor_self() : processor_of(getpid())) - own;
    all_used = processor_all() - all_used;
    atomic_store(&shared->phase, ENDED);

    if (processes == 1) pthread_join(alone, NULL);
    for (place = 0; processes > 1 && place < processes; place++) {
        int status;
        if (waitpid(children[place], &status, 0) < 0 || status) fail("a process failed");
    }
    static struct histogram sum;
    for (int worker = 0; worker < all; worker++) histogram_add(&sum, &shared->histograms[worker]);
    double signatures = (double)sum.total;
    if (sum.total == 0) fail("nothing was signed in %.1f s", seconds);
    printf("{\"rate\": %.1f, \"p50\": %.1f, \"p99\": %.1f, \"clientProcessor\": %.2f, \"serverProcessor\": %.2f, "
           "\"others\": %.3f, \"generated\": %.2f}\n",
           signatures / seconds, histogram_us(&sum, 0.5), histogram_us(&sum, 0.99), own * 1e6 / signatures,
           other * 1e6 / signatures, (all_used - own - other) / seconds,
           atomic_load(&shared->generated) / seconds);
}
