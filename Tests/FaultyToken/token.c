/* The functions that show the token, open sessions with it, and sign. */
#include "forward.h"

#include <stdlib.h>
#include <string.h>

static CK_RV forward_C_GetSlotList(CK_BBOOL with_token, CK_SLOT_ID_PTR slots, CK_ULONG_PTR count) {
    struct call call = {.function = F_C_GetSlotList};
    CK_RV value;
    if (!call_before(&call, &value)) return value;
    if (with_token && count != NULL && rule_with(&call, ACT_ABSENT) != NULL) {
        /* The real module would find the room for none too small. */
        *count = 0;
        value = CKR_OK;
    } else {
        value = REAL(C_GetSlotList, with_token, slots, count);
    }
    return call_after(&call, value);
}

const CK_C_GetSlotList wrapped_C_GetSlotList = forward_C_GetSlotList;

FORWARD(C_GetSlotInfo, (CK_SLOT_ID slot, CK_SLOT_INFO * info), (slot, info), ON_SLOT, {
    if (rule_with(&call, ACT_ABSENT) != NULL) info->flags &= ~(CK_FLAGS)CKF_TOKEN_PRESENT;
})

/* Makes of what the token says what rules want it to have said. */
static void falsify(const struct call *call, CK_TOKEN_INFO *info) {
    for (size_t i = 0; i < call->rule_count; i++) {
        const struct rule *const rule = call->rules[i];
        const unsigned actions = call->actions[i];
        if ((actions & ACT_SERIAL) != 0) memcpy(info->serialNumber, rule->serial, sizeof info->serialNumber);
        if ((actions & ACT_LABEL) != 0) memcpy(info->label, rule->label, sizeof info->label);
        if ((actions & ACT_BLANK) != 0) info->flags &= ~(CK_FLAGS)(CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED);
        if ((actions & ACT_SESSIONS) != 0) info->ulMaxSessionCount = info->ulMaxRwSessionCount = rule->sessions;
        if ((actions & ACT_FLAGS) != 0) info->flags = (info->flags | rule->flags) & ~rule->cleared_flags;
        if ((actions & ACT_WRITE_PROTECTED) != 0) info->flags |= CKF_WRITE_PROTECTED;
        if ((actions & ACT_FREE_MEMORY) != 0) info->ulFreePublicMemory = info->ulFreePrivateMemory = rule->free_memory;
    }
}

FORWARD(C_GetTokenInfo, (CK_SLOT_ID slot, CK_TOKEN_INFO * info), (slot, info), ON_SLOT, { falsify(&call, info); })

static bool is_hidden(const struct call *call, CK_MECHANISM_TYPE mechanism) {
    for (size_t i = 0; i < call->rule_count; i++) {
        for (size_t j = 0; (call->actions[i] & ACT_HIDE_MECHANISM) != 0 && j < call->rules[i]->hidden_count; j++) {
            if (call->rules[i]->hidden[j] == mechanism) return true;
        }
    }
    return false;
}

/* The list without what is hidden, which must be known to tell its length. */
static CK_RV shorter_list(const struct call *call, CK_MECHANISM_TYPE_PTR mechanisms, CK_ULONG_PTR count) {
    CK_ULONG all = 0, shown = 0;
    CK_RV value = REAL(C_GetMechanismList, call->slot, NULL, &all);
    CK_MECHANISM_TYPE *list = calloc(all + 1, sizeof *list);
    if (list == NULL) abort();
    if (value == CKR_OK) value = REAL(C_GetMechanismList, call->slot, list, &all);
    for (CK_ULONG i = 0; value == CKR_OK && i < all; i++) {
        if (!is_hidden(call, list[i])) list[shown++] = list[i];
    }
    if (value == CKR_OK) {
        if (mechanisms != NULL && *count < shown) value = CKR_BUFFER_TOO_SMALL;
        if (mechanisms != NULL && value == CKR_OK) memcpy(mechanisms, list, shown * sizeof *list);
        *count = shown;
    }
    free(list);
    return value;
}

