/* What the files of the module share. Nothing of it is visible outside. */
#ifndef FAULTY_H
#define FAULTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define CRYPTOKI_COMPAT 1
#include <p11-kit/pkcs11.h>

#pragma GCC visibility push(hidden)

/* Every function of the list that can be called after C_GetFunctionList, in the order of the standard. */
#define FUNCTIONS(X)                                                                                              \
    X(C_Initialize) X(C_Finalize) X(C_GetInfo) X(C_GetSlotList) X(C_GetSlotInfo) X(C_GetTokenInfo)                \
    X(C_GetMechanismList) X(C_GetMechanismInfo) X(C_InitToken) X(C_InitPIN) X(C_SetPIN) X(C_OpenSession)          \
    X(C_CloseSession) X(C_CloseAllSessions) X(C_GetSessionInfo) X(C_GetOperationState) X(C_SetOperationState)     \
    X(C_Login) X(C_Logout) X(C_CreateObject) X(C_CopyObject) X(C_DestroyObject) X(C_GetObjectSize)                \
    X(C_GetAttributeValue) X(C_SetAttributeValue) X(C_FindObjectsInit) X(C_FindObjects) X(C_FindObjectsFinal)     \
    X(C_EncryptInit) X(C_Encrypt) X(C_EncryptUpdate) X(C_EncryptFinal) X(C_DecryptInit) X(C_Decrypt)              \
    X(C_DecryptUpdate) X(C_DecryptFinal) X(C_DigestInit) X(C_Digest) X(C_DigestUpdate) X(C_DigestKey)             \
    X(C_DigestFinal) X(C_SignInit) X(C_Sign) X(C_SignUpdate) X(C_SignFinal) X(C_SignRecoverInit) X(C_SignRecover) \
    X(C_VerifyInit) X(C_Verify) X(C_VerifyUpdate) X(C_VerifyFinal) X(C_VerifyRecoverInit) X(C_VerifyRecover)      \
    X(C_DigestEncryptUpdate) X(C_DecryptDigestUpdate) X(C_SignEncryptUpdate) X(C_DecryptVerifyUpdate)             \
    X(C_GenerateKey) X(C_GenerateKeyPair) X(C_WrapKey) X(C_UnwrapKey) X(C_DeriveKey) X(C_SeedRandom)              \
    X(C_GenerateRandom) X(C_GetFunctionStatus) X(C_CancelFunction) X(C_WaitForSlotEvent)

enum function {
#define X(name) F_##name,
    FUNCTIONS(X)
#undef X
    FUNCTION_COUNT,
    ANY_FUNCTION,
};

extern const char *const function_names[FUNCTION_COUNT];

/* What every call gets while the control file cannot be understood, or a setting of the module cannot be used. */
#define BROKEN (CKR_VENDOR_DEFINED | 0x66UL)

/* names.c */

struct name {
    const char *text;
    CK_ULONG value;
};

extern const struct name return_value_names[], attribute_names[], mechanism_names[], token_flag_names[], class_names[];

/* The value of a name, or of a number written as 0x and hexadecimal digits; false when the text is neither. */
bool value_of(const struct name *names, const char *text, CK_ULONG *value);
/* The name of a value, or its number written so. */
void name_of(const struct name *names, CK_ULONG value, char *text, size_t size);
/* FUNCTION_COUNT when there is none of this name. */
enum function function_of(const char *name);

/* module.c */

struct settings {
    char *module;
    char *control;
    char *counters;
};

extern struct settings settings;
/* The functions of the module behind this one. Never null once C_GetFunctionList has succeeded. */
extern CK_FUNCTION_LIST *real;

void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* counters.c */

enum count_kind { COUNT_CALL, COUNT_FAULT, COUNT_HELD, COUNT_KINDS };

/* False when the file cannot be made or mapped. Without a file the counters are kept in memory. */
bool counters_open(const char *path);
void count_function(enum function function, enum count_kind kind, int64_t by);
void count_name(const char *function, const char *detail);

/* rules.c */

enum {
    /* What a rule does to a call of the function it names. */
    ACT_RETURN = 1 << 0,
    ACT_RETURN_AFTER = 1 << 1,
    ACT_DELAY = 1 << 2,
    ACT_HOLD = 1 << 3,
    ACT_HOLD_AFTER = 1 << 4,
    ACT_CORRUPT = 1 << 5,
    ACT_INVALIDATE_SESSIONS = 1 << 6,
    ACT_INVALIDATE_OBJECTS = 1 << 7,
    ACT_LOGOUT = 1 << 8,
    /* What a rule makes of the token, for every function that shows it. */
    ACT_SERIAL = 1 << 9,
    ACT_LABEL = 1 << 10,
    ACT_BLANK = 1 << 11,
    ACT_ABSENT = 1 << 12,
    ACT_SESSIONS = 1 << 13,
    ACT_FLAGS = 1 << 14,
    ACT_WRITE_PROTECTED = 1 << 15,
    ACT_HIDE_MECHANISM = 1 << 16,
    ACT_OBJECT_LIMIT = 1 << 17,
    ACT_ATTRIBUTES = 1 << 18,
    ACT_REFUSE_TEMPLATE = 1 << 19,
    ACT_FREE_MEMORY = 1 << 20,
    ACT_PAIR_LIMIT = 1 << 21,
};

#define CALL_ACTIONS (ACT_SERIAL - 1)

