#ifndef EXCHANGE_H
#define EXCHANGE_H

#include "verify.h"

#include <stddef.h>

/*
 * What goes over a connection: requests that differ in their number alone, and their replies. One for lines of
 * JSON-RPC, one for ssh-agent.
 */
struct exchange {
    /* Length of the first whole message among these bytes; 0 when there is none yet. */
    size_t (*measure)(const char *bytes, size_t count);
    /* The number of the request that this is the reply to, or -1 when replies come in the order of the requests. Ends
       the program when the request was refused. */
    long (*number)(const char *reply, size_t length);
    /* Whether the signature in the reply is the key's for this request. */
    int (*accepts)(const struct verifier *verifier, const char *request, size_t size, const char *reply, size_t length);
};

/* Replies of the agent: the signature is of the JWT in them. */
extern const struct exchange json_exchange;
/* Replies of the programs beside: the signature is of the request's line. */
extern const struct exchange signed_line_exchange;
/* Replies of the socket alone: there is no signature. */
extern const struct exchange line_exchange;
extern const struct exchange ssh_exchange;

enum { NUMBER_BASE = 1000000, NUMBER_LENGTH = 7 };

/* The request with a number put in; the one that was read has NUMBER_BASE. */
void line_request(char *request, long number);

/* Asks an ssh-agent for the key with this comment, and makes the request to sign these bytes with it. */
char *ssh_request(int connection, const char *comment, const char *data, size_t count, enum algorithm algorithm,
                  size_t *length);

#endif
