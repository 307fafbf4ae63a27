#ifndef PRIVYSEAL_CCRYPTOKI_SHIM_H
#define PRIVYSEAL_CCRYPTOKI_SHIM_H

/* uri.h and pkcs11.h use size_t and NULL without including their header. */
#include <stddef.h>

/* The names of the standard (CK_SLOT_ID), not the GNU ones (ck_slot_id_t). */
#define CRYPTOKI_COMPAT 1
#include <p11-kit/p11-kit.h>
#include <p11-kit/pkcs11.h>
#include <p11-kit/uri.h>

/* Swift does not import macros that hold a cast. */
static const CK_ULONG privyseal_CK_UNAVAILABLE_INFORMATION = CK_UNAVAILABLE_INFORMATION;
static const CK_RV privyseal_CKR_VENDOR_DEFINED = CKR_VENDOR_DEFINED;

#endif