static CK_RV forward_C_GetMechanismList(CK_SLOT_ID slot, CK_MECHANISM_TYPE_PTR mechanisms, CK_ULONG_PTR count) {
    struct call call = {.function = F_C_GetMechanismList};
    ON_SLOT;
    CK_RV value;
    if (!call_before(&call, &value)) return value;
    value = rule_with(&call, ACT_HIDE_MECHANISM) != NULL && count != NULL
                ? shorter_list(&call, mechanisms, count)
                : REAL(C_GetMechanismList, slot, mechanisms, count);
    return call_after(&call, value);
}

const CK_C_GetMechanismList wrapped_C_GetMechanismList = forward_C_GetMechanismList;

static CK_RV forward_C_OpenSession(CK_SLOT_ID slot, CK_FLAGS flags, CK_VOID_PTR application, CK_NOTIFY notify,
                                   CK_SESSION_HANDLE_PTR session) {
    struct call call = {.function = F_C_OpenSession};
    ON_SLOT;
    CK_RV value;
    if (!call_before(&call, &value)) return value;
    const struct rule *const limit = rule_with(&call, ACT_SESSIONS);
    if (limit != NULL && session_count(slot) >= limit->sessions) {
        value = CKR_SESSION_COUNT;
    } else if ((flags & CKF_RW_SESSION) != 0 && rule_with(&call, ACT_WRITE_PROTECTED) != NULL) {
        value = CKR_TOKEN_WRITE_PROTECTED;
    } else {
        value = REAL(C_OpenSession, slot, flags, application, notify, session);
        if (value == CKR_OK) session_opened(*session, slot);
    }
    return call_after(&call, value);
}

const CK_C_OpenSession wrapped_C_OpenSession = forward_C_OpenSession;

/* In the middle: the first bytes of some signatures are headers to some readers. */
static void corrupt(const struct call *call, CK_BYTE_PTR signature, CK_ULONG length) {
    if (signature != NULL && length > 0 && rule_with(call, ACT_CORRUPT) != NULL) signature[length / 2] ^= 0x10;
}

/* A signature that fails for the caller is over (PKCS#11 v2.40 base §5.11), except when only the room for it was too
   small. There is no other way to end it in the real module than to have it done. */
static void end_signature(const struct call *call, CK_RV value, CK_BYTE_PTR data, CK_ULONG length) {
    CK_BYTE unused[8192];
    CK_ULONG unused_length = sizeof unused;
    if (value == BROKEN || value == CKR_OK || value == CKR_BUFFER_TOO_SMALL) return;
    if (call->function == F_C_Sign) {
        REAL(C_Sign, call->session, data, length, unused, &unused_length);
    } else {
        REAL(C_SignFinal, call->session, unused, &unused_length);
    }
}

static CK_RV forward_C_Sign(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR signature,
                            CK_ULONG_PTR signature_length) {
    struct call call = {.function = F_C_Sign};
    IN_SESSION;
    CK_RV value;
    if (!call_before(&call, &value)) {
        end_signature(&call, value, data, length);
        return value;
    }
    value = REAL(C_Sign, session, data, length, signature, signature_length);
    if (value == CKR_OK) corrupt(&call, signature, *signature_length);
    return call_after(&call, value);
}

const CK_C_Sign wrapped_C_Sign = forward_C_Sign;

static CK_RV forward_C_SignFinal(CK_SESSION_HANDLE session, CK_BYTE_PTR signature, CK_ULONG_PTR length) {
    struct call call = {.function = F_C_SignFinal};
    IN_SESSION;
    CK_RV value;
    if (!call_before(&call, &value)) {
        end_signature(&call, value, NULL, 0);
        return value;
    }
    value = REAL(C_SignFinal, session, signature, length);
    if (value == CKR_OK) corrupt(&call, signature, *length);
    return call_after(&call, value);
}

const CK_C_SignFinal wrapped_C_SignFinal = forward_C_SignFinal;
