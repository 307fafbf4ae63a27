/* The functions that make, find and show objects. */
#include "forward.h"

#include <stdlib.h>
#include <string.h>

static bool names(CK_ATTRIBUTE_PTR template, CK_ULONG count, CK_ATTRIBUTE_TYPE type) {
    for (CK_ULONG i = 0; i < count; i++) {
        if (template[i].type == type) return true;
    }
    return false;
}

/* How many objects the token shows, in a session of its own since the caller's may be searching. */
static CK_ULONG object_count(CK_SESSION_HANDLE callers) {
    CK_SLOT_ID slot;
    CK_SESSION_HANDLE session;
    CK_ULONG count = 0, found = 0;
    CK_OBJECT_HANDLE objects[64];
    if (!session_slot(callers, &slot)) return 0;
    if (REAL(C_OpenSession, slot, CKF_SERIAL_SESSION, NULL, NULL, &session) != CKR_OK) return 0;
    if (REAL(C_FindObjectsInit, session, NULL, 0) == CKR_OK) {
        while (REAL(C_FindObjects, session, objects, 64, &found) == CKR_OK && found > 0) count += found;
        REAL(C_FindObjectsFinal, session);
    }
    REAL(C_CloseSession, session);
    return count;
}

/* Whether a rule says that the token has no room for so many more. */
static bool is_full(const struct call *call, CK_ULONG more) {
    const struct rule *rule = rule_with(call, ACT_OBJECT_LIMIT);
    return rule != NULL && object_count(call->session) + more > rule->object_limit;
}

static bool refuses(const struct call *call, CK_ATTRIBUTE_PTR template, CK_ULONG count) {
    for (size_t i = 0; i < call->rule_count; i++) {
        if ((call->actions[i] & ACT_REFUSE_TEMPLATE) == 0) continue;
        for (size_t j = 0; j < call->rules[i]->refused_count; j++) {
            if (names(template, count, call->rules[i]->refused[j])) return true;
        }
    }
    return false;
}

#define MAKES_OBJECT(name, parameters, arguments, result, ...)                                                  \
    static CK_RV forward_##name parameters {                                                                    \
        struct call call = {.function = F_##name};                                                              \
        IN_SESSION;                                                                                             \
        __VA_ARGS__;                                                                                            \
        CK_RV value;                                                                                            \
        if (!call_before(&call, &value)) return value;                                                          \
        value = is_full(&call, 1) ? (CK_RV)CKR_DEVICE_MEMORY : REAL_WITH(name, arguments);                      \
        if (value == CKR_OK && result != NULL) *result = object_out(*result);                                   \
        return call_after(&call, value);                                                                        \
    }                                                                                                           \
    const CK_##name wrapped_##name = forward_##name;

static void count_class(CK_ATTRIBUTE_PTR template, CK_ULONG count) {
    char text[40] = "none";
    for (CK_ULONG i = 0; i < count; i++) {
        CK_OBJECT_CLASS class;
        if (template[i].type != CKA_CLASS || template[i].ulValueLen != sizeof class) continue;
        memcpy(&class, template[i].pValue, sizeof class);
        name_of(class_names, class, text, sizeof text);
    }
    count_name("C_CreateObject", text);
}

MAKES_OBJECT(C_CreateObject,
             (CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR template, CK_ULONG count, CK_OBJECT_HANDLE_PTR object),
             (session, template, count, object), object, count_class(template, count))
MAKES_OBJECT(C_CopyObject,
             (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE source, CK_ATTRIBUTE_PTR template, CK_ULONG count,
              CK_OBJECT_HANDLE_PTR object),
             (session, call.object, template, count, object), object, ON_OBJECT(source))
MAKES_OBJECT(C_GenerateKey,
             (CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR template, CK_ULONG count,
              CK_OBJECT_HANDLE_PTR key),
             (session, mechanism, template, count, key), key, WITH_MECHANISM)
MAKES_OBJECT(C_UnwrapKey,
             (CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE with, CK_BYTE_PTR wrapped,
              CK_ULONG length, CK_ATTRIBUTE_PTR template, CK_ULONG count, CK_OBJECT_HANDLE_PTR key),
             (session, mechanism, call.object, wrapped, length, template, count, key), key, WITH_MECHANISM;
             ON_KEY(with))
