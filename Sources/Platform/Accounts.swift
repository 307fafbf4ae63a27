import Glibc

/// A user of this machine.
public struct UserAccount: Sendable, Hashable {
    /// The user's number.
    public let uid: UInt32
    /// The user's primary group.
    public let gid: UInt32

    /// Looks a user up by name (getpwnam_r(3)).
    ///
    /// Throws ``PlatformError`` with the code `unknownAccount`.
    public init(named name: String) throws(PlatformError) {
        var entry = unsafe passwd()
        let found = unsafe try lookUp("getpwnam_r", name) { buffer, size in
            var result: UnsafeMutablePointer<passwd>?
            let failure = unsafe getpwnam_r(name, &entry, buffer, size, &result)
            return unsafe (failure, result != nil)
        }
        guard found else { throw unknown("user", name) }
        uid = unsafe entry.pw_uid
        gid = unsafe entry.pw_gid
    }
}

extension UserAccount {
    /// The user this process acts as.
    public static var effective: UInt32 { geteuid() }

    /// The name of a user by the user database (getpwuid_r(3)); `nil` when it has none, or cannot be asked.
    public static func name(ofUser uid: UInt32) -> String? {
        var entry = unsafe passwd()
        var name: String?
        _ = unsafe try? lookUp("getpwuid_r", "\(uid)") { buffer, size in
            var result: UnsafeMutablePointer<passwd>?
            let failure = unsafe getpwuid_r(uid, &entry, buffer, size, &result)
            // Here, while the buffer is there.
            if failure == 0, let text = unsafe result?.pointee.pw_name { name = unsafe String(cString: text) }
            return unsafe (failure, result != nil)
        }
        return name
    }

    /// The groups of a user by the group database (getgrouplist(3)), the primary one included.
    ///
    /// Throws ``PlatformError`` with the code `unknownAccount`.
    public static func groups(ofUser name: String) throws(PlatformError) -> [UInt32] {
        let user = try UserAccount(named: name)
        var groups = [gid_t](repeating: 0, count: 64)
        while true {
            var count = CInt(groups.count)
            if unsafe getgrouplist(name, user.gid, &groups, &count) >= 0 { return Array(groups.prefix(Int(count))) }
            // It says how many there are.
            groups = [gid_t](repeating: 0, count: max(Int(count), 2 * groups.count))
        }
    }
}

/// A group of this machine.
public struct GroupAccount: Sendable, Hashable {
    /// The group's number.
    public let gid: UInt32

    /// Looks a group up by name (getgrnam_r(3)).
    ///
    /// Throws ``PlatformError`` with the code `unknownAccount`.
    public init(named name: String) throws(PlatformError) {
        var entry = unsafe group()
        let found = unsafe try lookUp("getgrnam_r", name) { buffer, size in
            var result: UnsafeMutablePointer<group>?
            let failure = unsafe getgrnam_r(name, &entry, buffer, size, &result)
            return unsafe (failure, result != nil)
        }
        guard found else { throw unknown("group", name) }
        gid = unsafe entry.gr_gid
    }
}

extension UserAccount {
    /// The number of a user who is given by number or by name. A number need not be anybody's here.
    ///
    /// Throws ``PlatformError`` with the code `unknownAccount`.
    public static func number(of text: String) throws(PlatformError) -> UInt32 {
        if let number = try accountNumber(text, "user") { return number }
        return try UserAccount(named: text).uid
    }
}

extension GroupAccount {
    /// The number of a group that is given by number or by name. A number need not be any group's here.
    ///
    /// Throws ``PlatformError`` with the code `unknownAccount`.
    public static func number(of text: String) throws(PlatformError) -> UInt32 {
        if let number = try accountNumber(text, "group") { return number }
        return try GroupAccount(named: text).gid
    }
}

/// The number that a text of digits is; nil for a name. The highest stands for "leave it as it is" (chown(2)), and is nobody's.
private func accountNumber(_ text: String, _ kind: String) throws(PlatformError) -> UInt32? {
    guard !text.isEmpty, text.utf8.allSatisfy({ UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }) else { return nil }
    guard let number = UInt32(text), number != .max else {
        throw PlatformError(.unknownAccount, "\(text) is no number of a \(kind)", hint: "give one below 4294967295, or a name")
    }
    return number
}

private func unknown(_ kind: String, _ name: String) -> PlatformError {
    PlatformError(.unknownAccount, "there is no \(kind) \"\(name)\" on this machine", hint: "create the \(kind), or name another")
}

/// Calls a lookup function with a larger buffer each time it says ERANGE; returns whether there is an entry.
func lookUp(
    _ function: String, _ name: String, _ call: (UnsafeMutablePointer<CChar>, Int) -> (failure: CInt, found: Bool)
) throws(PlatformError) -> Bool {
    var size = 1024
    while true {
        var buffer = [CChar](repeating: 0, count: size)
        let result = unsafe buffer.withUnsafeMutableBufferPointer { unsafe call($0.baseAddress!, $0.count) }
        switch result.failure {
        case 0: return result.found
        case EINTR: continue
        case ERANGE where size < 1 << 20: size *= 4
        // These say "not found" on some name services (getpwnam(3), ERRORS).
        case ENOENT, ESRCH, EBADF, EPERM: return false
        default: throw PlatformError.failed(function, name, result.failure)
        }
    }
}

extension UserAccount {
    /// The user who owns a file or directory; nil when there is none at the path, or it cannot be looked at.
    public static func owner(of path: String) -> UInt32? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        return status.st_uid
    }

    /// Has the process go on as this user of the user database, in the groups of the group database, for good and on all of its
    /// threads. For a process of root's.
    ///
    /// Throws ``PlatformError`` with the code `unknownAccount`, or when the system refuses.
    public static func become(_ uid: UInt32) throws(PlatformError) {
        guard let name = Self.name(ofUser: uid) else {
            throw PlatformError(.unknownAccount, "uid \(uid) has no name in the user database", hint: "name a user with --user")
        }
        let account = try UserAccount(named: name)
        let groups = try Self.groups(ofUser: name)
        // The user last: it takes away the right to do the rest. Of root's, all three ids change (setuid(2)).
        guard unsafe setgroups(groups.count, groups) == 0 else { throw PlatformError.failed("setgroups", name, errno) }
        guard setgid(account.gid) == 0 else { throw PlatformError.failed("setgid", name, errno) }
        guard setuid(uid) == 0 else { throw PlatformError.failed("setuid", name, errno) }
    }
}
