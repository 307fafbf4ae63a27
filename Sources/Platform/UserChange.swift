import Glibc

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
