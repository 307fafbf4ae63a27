import EtcdStore
import Foundation

extension EtcdServer {
    /// What makes the user `u`, whose password is `pw` and who may do everything under a prefix, and switches authentication on: paths
    /// below `/v3/auth/` and bodies, to be sent one after the other.
    public static func authentication(under prefix: String) -> [(path: String, body: String)] {
        let range = EtcdKeyRange.prefix(prefix)
        let (start, end) = (Data(range.start).base64EncodedString(), Data(range.end).base64EncodedString())
        return [
            ("user/add", #"{"name":"root","password":"r"}"#), ("role/add", #"{"name":"root"}"#),
            ("user/grant", #"{"user":"root","role":"root"}"#), ("user/add", #"{"name":"u","password":"pw"}"#),
            ("role/add", #"{"name":"mine"}"#),
            ("role/grant", #"{"name":"mine","perm":{"permType":"READWRITE","key":"\#(start)","range_end":"\#(end)"}}"#),
            ("user/grant", #"{"user":"u","role":"mine"}"#), ("enable", "{}"),
        ]
    }
}
