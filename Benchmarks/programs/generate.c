/* usage: generate --module FILE --label LABEL --pin-file FILE --algorithm NAME [--count N]
 *
 * Generates key pairs one after the other and destroys them again, as make-keys makes them. Prints the seconds it took
 * to initialise the module and log in, and for one generation, without the destruction: median and mean in seconds, and
 * processor seconds.
 */
#include "histogram.h"
#include "options.h"
#include "processor.h"
#include "token.h"

#include <stdio.h>
#include <stdlib.h>

static int compare(const void *one, const void *other) {
    double difference = *(const double *)one - *(const double *)other;
    return (difference > 0) - (difference < 0);
}

int main(int argc, char **argv) {
    enum algorithm algorithm = algorithm_named(option_text(argc, argv, "--algorithm", NULL));
    int count = (int)option_number(argc, argv, "--count", "10");
    if (count < 1) fail("nothing is to be generated");
    uint64_t started = monotonic_ns();
    struct token token =
        token_open(option_text(argc, argv, "--module", NULL), option_text(argc, argv, "--label", NULL),
                   option_text(argc, argv, "--pin-file", NULL));
    double open = (double)(monotonic_ns() - started) / 1e9;
    CK_SESSION_HANDLE session = token_session(&token);
    double seconds[count], sum = 0, processor = 0;
    for (int place = 0; place < count; place++) {
        double used = processor_self();
        uint64_t begun = monotonic_ns();
        struct key_pair pair = token_generate(&token, session, algorithm, "bench-generate");
        seconds[place] = (double)(monotonic_ns() - begun) / 1e9;
        processor += processor_self() - used;
        sum += seconds[place];
        check(token.functions->C_DestroyObject(session, pair.private), "C_DestroyObject");
        check(token.functions->C_DestroyObject(session, pair.public), "C_DestroyObject");
    }
    qsort(seconds, (size_t)count, sizeof seconds[0], compare);
    printf("{\"open\": %.6f, \"median\": %.6f, \"mean\": %.6f, \"processor\": %.6f}\n", open, seconds[count / 2],
           sum / count, processor / count);
    check(token.functions->C_Finalize(NULL), "C_Finalize");
}
