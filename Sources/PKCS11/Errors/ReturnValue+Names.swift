import CCryptoki

// The return values of PKCS#11 v2.40 (base specification, section 5.1 and appendix B).
extension ReturnValue {
    /// `CKR_OK`.
    public static let ok = ReturnValue(CKR_OK)
    /// `CKR_CANCEL`.
    public static let cancel = ReturnValue(CKR_CANCEL)
    /// `CKR_HOST_MEMORY`.
    public static let hostMemory = ReturnValue(CKR_HOST_MEMORY)
    /// `CKR_SLOT_ID_INVALID`.
    public static let slotIDInvalid = ReturnValue(CKR_SLOT_ID_INVALID)
    /// `CKR_GENERAL_ERROR`.
    public static let generalError = ReturnValue(CKR_GENERAL_ERROR)
    /// `CKR_FUNCTION_FAILED`.
    public static let functionFailed = ReturnValue(CKR_FUNCTION_FAILED)
    /// `CKR_ARGUMENTS_BAD`.
    public static let argumentsBad = ReturnValue(CKR_ARGUMENTS_BAD)
    /// `CKR_NO_EVENT`.
    public static let noEvent = ReturnValue(CKR_NO_EVENT)
    /// `CKR_NEED_TO_CREATE_THREADS`.
    public static let needToCreateThreads = ReturnValue(CKR_NEED_TO_CREATE_THREADS)
    /// `CKR_CANT_LOCK`.
    public static let cantLock = ReturnValue(CKR_CANT_LOCK)
    /// `CKR_ATTRIBUTE_READ_ONLY`.
    public static let attributeReadOnly = ReturnValue(CKR_ATTRIBUTE_READ_ONLY)
    /// `CKR_ATTRIBUTE_SENSITIVE`.
    public static let attributeSensitive = ReturnValue(CKR_ATTRIBUTE_SENSITIVE)
    /// `CKR_ATTRIBUTE_TYPE_INVALID`.
    public static let attributeTypeInvalid = ReturnValue(CKR_ATTRIBUTE_TYPE_INVALID)
    /// `CKR_ATTRIBUTE_VALUE_INVALID`.
    public static let attributeValueInvalid = ReturnValue(CKR_ATTRIBUTE_VALUE_INVALID)
    /// `CKR_ACTION_PROHIBITED`.
    public static let actionProhibited = ReturnValue(CKR_ACTION_PROHIBITED)
    /// `CKR_DATA_INVALID`.
    public static let dataInvalid = ReturnValue(CKR_DATA_INVALID)
    /// `CKR_DATA_LEN_RANGE`.
    public static let dataLenRange = ReturnValue(CKR_DATA_LEN_RANGE)
    /// `CKR_DEVICE_ERROR`.
    public static let deviceError = ReturnValue(CKR_DEVICE_ERROR)
    /// `CKR_DEVICE_MEMORY`.
    public static let deviceMemory = ReturnValue(CKR_DEVICE_MEMORY)
    /// `CKR_DEVICE_REMOVED`.
    public static let deviceRemoved = ReturnValue(CKR_DEVICE_REMOVED)
    /// `CKR_ENCRYPTED_DATA_INVALID`.
    public static let encryptedDataInvalid = ReturnValue(CKR_ENCRYPTED_DATA_INVALID)
    /// `CKR_ENCRYPTED_DATA_LEN_RANGE`.
    public static let encryptedDataLenRange = ReturnValue(CKR_ENCRYPTED_DATA_LEN_RANGE)
    /// `CKR_FUNCTION_CANCELED`.
    public static let functionCanceled = ReturnValue(CKR_FUNCTION_CANCELED)
    /// `CKR_FUNCTION_NOT_PARALLEL`.
    public static let functionNotParallel = ReturnValue(CKR_FUNCTION_NOT_PARALLEL)
    /// `CKR_FUNCTION_NOT_SUPPORTED`.
    public static let functionNotSupported = ReturnValue(CKR_FUNCTION_NOT_SUPPORTED)
    /// `CKR_KEY_HANDLE_INVALID`.
    public static let keyHandleInvalid = ReturnValue(CKR_KEY_HANDLE_INVALID)
    /// `CKR_KEY_SIZE_RANGE`.
    public static let keySizeRange = ReturnValue(CKR_KEY_SIZE_RANGE)
    /// `CKR_KEY_TYPE_INCONSISTENT`.
    public static let keyTypeInconsistent = ReturnValue(CKR_KEY_TYPE_INCONSISTENT)
    /// `CKR_KEY_NOT_NEEDED`.
    public static let keyNotNeeded = ReturnValue(CKR_KEY_NOT_NEEDED)
    /// `CKR_KEY_CHANGED`.
    public static let keyChanged = ReturnValue(CKR_KEY_CHANGED)
    /// `CKR_KEY_NEEDED`.
    public static let keyNeeded = ReturnValue(CKR_KEY_NEEDED)
    /// `CKR_KEY_INDIGESTIBLE`.
    public static let keyIndigestible = ReturnValue(CKR_KEY_INDIGESTIBLE)
    /// `CKR_KEY_FUNCTION_NOT_PERMITTED`.
    public static let keyFunctionNotPermitted = ReturnValue(CKR_KEY_FUNCTION_NOT_PERMITTED)
    /// `CKR_KEY_NOT_WRAPPABLE`.
    public static let keyNotWrappable = ReturnValue(CKR_KEY_NOT_WRAPPABLE)
    /// `CKR_KEY_UNEXTRACTABLE`.
    public static let keyUnextractable = ReturnValue(CKR_KEY_UNEXTRACTABLE)
    /// `CKR_MECHANISM_INVALID`.
    public static let mechanismInvalid = ReturnValue(CKR_MECHANISM_INVALID)
    /// `CKR_MECHANISM_PARAM_INVALID`.
    public static let mechanismParamInvalid = ReturnValue(CKR_MECHANISM_PARAM_INVALID)
    /// `CKR_OBJECT_HANDLE_INVALID`.
    public static let objectHandleInvalid = ReturnValue(CKR_OBJECT_HANDLE_INVALID)
    /// `CKR_OPERATION_ACTIVE`.
    public static let operationActive = ReturnValue(CKR_OPERATION_ACTIVE)
    /// `CKR_OPERATION_NOT_INITIALIZED`.
    public static let operationNotInitialized = ReturnValue(CKR_OPERATION_NOT_INITIALIZED)
    /// `CKR_PIN_INCORRECT`.
    public static let pinIncorrect = ReturnValue(CKR_PIN_INCORRECT)
    /// `CKR_PIN_INVALID`.
    public static let pinInvalid = ReturnValue(CKR_PIN_INVALID)
    /// `CKR_PIN_LEN_RANGE`.
    public static let pinLenRange = ReturnValue(CKR_PIN_LEN_RANGE)
    /// `CKR_PIN_EXPIRED`.
    public static let pinExpired = ReturnValue(CKR_PIN_EXPIRED)
    /// `CKR_PIN_LOCKED`.
    public static let pinLocked = ReturnValue(CKR_PIN_LOCKED)
    /// `CKR_SESSION_CLOSED`.
    public static let sessionClosed = ReturnValue(CKR_SESSION_CLOSED)
    /// `CKR_SESSION_COUNT`.
    public static let sessionCount = ReturnValue(CKR_SESSION_COUNT)
    /// `CKR_SESSION_HANDLE_INVALID`.
    public static let sessionHandleInvalid = ReturnValue(CKR_SESSION_HANDLE_INVALID)
    /// `CKR_SESSION_PARALLEL_NOT_SUPPORTED`.
    public static let sessionParallelNotSupported = ReturnValue(CKR_SESSION_PARALLEL_NOT_SUPPORTED)
    /// `CKR_SESSION_READ_ONLY`.
    public static let sessionReadOnly = ReturnValue(CKR_SESSION_READ_ONLY)
    /// `CKR_SESSION_EXISTS`.
    public static let sessionExists = ReturnValue(CKR_SESSION_EXISTS)
    /// `CKR_SESSION_READ_ONLY_EXISTS`.
    public static let sessionReadOnlyExists = ReturnValue(CKR_SESSION_READ_ONLY_EXISTS)
    /// `CKR_SESSION_READ_WRITE_SO_EXISTS`.
    public static let sessionReadWriteSOExists = ReturnValue(CKR_SESSION_READ_WRITE_SO_EXISTS)
    /// `CKR_SIGNATURE_INVALID`.
    public static let signatureInvalid = ReturnValue(CKR_SIGNATURE_INVALID)
    /// `CKR_SIGNATURE_LEN_RANGE`.
    public static let signatureLenRange = ReturnValue(CKR_SIGNATURE_LEN_RANGE)
    /// `CKR_TEMPLATE_INCOMPLETE`.
    public static let templateIncomplete = ReturnValue(CKR_TEMPLATE_INCOMPLETE)
    /// `CKR_TEMPLATE_INCONSISTENT`.
    public static let templateInconsistent = ReturnValue(CKR_TEMPLATE_INCONSISTENT)
    /// `CKR_TOKEN_NOT_PRESENT`.
    public static let tokenNotPresent = ReturnValue(CKR_TOKEN_NOT_PRESENT)
    /// `CKR_TOKEN_NOT_RECOGNIZED`.
    public static let tokenNotRecognized = ReturnValue(CKR_TOKEN_NOT_RECOGNIZED)
    /// `CKR_TOKEN_WRITE_PROTECTED`.
    public static let tokenWriteProtected = ReturnValue(CKR_TOKEN_WRITE_PROTECTED)
    /// `CKR_UNWRAPPING_KEY_HANDLE_INVALID`.
    public static let unwrappingKeyHandleInvalid = ReturnValue(CKR_UNWRAPPING_KEY_HANDLE_INVALID)
    /// `CKR_UNWRAPPING_KEY_SIZE_RANGE`.
    public static let unwrappingKeySizeRange = ReturnValue(CKR_UNWRAPPING_KEY_SIZE_RANGE)
    /// `CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT`.
    public static let unwrappingKeyTypeInconsistent = ReturnValue(CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT)
    /// `CKR_USER_ALREADY_LOGGED_IN`.
    public static let userAlreadyLoggedIn = ReturnValue(CKR_USER_ALREADY_LOGGED_IN)
    /// `CKR_USER_NOT_LOGGED_IN`.
    public static let userNotLoggedIn = ReturnValue(CKR_USER_NOT_LOGGED_IN)
    /// `CKR_USER_PIN_NOT_INITIALIZED`.
    public static let userPINNotInitialized = ReturnValue(CKR_USER_PIN_NOT_INITIALIZED)
    /// `CKR_USER_TYPE_INVALID`.
    public static let userTypeInvalid = ReturnValue(CKR_USER_TYPE_INVALID)
    /// `CKR_USER_ANOTHER_ALREADY_LOGGED_IN`.
    public static let userAnotherAlreadyLoggedIn = ReturnValue(CKR_USER_ANOTHER_ALREADY_LOGGED_IN)
    /// `CKR_USER_TOO_MANY_TYPES`.
    public static let userTooManyTypes = ReturnValue(CKR_USER_TOO_MANY_TYPES)
    /// `CKR_WRAPPED_KEY_INVALID`.
    public static let wrappedKeyInvalid = ReturnValue(CKR_WRAPPED_KEY_INVALID)
    /// `CKR_WRAPPED_KEY_LEN_RANGE`.
    public static let wrappedKeyLenRange = ReturnValue(CKR_WRAPPED_KEY_LEN_RANGE)
    /// `CKR_WRAPPING_KEY_HANDLE_INVALID`.
    public static let wrappingKeyHandleInvalid = ReturnValue(CKR_WRAPPING_KEY_HANDLE_INVALID)
    /// `CKR_WRAPPING_KEY_SIZE_RANGE`.
    public static let wrappingKeySizeRange = ReturnValue(CKR_WRAPPING_KEY_SIZE_RANGE)
    /// `CKR_WRAPPING_KEY_TYPE_INCONSISTENT`.
    public static let wrappingKeyTypeInconsistent = ReturnValue(CKR_WRAPPING_KEY_TYPE_INCONSISTENT)
    /// `CKR_RANDOM_SEED_NOT_SUPPORTED`.
    public static let randomSeedNotSupported = ReturnValue(CKR_RANDOM_SEED_NOT_SUPPORTED)
    /// `CKR_RANDOM_NO_RNG`.
    public static let randomNoRNG = ReturnValue(CKR_RANDOM_NO_RNG)
    /// `CKR_DOMAIN_PARAMS_INVALID`.
    public static let domainParamsInvalid = ReturnValue(CKR_DOMAIN_PARAMS_INVALID)
    /// `CKR_CURVE_NOT_SUPPORTED`.
    public static let curveNotSupported = ReturnValue(CKR_CURVE_NOT_SUPPORTED)
    /// `CKR_BUFFER_TOO_SMALL`.
    public static let bufferTooSmall = ReturnValue(CKR_BUFFER_TOO_SMALL)
    /// `CKR_SAVED_STATE_INVALID`.
    public static let savedStateInvalid = ReturnValue(CKR_SAVED_STATE_INVALID)
    /// `CKR_INFORMATION_SENSITIVE`.
    public static let informationSensitive = ReturnValue(CKR_INFORMATION_SENSITIVE)
    /// `CKR_STATE_UNSAVEABLE`.
    public static let stateUnsaveable = ReturnValue(CKR_STATE_UNSAVEABLE)
    /// `CKR_CRYPTOKI_NOT_INITIALIZED`.
    public static let cryptokiNotInitialized = ReturnValue(CKR_CRYPTOKI_NOT_INITIALIZED)
    /// `CKR_CRYPTOKI_ALREADY_INITIALIZED`.
    public static let cryptokiAlreadyInitialized = ReturnValue(CKR_CRYPTOKI_ALREADY_INITIALIZED)
    /// `CKR_MUTEX_BAD`.
    public static let mutexBad = ReturnValue(CKR_MUTEX_BAD)
    /// `CKR_MUTEX_NOT_LOCKED`.
    public static let mutexNotLocked = ReturnValue(CKR_MUTEX_NOT_LOCKED)
    /// `CKR_NEW_PIN_MODE`.
    public static let newPINMode = ReturnValue(CKR_NEW_PIN_MODE)
    /// `CKR_NEXT_OTP`.
    public static let nextOTP = ReturnValue(CKR_NEXT_OTP)
    /// `CKR_EXCEEDED_MAX_ITERATIONS`.
    public static let exceededMaxIterations = ReturnValue(CKR_EXCEEDED_MAX_ITERATIONS)
    /// `CKR_FIPS_SELF_TEST_FAILED`.
    public static let fipsSelfTestFailed = ReturnValue(CKR_FIPS_SELF_TEST_FAILED)
    /// `CKR_LIBRARY_LOAD_FAILED`.
    public static let libraryLoadFailed = ReturnValue(CKR_LIBRARY_LOAD_FAILED)
    /// `CKR_PIN_TOO_WEAK`.
    public static let pinTooWeak = ReturnValue(CKR_PIN_TOO_WEAK)
    /// `CKR_PUBLIC_KEY_INVALID`.
    public static let publicKeyInvalid = ReturnValue(CKR_PUBLIC_KEY_INVALID)
    /// `CKR_FUNCTION_REJECTED`.
    public static let functionRejected = ReturnValue(CKR_FUNCTION_REJECTED)

