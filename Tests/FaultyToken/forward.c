/* The functions that go through as they are, with what rules want done around them. */
#include "forward.h"

FORWARD(C_Initialize, (CK_VOID_PTR arguments), (arguments), , {})
FORWARD(C_Finalize, (CK_VOID_PTR reserved), (reserved), , {
    sessions_forget();
    forget_pairs();
})
FORWARD(C_GetInfo, (CK_INFO * info), (info), , {})
FORWARD(C_WaitForSlotEvent, (CK_FLAGS flags, CK_SLOT_ID_PTR slot, CK_VOID_PTR reserved), (flags, slot, reserved), , {})
FORWARD(C_GetMechanismInfo, (CK_SLOT_ID slot, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO * info), (slot, type, info),
        ON_SLOT; call.has_mechanism = true; call.mechanism = type, {})
FORWARD(C_InitToken, (CK_SLOT_ID slot, CK_BYTE_PTR pin, CK_ULONG length, CK_BYTE_PTR label), (slot, pin, length, label),
        ON_SLOT, {})
FORWARD(C_CloseAllSessions, (CK_SLOT_ID slot), (slot), ON_SLOT, { sessions_closed(slot); })

FORWARD(C_InitPIN, (CK_SESSION_HANDLE session, CK_BYTE_PTR pin, CK_ULONG length), (session, pin, length), IN_SESSION, {})
FORWARD(C_SetPIN, (CK_SESSION_HANDLE session, CK_BYTE_PTR old, CK_ULONG old_length, CK_BYTE_PTR pin, CK_ULONG length),
        (session, old, old_length, pin, length), IN_SESSION, {})
FORWARD(C_CloseSession, (CK_SESSION_HANDLE session), (session), IN_SESSION, { session_closed(session); })
FORWARD(C_GetSessionInfo, (CK_SESSION_HANDLE session, CK_SESSION_INFO * info), (session, info), IN_SESSION, {})
FORWARD(C_Login, (CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_BYTE_PTR pin, CK_ULONG length),
        (session, user, pin, length), IN_SESSION, {})
FORWARD(C_Logout, (CK_SESSION_HANDLE session), (session), IN_SESSION, {})
FORWARD(C_GetFunctionStatus, (CK_SESSION_HANDLE session), (session), IN_SESSION, {})
FORWARD(C_CancelFunction, (CK_SESSION_HANDLE session), (session), IN_SESSION, {})
FORWARD(C_GetOperationState, (CK_SESSION_HANDLE session, CK_BYTE_PTR state, CK_ULONG_PTR length),
        (session, state, length), IN_SESSION, {})

FORWARD(C_DestroyObject, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object), (session, call.object),
        IN_SESSION; ON_OBJECT(object), {})
FORWARD(C_GetObjectSize, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ULONG_PTR size),
        (session, call.object, size), IN_SESSION; ON_OBJECT(object), {})
FORWARD(C_SetAttributeValue, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_PTR template, CK_ULONG count),
        (session, call.object, template, count), IN_SESSION; ON_OBJECT(object), {})
FORWARD(C_FindObjectsInit, (CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR template, CK_ULONG count),
        (session, template, count), IN_SESSION, {})
FORWARD(C_FindObjectsFinal, (CK_SESSION_HANDLE session), (session), IN_SESSION, {})

#define INITIALIZES_WITH_KEY(name, ...)                                                                 \
    FORWARD(name, (CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key),        \
            (session, mechanism, call.object), IN_SESSION; WITH_MECHANISM; ON_KEY(key), {__VA_ARGS__})
#define TAKES_BYTES(name)                                                                               \
    FORWARD(name, (CK_SESSION_HANDLE session, CK_BYTE_PTR bytes, CK_ULONG length), (session, bytes, length), IN_SESSION, {})
#define GIVES_BYTES(name)                                                                               \
    FORWARD(name, (CK_SESSION_HANDLE session, CK_BYTE_PTR bytes, CK_ULONG_PTR length), (session, bytes, length), IN_SESSION, {})
#define TAKES_AND_GIVES_BYTES(name)                                                                     \
    FORWARD(name,                                                                                       \
            (CK_SESSION_HANDLE session, CK_BYTE_PTR in, CK_ULONG in_length, CK_BYTE_PTR out, CK_ULONG_PTR out_length), \
            (session, in, in_length, out, out_length), IN_SESSION, {})

INITIALIZES_WITH_KEY(C_EncryptInit)
TAKES_AND_GIVES_BYTES(C_Encrypt)
TAKES_AND_GIVES_BYTES(C_EncryptUpdate)
GIVES_BYTES(C_EncryptFinal)
INITIALIZES_WITH_KEY(C_DecryptInit)
TAKES_AND_GIVES_BYTES(C_Decrypt)
TAKES_AND_GIVES_BYTES(C_DecryptUpdate)
GIVES_BYTES(C_DecryptFinal)
FORWARD(C_DigestInit, (CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism), (session, mechanism),
        IN_SESSION; WITH_MECHANISM, {})
TAKES_AND_GIVES_BYTES(C_Digest)
TAKES_BYTES(C_DigestUpdate)
FORWARD(C_DigestKey, (CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key), (session, call.object), IN_SESSION; ON_KEY(key), {})
GIVES_BYTES(C_DigestFinal)
INITIALIZES_WITH_KEY(C_SignInit, if (mechanism != NULL) session_signs(session, call.object, mechanism->mechanism);)
TAKES_BYTES(C_SignUpdate)
INITIALIZES_WITH_KEY(C_SignRecoverInit)
TAKES_AND_GIVES_BYTES(C_SignRecover)
INITIALIZES_WITH_KEY(C_VerifyInit)
FORWARD(C_Verify,
        (CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG length, CK_BYTE_PTR signature, CK_ULONG signature_length),
        (session, data, length, signature, signature_length), IN_SESSION, {})
TAKES_BYTES(C_VerifyUpdate)
TAKES_BYTES(C_VerifyFinal)
INITIALIZES_WITH_KEY(C_VerifyRecoverInit)
TAKES_AND_GIVES_BYTES(C_VerifyRecover)
TAKES_AND_GIVES_BYTES(C_DigestEncryptUpdate)
TAKES_AND_GIVES_BYTES(C_DecryptDigestUpdate)
TAKES_AND_GIVES_BYTES(C_SignEncryptUpdate)
TAKES_AND_GIVES_BYTES(C_DecryptVerifyUpdate)
TAKES_BYTES(C_SeedRandom)
FORWARD(C_GenerateRandom, (CK_SESSION_HANDLE session, CK_BYTE_PTR bytes, CK_ULONG length), (session, bytes, length),
        IN_SESSION, {})
