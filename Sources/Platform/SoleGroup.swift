import Glibc

/// Whether a group is this process's user's and nobody else's.
enum SoleGroup {
    /// Whether the process is in the group, the group's entry names nobody but its user and root, and it is the primary group of
    /// no other account.
    ///
    /// By the user and group database: what a service manager gives to a process beyond that (`SupplementaryGroups=`,
    /// `fsGroup`) is written nowhere. The gid that stands for groups of other user namespaces is nobody's.
    static func isOurs(_ gid: UInt32) -> Bool {
        guard gid != OverflowGroup.gid(), processGroups().contains(gid) else { return false }
        let ours: Set<UInt32> = [0, geteuid()]
        guard let members = members(of: gid) else { return false }
        // Whom the database names and does not know may be known tomorrow.
        guard members.allSatisfy({ name in (try? UserAccount(named: name)).map { ours.contains($0.uid) } ?? false }) else {
            return false
        }
        return accounts(withPrimaryGroup: gid).isSubset(of: ours)
    }

    private static func processGroups() -> [UInt32] {
        let count = getgroups(0, nil)
        var groups = [gid_t](repeating: 0, count: max(Int(count), 1))
        let filled = unsafe getgroups(CInt(groups.count), &groups)
        return [getegid()] + groups.prefix(max(Int(filled), 0))
    }

    /// The names in a group's entry, none where it has no entry; `nil` when the database cannot be asked.
    private static func members(of gid: UInt32) -> [String]? {
        var entry = unsafe group()
        var names: [String] = []
        do throws(PlatformError) {
            _ = unsafe try lookUp("getgrgid_r", "\(gid)") { buffer, size in
                var result: UnsafeMutablePointer<group>?
                let failure = unsafe getgrgid_r(gid, &entry, buffer, size, &result)
                // Here, while the buffer is there.
                if failure == 0, var name = unsafe result?.pointee.gr_mem {
                    while let text = unsafe name.pointee {
                        names.append(unsafe String(cString: text))
                        unsafe name += 1
                    }
                }
                return unsafe (failure, result != nil)
            }
            return names
        } catch {
            return nil
        }
    }

    /// getpwent(3) goes through one list for the whole process.
    private static let enumeration = Locked(())

    private static func accounts(withPrimaryGroup gid: UInt32) -> Set<UInt32> {
        enumeration.withLock { _ in
            var uids: Set<UInt32> = []
            setpwent()
            defer { endpwent() }
            while let entry = unsafe getpwent() {
                if unsafe entry.pointee.pw_gid == gid { unsafe uids.insert(entry.pointee.pw_uid) }
            }
            return uids
        }
    }
}