    /// What the standard calls each return value.
    static let names: [ReturnValue: String] = [
        .ok: "CKR_OK",
        .cancel: "CKR_CANCEL",
        .hostMemory: "CKR_HOST_MEMORY",
        .slotIDInvalid: "CKR_SLOT_ID_INVALID",
        .generalError: "CKR_GENERAL_ERROR",
        .functionFailed: "CKR_FUNCTION_FAILED",
        .argumentsBad: "CKR_ARGUMENTS_BAD",
        .noEvent: "CKR_NO_EVENT",
        .needToCreateThreads: "CKR_NEED_TO_CREATE_THREADS",
        .cantLock: "CKR_CANT_LOCK",
        .attributeReadOnly: "CKR_ATTRIBUTE_READ_ONLY",
        .attributeSensitive: "CKR_ATTRIBUTE_SENSITIVE",
        .attributeTypeInvalid: "CKR_ATTRIBUTE_TYPE_INVALID",
        .attributeValueInvalid: "CKR_ATTRIBUTE_VALUE_INVALID",
        .actionProhibited: "CKR_ACTION_PROHIBITED",
        .dataInvalid: "CKR_DATA_INVALID",
        .dataLenRange: "CKR_DATA_LEN_RANGE",
        .deviceError: "CKR_DEVICE_ERROR",
        .deviceMemory: "CKR_DEVICE_MEMORY",
        .deviceRemoved: "CKR_DEVICE_REMOVED",
        .encryptedDataInvalid: "CKR_ENCRYPTED_DATA_INVALID",
        .encryptedDataLenRange: "CKR_ENCRYPTED_DATA_LEN_RANGE",
        .functionCanceled: "CKR_FUNCTION_CANCELED",
        .functionNotParallel: "CKR_FUNCTION_NOT_PARALLEL",
        .functionNotSupported: "CKR_FUNCTION_NOT_SUPPORTED",
        .keyHandleInvalid: "CKR_KEY_HANDLE_INVALID",
        .keySizeRange: "CKR_KEY_SIZE_RANGE",
        .keyTypeInconsistent: "CKR_KEY_TYPE_INCONSISTENT",
        .keyNotNeeded: "CKR_KEY_NOT_NEEDED",
        .keyChanged: "CKR_KEY_CHANGED",
        .keyNeeded: "CKR_KEY_NEEDED",
        .keyIndigestible: "CKR_KEY_INDIGESTIBLE",
        .keyFunctionNotPermitted: "CKR_KEY_FUNCTION_NOT_PERMITTED",
        .keyNotWrappable: "CKR_KEY_NOT_WRAPPABLE",
        .keyUnextractable: "CKR_KEY_UNEXTRACTABLE",
        .mechanismInvalid: "CKR_MECHANISM_INVALID",
        .mechanismParamInvalid: "CKR_MECHANISM_PARAM_INVALID",
        .objectHandleInvalid: "CKR_OBJECT_HANDLE_INVALID",
        .operationActive: "CKR_OPERATION_ACTIVE",
        .operationNotInitialized: "CKR_OPERATION_NOT_INITIALIZED",
        .pinIncorrect: "CKR_PIN_INCORRECT",
        .pinInvalid: "CKR_PIN_INVALID",
        .pinLenRange: "CKR_PIN_LEN_RANGE",
        .pinExpired: "CKR_PIN_EXPIRED",
        .pinLocked: "CKR_PIN_LOCKED",
        .sessionClosed: "CKR_SESSION_CLOSED",
        .sessionCount: "CKR_SESSION_COUNT",
        .sessionHandleInvalid: "CKR_SESSION_HANDLE_INVALID",
        .sessionParallelNotSupported: "CKR_SESSION_PARALLEL_NOT_SUPPORTED",
        .sessionReadOnly: "CKR_SESSION_READ_ONLY",
        .sessionExists: "CKR_SESSION_EXISTS",
        .sessionReadOnlyExists: "CKR_SESSION_READ_ONLY_EXISTS",
        .sessionReadWriteSOExists: "CKR_SESSION_READ_WRITE_SO_EXISTS",
        .signatureInvalid: "CKR_SIGNATURE_INVALID",
        .signatureLenRange: "CKR_SIGNATURE_LEN_RANGE",
        .templateIncomplete: "CKR_TEMPLATE_INCOMPLETE",
        .templateInconsistent: "CKR_TEMPLATE_INCONSISTENT",
        .tokenNotPresent: "CKR_TOKEN_NOT_PRESENT",
        .tokenNotRecognized: "CKR_TOKEN_NOT_RECOGNIZED",
        .tokenWriteProtected: "CKR_TOKEN_WRITE_PROTECTED",
        .unwrappingKeyHandleInvalid: "CKR_UNWRAPPING_KEY_HANDLE_INVALID",
        .unwrappingKeySizeRange: "CKR_UNWRAPPING_KEY_SIZE_RANGE",
        .unwrappingKeyTypeInconsistent: "CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT",
        .userAlreadyLoggedIn: "CKR_USER_ALREADY_LOGGED_IN",
        .userNotLoggedIn: "CKR_USER_NOT_LOGGED_IN",
        .userPINNotInitialized: "CKR_USER_PIN_NOT_INITIALIZED",
        .userTypeInvalid: "CKR_USER_TYPE_INVALID",
        .userAnotherAlreadyLoggedIn: "CKR_USER_ANOTHER_ALREADY_LOGGED_IN",
        .userTooManyTypes: "CKR_USER_TOO_MANY_TYPES",
        .wrappedKeyInvalid: "CKR_WRAPPED_KEY_INVALID",
        .wrappedKeyLenRange: "CKR_WRAPPED_KEY_LEN_RANGE",
        .wrappingKeyHandleInvalid: "CKR_WRAPPING_KEY_HANDLE_INVALID",
        .wrappingKeySizeRange: "CKR_WRAPPING_KEY_SIZE_RANGE",
        .wrappingKeyTypeInconsistent: "CKR_WRAPPING_KEY_TYPE_INCONSISTENT",
        .randomSeedNotSupported: "CKR_RANDOM_SEED_NOT_SUPPORTED",
        .randomNoRNG: "CKR_RANDOM_NO_RNG",
        .domainParamsInvalid: "CKR_DOMAIN_PARAMS_INVALID",
        .curveNotSupported: "CKR_CURVE_NOT_SUPPORTED",
        .bufferTooSmall: "CKR_BUFFER_TOO_SMALL",
        .savedStateInvalid: "CKR_SAVED_STATE_INVALID",
        .informationSensitive: "CKR_INFORMATION_SENSITIVE",
        .stateUnsaveable: "CKR_STATE_UNSAVEABLE",
        .cryptokiNotInitialized: "CKR_CRYPTOKI_NOT_INITIALIZED",
        .cryptokiAlreadyInitialized: "CKR_CRYPTOKI_ALREADY_INITIALIZED",
        .mutexBad: "CKR_MUTEX_BAD",
        .mutexNotLocked: "CKR_MUTEX_NOT_LOCKED",
        .newPINMode: "CKR_NEW_PIN_MODE",
        .nextOTP: "CKR_NEXT_OTP",
        .exceededMaxIterations: "CKR_EXCEEDED_MAX_ITERATIONS",
        .fipsSelfTestFailed: "CKR_FIPS_SELF_TEST_FAILED",
        .libraryLoadFailed: "CKR_LIBRARY_LOAD_FAILED",
        .pinTooWeak: "CKR_PIN_TOO_WEAK",
        .publicKeyInvalid: "CKR_PUBLIC_KEY_INVALID",
        .functionRejected: "CKR_FUNCTION_REJECTED",
    ]
}
