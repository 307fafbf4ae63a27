/* The open sessions, what each signs with, and which object handles are still good. */
#include "faulty.h"

#include <pthread.h>
#include <stdlib.h>

struct session {
    CK_SESSION_HANDLE handle;
    CK_SLOT_ID slot;
    bool signs;
    CK_OBJECT_HANDLE key;
    CK_MECHANISM_TYPE mechanism;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct session *sessions;
static size_t count, capacity;
static CK_ULONG invalidations;
static CK_RV invalid_key = CKR_KEY_HANDLE_INVALID;

/* A handle of the real module has the upper quarter of its bits free; no module is known that numbers so high. */
#define OBJECT_BITS (sizeof(CK_OBJECT_HANDLE) * 8 * 3 / 4)
#define OBJECT_MASK (((CK_OBJECT_HANDLE)1 << OBJECT_BITS) - 1)

/* Under the lock. */
static struct session *find(CK_SESSION_HANDLE handle) {
    for (size_t i = 0; i < count; i++) {
        if (sessions[i].handle == handle) return &sessions[i];
    }
    return NULL;
}

void session_opened(CK_SESSION_HANDLE handle, CK_SLOT_ID slot) {
    pthread_mutex_lock(&lock);
    struct session *session = find(handle);
    if (session == NULL) {
        if (count == capacity) {
            capacity = capacity == 0 ? 32 : 2 * capacity;
            struct session *larger = realloc(sessions, capacity * sizeof *sessions);
            if (larger == NULL) abort();
            sessions = larger;
        }
        session = &sessions[count++];
    }
    *session = (struct session){.handle = handle, .slot = slot};
    pthread_mutex_unlock(&lock);
}

void session_closed(CK_SESSION_HANDLE handle) {
    pthread_mutex_lock(&lock);
    struct session *session = find(handle);
    if (session != NULL) *session = sessions[--count];
    pthread_mutex_unlock(&lock);
}

void sessions_closed(CK_SLOT_ID slot) {
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count;) {
        if (sessions[i].slot == slot) {
            sessions[i] = sessions[--count];
        } else {
            i++;
        }
    }
    pthread_mutex_unlock(&lock);
}

void sessions_forget(void) {
    pthread_mutex_lock(&lock);
    count = 0;
    pthread_mutex_unlock(&lock);
}

CK_ULONG session_count(CK_SLOT_ID slot) {
    CK_ULONG open = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count; i++) open += sessions[i].slot == slot;
    pthread_mutex_unlock(&lock);
    return open;
}

bool session_slot(CK_SESSION_HANDLE handle, CK_SLOT_ID *slot) {
    pthread_mutex_lock(&lock);
    const struct session *session = find(handle);
    if (session != NULL) *slot = session->slot;
    pthread_mutex_unlock(&lock);
    return session != NULL;
}

void session_signs(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE key, CK_MECHANISM_TYPE mechanism) {
    pthread_mutex_lock(&lock);
    struct session *session = find(handle);
    if (session != NULL) {
        session->signs = true;
        session->key = key;
        session->mechanism = mechanism;
    }
    pthread_mutex_unlock(&lock);
}

bool session_signature(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE *key, CK_MECHANISM_TYPE *mechanism) {
    pthread_mutex_lock(&lock);
    const struct session *session = find(handle);
    const bool signs = session != NULL && session->signs;
    if (signs) {
        *key = session->key;
        *mechanism = session->mechanism;
    }
    pthread_mutex_unlock(&lock);
    return signs;
}

bool session_any(CK_SESSION_HANDLE *handle) {
    pthread_mutex_lock(&lock);
    const bool is_any = count > 0;
    if (is_any) *handle = sessions[0].handle;
    pthread_mutex_unlock(&lock);
    return is_any;
}

void sessions_invalidate(void) {
    for (;;) {
        CK_SESSION_HANDLE handle;
        CK_SLOT_ID slot;
        if (!session_any(&handle)) return;
        if (session_slot(handle, &slot)) {
            REAL_ALONE(C_CloseAllSessions, slot);
            sessions_closed(slot);
        }
    }
}

void objects_invalidate(CK_RV value_for_keys) {
    pthread_mutex_lock(&lock);
    invalid_key = value_for_keys;
    invalidations = (invalidations + 1) & (~(CK_OBJECT_HANDLE)0 >> OBJECT_BITS);
    pthread_mutex_unlock(&lock);
}

CK_OBJECT_HANDLE object_out(CK_OBJECT_HANDLE object) {
    objects_out(&object, 1);
    return object;
}

void objects_out(CK_OBJECT_HANDLE *objects, CK_ULONG number) {
    pthread_mutex_lock(&lock);
    for (CK_ULONG i = 0; i < number; i++) {
        /* Zero is no object anywhere (CK_INVALID_HANDLE). */
        if (objects[i] != 0) objects[i] |= invalidations << OBJECT_BITS;
    }
    pthread_mutex_unlock(&lock);
}

CK_RV object_in(CK_OBJECT_HANDLE *object, bool is_key) {
    pthread_mutex_lock(&lock);
    const bool is_good = *object == 0 || *object >> OBJECT_BITS == invalidations;
    const CK_RV value = is_good ? CKR_OK : is_key ? invalid_key : CKR_OBJECT_HANDLE_INVALID;
    pthread_mutex_unlock(&lock);
    if (is_good) *object &= OBJECT_MASK;
    return value;
}
