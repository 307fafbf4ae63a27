/* What happens before and after every call. */
#define _GNU_SOURCE
#include "faulty.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

static void wait_for(uint64_t nanoseconds) {
    struct timespec time = {
        .tv_sec = (time_t)(nanoseconds / 1000000000), .tv_nsec = (long)(nanoseconds % 1000000000)};
    while (nanosleep(&time, &time) != 0 && errno == EINTR) continue;
}

bool thread_is_idle(void) { return sched_getscheduler(0) == SCHED_IDLE; }

/* Does not return while a rule that holds the call is in the control file. */
static void hold(const struct call *call, unsigned action) {
    for (size_t i = 0; i < call->rule_count; i++) {
        if ((call->actions[i] & action) == 0) continue;
        count_function(call->function, COUNT_HELD, 1);
        bool was_idle = thread_is_idle();
        while (rule_remains(call->rules[i])) {
            wait_for(2000000);
            if (was_idle && !thread_is_idle()) count_name(function_names[call->function], "held-raised");
            was_idle = thread_is_idle();
        }
        count_function(call->function, COUNT_HELD, -1);
    }
}

/* The value of a rule that forbids what the call wants of the token, or CKR_OK. */
static CK_RV refusal(const struct call *call) {
    const struct rule *rule = rule_with(call, ACT_ABSENT);
    if (rule != NULL) {
        switch (call->function) {
        case F_C_GetTokenInfo:
        case F_C_OpenSession:
        case F_C_GetMechanismList:
        case F_C_GetMechanismInfo: return CKR_TOKEN_NOT_PRESENT;
        default: break;
        }
    }
    /* What else it says of the token is for C_GetTokenInfo and C_OpenSession, see special.c. */
    rule = rule_with(call, ACT_WRITE_PROTECTED);
    if (rule != NULL && call->function != F_C_GetTokenInfo && call->function != F_C_OpenSession) {
        return CKR_TOKEN_WRITE_PROTECTED;
    }
    for (size_t i = 0; i < call->rule_count && call->has_mechanism; i++) {
        for (size_t j = 0; (call->actions[i] & ACT_HIDE_MECHANISM) != 0 && j < call->rules[i]->hidden_count; j++) {
            if (call->rules[i]->hidden[j] == call->mechanism) return CKR_MECHANISM_INVALID;
        }
    }
    return CKR_OK;
}

/* A writer waits for the readers inside and keeps new ones out, or clients that never pause would keep it out. */
static pthread_rwlock_t inside = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

void real_enter(void) { pthread_rwlock_rdlock(&inside); }
void real_enter_alone(void) { pthread_rwlock_wrlock(&inside); }
void real_leave(void) { pthread_rwlock_unlock(&inside); }

bool call_before(struct call *call, CK_RV *value) {
    count_function(call->function, COUNT_CALL, 1);
    if (!rules_match(call)) {
        /* The real module is not to be left in use by a process that goes. */
        if (call->function == F_C_Finalize) REAL(C_Finalize, NULL);
        *value = BROKEN;
        return false;
    }
    if (call->rule_count > 0) count_function(call->function, COUNT_FAULT, 1);

    for (size_t i = 0; i < call->rule_count; i++) {
        const struct rule *rule = call->rules[i];
        if ((call->actions[i] & ACT_DELAY) != 0) wait_for(rule->delay);
        if ((call->actions[i] & ACT_LOGOUT) != 0) {
            CK_SESSION_HANDLE session = call->session;
            if (call->has_session || session_any(&session)) REAL_ALONE(C_Logout, session);
        }
        if ((call->actions[i] & ACT_INVALIDATE_SESSIONS) != 0) sessions_invalidate();
        if ((call->actions[i] & ACT_INVALIDATE_OBJECTS) != 0) objects_invalidate(rule->invalid_key);
    }
    hold(call, ACT_HOLD);
    const struct rule *rule = rule_with(call, ACT_RETURN);
    if (rule != NULL) {
        *value = rule->returns;
        return false;
    }
    *value = refusal(call);
    if (*value != CKR_OK) return false;
    if (call->has_object) *value = object_in(&call->object, call->object_is_key);
    return *value == CKR_OK;
}

CK_RV call_after(struct call *call, CK_RV value) {
    hold(call, ACT_HOLD_AFTER);
    const struct rule *rule = rule_with(call, ACT_RETURN_AFTER);
    return rule != NULL ? rule->returns_after : value;
}