MAKES_OBJECT(C_DeriveKey,
             (CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE base, CK_ATTRIBUTE_PTR template,
              CK_ULONG count, CK_OBJECT_HANDLE_PTR key),
             (session, mechanism, call.object, template, count, key), key, WITH_MECHANISM;
             ON_KEY(base))

/* Key pairs since the module was initialised, destroyed ones too. */
static _Atomic CK_ULONG pairs;

void forget_pairs(void) { pairs = 0; }

static CK_RV forward_C_GenerateKeyPair(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_ATTRIBUTE_PTR public_template,
                                       CK_ULONG public_count, CK_ATTRIBUTE_PTR private_template, CK_ULONG private_count,
                                       CK_OBJECT_HANDLE_PTR public_key, CK_OBJECT_HANDLE_PTR private_key) {
    struct call call = {.function = F_C_GenerateKeyPair};
    IN_SESSION;
    WITH_MECHANISM;
    CK_RV value;
    /* It takes a processor from others for long. */
    if (thread_is_idle()) count_name(function_names[call.function], "begun-idle");
    if (!call_before(&call, &value)) return value;
    const struct rule *const limit = rule_with(&call, ACT_PAIR_LIMIT);
    if (refuses(&call, private_template, private_count) || (limit != NULL && pairs >= limit->pair_limit)) {
        value = CKR_GENERAL_ERROR;
    } else if (is_full(&call, 2)) {
        value = CKR_DEVICE_MEMORY;
    } else {
        value = REAL(C_GenerateKeyPair, session, mechanism, public_template, public_count, private_template,
                     private_count, public_key, private_key);
    }
    if (value == CKR_OK) {
        if (public_key != NULL) *public_key = object_out(*public_key);
        if (private_key != NULL) *private_key = object_out(*private_key);
        pairs++;
    }
    return call_after(&call, value);
}

const CK_C_GenerateKeyPair wrapped_C_GenerateKeyPair = forward_C_GenerateKeyPair;

static CK_RV forward_C_FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE_PTR objects, CK_ULONG most, CK_ULONG_PTR count) {
    struct call call = {.function = F_C_FindObjects};
    IN_SESSION;
    CK_RV value;
    if (!call_before(&call, &value)) return value;
    value = REAL(C_FindObjects, session, objects, most, count);
    if (value == CKR_OK && rule_with(&call, ACT_BLANK) != NULL) *count = 0;
    if (value == CKR_OK) objects_out(objects, *count);
    return call_after(&call, value);
}

const CK_C_FindObjects wrapped_C_FindObjects = forward_C_FindObjects;

static CK_RV forward_C_WrapKey(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE with,
                               CK_OBJECT_HANDLE key, CK_BYTE_PTR wrapped, CK_ULONG_PTR length) {
    struct call call = {.function = F_C_WrapKey};
    IN_SESSION;
    WITH_MECHANISM;
    ON_KEY(key);
    CK_RV value;
    if (!call_before(&call, &value)) return value;
    value = object_in(&with, true);
    if (value == CKR_OK) value = REAL(C_WrapKey, session, mechanism, with, call.object, wrapped, length);
    return call_after(&call, value);
}

const CK_C_WrapKey wrapped_C_WrapKey = forward_C_WrapKey;

static CK_RV forward_C_SetOperationState(CK_SESSION_HANDLE session, CK_BYTE_PTR state, CK_ULONG length,
                                         CK_OBJECT_HANDLE encrypting, CK_OBJECT_HANDLE authenticating) {
    struct call call = {.function = F_C_SetOperationState};
    IN_SESSION;
    CK_RV value;
    if (!call_before(&call, &value)) return value;
    value = object_in(&encrypting, true);
    if (value == CKR_OK) value = object_in(&authenticating, true);
    if (value == CKR_OK) value = REAL(C_SetOperationState, session, state, length, encrypting, authenticating);
    return call_after(&call, value);
}

const CK_C_SetOperationState wrapped_C_SetOperationState = forward_C_SetOperationState;
