import CPlatform
import Glibc

/// What a file is reached through, by this process's mountinfo (proc(5)).
struct Mount {
    /// Whether nobody can change what is reached through it, whatever the modes there say: its file system is read-only, or it
    /// is so itself and nobody else's.
    ///
    /// That a mount is read-only says nothing of others of the same file system. `ProtectSystem=` (systemd.exec(5)) makes all of
    /// the machine read-only in a unit alone, and every mount there still belongs to a peer group or has a master: the one
    /// it is a copy of. A volume in a container has neither, unless its propagation was set otherwise
    /// (mount_namespaces(7)).
    let keepsOut: Bool

    /// `nil` where the kernel does not say which mount it is: before Linux 5.8, or without `/proc`.
    init?(of path: String) {
        self.init(path, of: AT_FDCWD)
    }

    /// The mount that an open file was opened through.
    init?(of file: borrowing OwnedDescriptor) {
        self.init("", of: file.number)
    }

    private init?(_ path: String, of descriptor: CInt) {
        var number: UInt64 = 0
        guard unsafe privyseal_mount_number(descriptor, path, &number) == 0,
            let table = try? RegularFile.read(path: "/proc/self/mountinfo", limit: Self.longestTable)
        else { return nil }
        self.init(number, in: String(decoding: table, as: UTF8.self))
    }

    /// Far more than ten thousand mounts.
    private static let longestTable = 1 << 24

    /// Finds the line of a mount: `36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/sda rw,errors=continue`.
    init?(_ number: UInt64, in table: String) {
        for line in table.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.first.flatMap({ UInt64($0) }) == number else { continue }
            guard let end = fields.firstIndex(of: "-"), end >= 6, fields.count == end + 4 else { return nil }
            // What another machine or process keeps it changes as it likes.
            func isElsewhere(_ type: Substring) -> Bool {
                type.hasPrefix("fuse") || ["nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "ceph", "afs"].contains(type)
            }
            func isReadOnly(_ options: Substring) -> Bool { options.split(separator: ",").contains("ro") }
            let belongsToOthers = fields[6..<end].contains { !$0.hasPrefix("unbindable") }
            keepsOut =
                !isElsewhere(fields[end + 1]) && (isReadOnly(fields[end + 3]) || isReadOnly(fields[5]) && !belongsToOthers)
            return
        }
        return nil
    }
}
