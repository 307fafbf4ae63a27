#ifndef FAULTY_TOKEN_H
#define FAULTY_TOKEN_H

#include <stdint.h>

/*
 * One record of the counters file. The file is a row of these, each written by atomic stores into memory that the
 * module shares with whoever maps or reads the file; a record whose name is empty, and all after it, are free.
 *
 * C_Sign                          calls of the function
 * C_Sign:fault                    those of them that a rule applied to
 * C_Sign:held                     those of them that a rule holds now
 * C_GetAttributeValue:CKA_ID      times the attribute was asked for; by number, as 0x80000001, when it has no name
 * C_CreateObject:CKO_PRIVATE_KEY  objects of the class that were asked to be created
 * C_GenerateKeyPair:begun-idle    calls that came in on a thread that is scheduled as SCHED_IDLE
 * C_Sign:held-raised              times that the thread of a call that is held came out of SCHED_IDLE
 */
struct faulty_token_counter {
    char name[56];
    uint64_t count;
};

enum { FAULTY_TOKEN_COUNTERS = 1024 };

#endif