enum answer_kind { ANSWER_NONE, ANSWER_RAW_POINT, ANSWER_SHORT_POINT, ANSWER_BYTES };

/* What is to be answered when an attribute is asked for. */
struct answer {
    CK_ATTRIBUTE_TYPE type;
    enum answer_kind kind;
    size_t length;
    unsigned char bytes[256];
};

enum { MOST_OF_A_KIND = 16 };

struct rule {
    char *text;
    enum function function;
    unsigned actions;

    CK_RV returns, returns_after, invalid_key;
    uint64_t delay;
    char serial[17], label[33];
    CK_ULONG sessions, object_limit, free_memory, pair_limit;
    CK_FLAGS flags, cleared_flags;
    CK_MECHANISM_TYPE hidden[MOST_OF_A_KIND];
    size_t hidden_count;
    struct answer *answers[MOST_OF_A_KIND];
    size_t answer_count;
    CK_ATTRIBUTE_TYPE refused[MOST_OF_A_KIND];
    size_t refused_count;

    uint64_t first, every, most, duration;
    /* FUNCTION_COUNT when it has none. */
    enum function until;
    bool has_session, is_first_session, has_mechanism, has_key;
    CK_SESSION_HANDLE session;
    CK_MECHANISM_TYPE mechanism;
    unsigned char key[64];
    size_t key_length;

    /* Under the lock of rules.c. */
    uint64_t appeared, matched;
    bool knows_session, is_ended;
    struct rule *next_ever;
};

enum { MOST_RULES = 64 };

/* A call on its way through the module. */
struct call {
    enum function function;
    bool has_session, has_slot, has_object, has_mechanism, object_is_key;
    CK_SESSION_HANDLE session;
    CK_SLOT_ID slot;
    /* The caller's handle at first, the real module's after call_before. */
    CK_OBJECT_HANDLE object;
    CK_MECHANISM_TYPE mechanism;

    const struct rule *rules[MOST_RULES];
    /* Which actions of each apply to this call. */
    unsigned actions[MOST_RULES];
    size_t rule_count;
};

/* parse.c: parses a rule. Returns null and says which word of it is wrong and why when it is none. */
struct rule *rule_parse(const char *line, char *error, size_t size);
/* Whether an action of those that are about the token has a say in a function. */
bool action_concerns(unsigned action, enum function function);

/* Reads the control file if it has changed, and notes in the call which rules apply to it. False when it is broken. */
bool rules_match(struct call *call);
/* Whether the control file still has the rule, and its time is not over. */
bool rule_remains(const struct rule *rule);
/* The first rule of the call with one of these actions, or null. */
const struct rule *rule_with(const struct call *call, unsigned actions);
uint64_t now(void);

/* sessions.c */

void session_opened(CK_SESSION_HANDLE session, CK_SLOT_ID slot);
void session_closed(CK_SESSION_HANDLE session);
void sessions_closed(CK_SLOT_ID slot);
void sessions_forget(void);

/* objects.c */

void forget_pairs(void);
CK_ULONG session_count(CK_SLOT_ID slot);
bool session_slot(CK_SESSION_HANDLE session, CK_SLOT_ID *slot);
/* The key, as the real module numbers it, and the mechanism that the session signs with. */
void session_signs(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, CK_MECHANISM_TYPE mechanism);
bool session_signature(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *key, CK_MECHANISM_TYPE *mechanism);
/* Some open session. */
bool session_any(CK_SESSION_HANDLE *session);
/* Has the real module close every session. */
void sessions_invalidate(void);

/* Object handles are given out with the number of times that all were made invalid in their upper quarter. */
void objects_invalidate(CK_RV value_for_keys);
CK_OBJECT_HANDLE object_out(CK_OBJECT_HANDLE object);
void objects_out(CK_OBJECT_HANDLE *objects, CK_ULONG count);
/* Turns a caller's handle into the real module's. Not CKR_OK when it was given out before they were made invalid. */
CK_RV object_in(CK_OBJECT_HANDLE *object, bool is_key);

/* calls.c */

/* Whether the calling thread is scheduled as SCHED_IDLE. */
bool thread_is_idle(void);
/* Counts the call and does what rules want done before it. False when it ends here, with the value. */
bool call_before(struct call *call, CK_RV *value);
/* Does what rules want done after it. Returns the value for the caller. */
CK_RV call_after(struct call *call, CK_RV value);

/* forward.c and special.c: the functions given to the caller. */

#define X(name) extern const CK_##name wrapped_##name;
FUNCTIONS(X)
#undef X

/* Calls the real module's function, if it has one. */
#define REAL(name, ...) INSIDE(real_enter, real->name != NULL ? real->name(__VA_ARGS__) : (CK_RV)CKR_FUNCTION_NOT_SUPPORTED)

/* A call that takes away what other threads are using: it waits until none of them is inside, since a real module need
   not stand that (SoftHSM 2.6.1 frees what they use). A module that loses its sessions does so by itself. */
#define REAL_ALONE(name, ...) \
    INSIDE(real_enter_alone, real->name != NULL ? real->name(__VA_ARGS__) : (CK_RV)CKR_FUNCTION_NOT_SUPPORTED)

#define INSIDE(enter, call)                \
    __extension__({                        \
        enter();                           \
        const CK_RV inside_ = (call);      \
        real_leave();                      \
        inside_;                           \
    })

void real_enter(void);
void real_enter_alone(void);
void real_leave(void);

#pragma GCC visibility pop

#endif
