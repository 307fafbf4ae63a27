#ifndef PRIVYSEAL_CLIBP11_SHIM_H
#define PRIVYSEAL_CLIBP11_SHIM_H

#include <libp11.h>

/* libp11 reports what went wrong on libcrypto's error queue. */
#include <openssl/err.h>

#endif
