import CCryptoki
import Glibc

/// A URI as p11-kit holds it; whoever makes one frees it.
@unsafe
struct ParsedURI {
    private let pointer: OpaquePointer

    /// Parses a URI; p11-kit's words for what is wrong with it become the error.
    init(_ text: String, orThrow error: (_ reason: String) -> PKCS11Error) throws(PKCS11Error) {
        guard let pointer = unsafe p11_kit_uri_new() else { throw error("out of memory") }
        let result = unsafe p11_kit_uri_parse(text, P11_KIT_URI_FOR_ANY, pointer)
        guard result == P11_KIT_URI_OK.rawValue else {
            unsafe p11_kit_uri_free(pointer)
            throw unsafe error(p11_kit_uri_message(result).map { unsafe String(cString: $0) } ?? "code \(result)")
        }
        unsafe self.pointer = unsafe pointer
    }

    func free() {
        unsafe p11_kit_uri_free(pointer)
    }

    var tokenInfo: CK_TOKEN_INFO { unsafe p11_kit_uri_get_token_info(pointer).pointee }

    var slotID: UInt? {
        let id = unsafe p11_kit_uri_get_slot_id(pointer)
        return id == CK_SLOT_ID.max ? nil : id
    }

    var queryAttributes: [(name: String, isPresent: Bool)] {
        unsafe [
            ("pin-value", p11_kit_uri_get_pin_value(pointer) != nil),
            ("pin-source", p11_kit_uri_get_pin_source(pointer) != nil),
            ("module-name", p11_kit_uri_get_module_name(pointer) != nil),
            ("module-path", p11_kit_uri_get_module_path(pointer) != nil),
        ]
    }

    var namesObject: Bool {
        var count: CK_ULONG = 0
        _ = unsafe p11_kit_uri_get_attributes(pointer, &count)
        return count > 0
    }

    var holdsUnknownAttribute: Bool { unsafe p11_kit_uri_any_unrecognized(pointer) != 0 }

    /// The URI's text, as far as it names a token.
    func format() -> String? {
        let parts =
            P11_KIT_URI_FOR_TOKEN.rawValue | P11_KIT_URI_FOR_SLOT.rawValue
            | P11_KIT_URI_FOR_MODULE_WITH_VERSION.rawValue
        var text: UnsafeMutablePointer<CChar>?
        guard unsafe p11_kit_uri_format(pointer, P11KitUriType(parts), &text) == P11_KIT_URI_OK.rawValue,
            let text = unsafe text
        else { return nil }
        defer { unsafe Glibc.free(text) }
        return unsafe String(cString: text)
    }

    /// Whether every attribute the URI has is the module's, the slot's or the token's (RFC 7512 §2.5).
    func matches(module: CK_INFO, slotID: CK_SLOT_ID, slot: CK_SLOT_INFO, token: CK_TOKEN_INFO) -> Bool {
        guard unsafe self.slotID == nil || self.slotID == slotID else { return false }
        var (module, slot, token) = (module, slot, token)
        return unsafe p11_kit_uri_match_module_info(pointer, &module) == 1
            && p11_kit_uri_match_slot_info(pointer, &slot) == 1
            && p11_kit_uri_match_token_info(pointer, &token) == 1
    }
}
