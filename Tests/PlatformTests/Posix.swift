import Foundation
import Glibc

// What the tests need from libc. Descriptors are closed by whoever made them.

func makeFIFO(_ path: String) -> Bool { unsafe mkfifo(path, 0o600) == 0 }

func setVariable(_ name: String, _ value: String) { unsafe setenv(name, value, 1) }

func killSelf() { kill(getpid(), SIGKILL) }

func currentGroup() -> UInt32 { getgid() }

func currentUser() -> UInt32 { getuid() }

func currentProcess() -> Int32 { getpid() }

/// Gives up every privilege and all limits above the ordinary ones, for good.
func becomeNobody() -> Bool {
    var limit = rlimit()
    return unsafe setrlimit(__rlimit_resource_t(__RLIMIT_NICE.rawValue), &limit) == 0 && setgid(65_534) == 0
        && setuid(65_534) == 0
}

/// Goes on as a user that no account is for, in groups of that number and of these, for good.
func becomeContainer(uid: UInt32, groups: [UInt32]) -> Bool {
    unsafe setgroups(groups.count, groups) == 0 && setgid(uid) == 0 && setuid(uid) == 0
}

/// A bound Unix socket; listening when it is a stream.
final class BoundSocket {
    let descriptor: CInt

    /// `name` may begin with `@` for an abstract address. Kept from programs that are executed, unless it `isInherited`.
    init?(_ name: String, datagrams: Bool = false, isInherited: Bool = false) {
        let type = Int32(datagrams ? SOCK_DGRAM.rawValue : SOCK_STREAM.rawValue)
        descriptor = socket(AF_UNIX, isInherited ? type : type | closedOnExecution, 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(name.utf8)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { path in
            unsafe path.copyBytes(from: bytes)
            if bytes.first == UInt8(ascii: "@") { unsafe path[0] = 0 }
        }
        let isAbstract = bytes.first == UInt8(ascii: "@")
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count + (isAbstract ? 0 : 1))
        let bound = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe bind(descriptor, $0, length) }
        }
        guard bound == 0 else { return nil }
        if !datagrams { guard listen(descriptor, 1) == 0 else { return nil } }
    }

    /// The next datagram, nil when none is there.
    func receive() -> String? {
        var buffer = [UInt8](repeating: 0, count: 1000)
        let count = unsafe recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        return count < 0 ? nil : String(decoding: buffer[..<count], as: UTF8.self)
    }

    deinit {
        // Nobody gets through any more, though a child that another test has just forked may still have it open.
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }
}

private let closedOnExecution = Int32(SOCK_CLOEXEC.rawValue)

/// Two connected Unix stream sockets.
func withSocketPair(_ body: (CInt, CInt) throws -> Void) rethrows {
    var pair: [CInt] = [0, 0]
    precondition(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | closedOnExecution, 0, &pair) == 0)
    defer { pair.forEach { close($0) } }
    try body(pair[0], pair[1])
}

/// Lowers the limits of descriptors of this process.
func lowerDescriptorLimits(soft: UInt, hard: UInt) -> Bool {
    var limit = rlimit(rlim_cur: soft, rlim_max: hard)
    return unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
}

/// Opens files until the kernel gives no more: how many.
func openAsManyAsPossible() -> Int {
    var count = 0
    while unsafe open("/dev/null", O_RDONLY) >= 0 { count += 1 }
    return count
}

func coreFileLimit() -> (soft: UInt, hard: UInt) {
    var limit = rlimit()
    unsafe getrlimit(__rlimit_resource_t(4), &limit)
    return (limit.rlim_cur, limit.rlim_max)
}

func currentUmask() -> UInt32 {
    let mask = umask(0o077)
    umask(mask)
    return mask
}

/// Makes standard error a pipe whose reader is gone.
func closeReaderOfStandardError() {
    var ends: [CInt] = [0, 0]
    precondition(unsafe pipe(&ends) == 0)
    dup2(ends[1], STDERR_FILENO)
    ends.forEach { close($0) }
}

/// Another descriptor of what this process has open at a path; nil when it has nothing open there.
func copyDescriptor(of path: String) -> Int32? {
    let real = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    let found = (0..<Int32(1 << 16)).first { number in
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(number)")) == real
    }
    return found.map { fcntl($0, F_DUPFD_CLOEXEC, 0) }
}

func closeDescriptor(_ descriptor: Int32) { close(descriptor) }

/// Whether the descriptor is open, and on /dev/null.
func isNullDevice(_ descriptor: Int32) -> Bool {
    var (found, null) = (stat(), stat())
    return unsafe fstat(descriptor, &found) == 0 && stat("/dev/null", &null) == 0 && found.st_rdev == null.st_rdev
}

/// A stream socket: of the network and listening, or a Unix one that does not listen; for a moment.
func withOtherSocket(_ family: Int32, _ body: (CInt) throws -> Void) rethrows {
    let descriptor = socket(family, Int32(SOCK_STREAM.rawValue) | closedOnExecution, 0)
    defer { close(descriptor) }
    if family == AF_INET { precondition(listen(descriptor, 1) == 0) }
    try body(descriptor)
}

func closesOnExecution(_ descriptor: CInt) -> Bool { fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0 }

/// Gives a file to a user who is not this process's; false where that is not allowed.
func giveAway(_ path: String) -> Bool { unsafe chown(path, 4_242, .max) == 0 }

let unixFamily = Int32(AF_UNIX)
let networkFamily = Int32(AF_INET)
