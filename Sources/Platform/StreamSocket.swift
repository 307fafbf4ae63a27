import CPlatform
import Glibc

/// A connected Unix stream socket that nobody waits for: what cannot be done now is not done. Closed with its last use.
public final class StreamSocket: Sendable {
    let descriptor: CInt

    /// Who is at the other end.
    public let credentials: PeerCredentials
    /// The supplementary groups of that process.
    public let groups: PeerGroups

    /// Takes an open descriptor over, with O_NONBLOCK set.
    init(taking descriptor: CInt) throws(PlatformError) {
        do throws(PlatformError) {
            credentials = try PeerCredentials(socket: descriptor)
            groups = try PeerGroups(socket: descriptor)
        } catch {
            close(descriptor)
            throw error
        }
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }

    /// What came of an attempt to read or to write.
    public enum Outcome<Value> {
        case done(Value)
        /// There is nothing to read, or no room for more.
        case notNow
        /// The other side has closed it, or the connection is broken: nothing more will be read, or taken.
        case ended
    }

    /// Reads up to `most` bytes, at least one.
    public func read(atMost most: Int) -> Outcome<[UInt8]> {
        var failure: CInt = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: most) { buffer, count in
            while true {
                let result = unsafe Glibc.read(descriptor, buffer.baseAddress, most)
                count = max(result, 0)
                failure = result < 0 ? errno : 0
                guard failure == EINTR else { return }
            }
        }
        if !bytes.isEmpty { return .done(bytes) }
        return failure == EAGAIN ? .notNow : .ended
    }

    /// Writes what the socket takes of the bytes from `offset` on, and returns how many that was.
    public func write(_ bytes: [UInt8], from offset: Int) -> Outcome<Int> {
        let sent = unsafe bytes.withUnsafeBytes { raw in
            unsafe privyseal_send(descriptor, raw.baseAddress! + offset, raw.count - offset)
        }
        if sent >= 0 { return .done(sent) }
        return sent == -Int(EAGAIN) ? .notNow : .ended
    }
}

/// Writing to a pipe or socket whose reader has gone.
public enum BrokenPipes {
    /// Makes such a write fail with EPIPE for the rest of the process's life, where SIGPIPE would end it.
    public static func ignore() {
        signal(SIGPIPE, SIG_IGN)
    }
}
