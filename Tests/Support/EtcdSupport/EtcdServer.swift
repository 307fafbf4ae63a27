public import EtcdStore
import Foundation
import Platform
import ProcessSupport
public import TLSSupport

/// A member of etcd on loopback that a test has started, alone in its cluster, with its data under the temporary directory.
///
/// It ends with the process of the tests, however that ends: a shell that guards it reads from a pipe that this process alone
/// holds open for writing.
public final class EtcdServer: Sendable {
    /// Whether Debian's etcd-server is installed. Tests that need it are left out where it is not.
    public static let isInstalled = FileManager.default.isExecutableFile(atPath: program)

    private static let program = "/usr/bin/etcd"

    /// The one for tests that keep to a prefix of their own.
    public static func shared() async throws -> EtcdServer { try await sharedTask.value }
    private static let sharedTask = Task { try await start() }

    public let endpoint: EtcdEndpoint
    public let directory: String
    private let guardian: ChildProcess
    private let pipe: Int32
    private let ports: (client: UInt16, peer: UInt16)
    private let options: [String]
    private let isStopped = Locked(false)

    public struct NotStarted: Error, CustomStringConvertible {
        public let description: String
    }

    /// Starts a member and waits until it answers.
    ///
    /// - Parameters:
    ///   - certificate: what it shows of itself; with `nil` it listens without TLS.
    ///   - clients: the authority whose client certificates it demands.
    ///   - access: how it is asked whether it answers; with `nil`, as anybody would.
    public static func start(
        _ options: [String] = [], certificate: TestCertificate? = nil, clients: TestCertificate? = nil,
        access: (@Sendable (EtcdEndpoint) -> EtcdAccess)? = nil
    ) async throws -> EtcdServer {
        var last = NotStarted(description: "")
        // Another process may take the port in between.
        for _ in 1...3 {
            let server = try EtcdServer(options, certificate, clients, at: (try freePort(), try freePort()))
            do {
                try await server.waitUntilReady(access)
                return server
            } catch let error as NotStarted {
                last = error
                await server.stop()
            }
        }
        throw last
    }

    private init(
        _ options: [String], _ certificate: TestCertificate?, _ clients: TestCertificate?,
        at ports: (client: UInt16, peer: UInt16)
    ) throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("etcd-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let (scheme, peerURL) = (certificate == nil ? "http" : "https", "http://127.0.0.1:\(ports.peer)")
        let clientURL = "\(scheme)://127.0.0.1:\(ports.client)"
        guard let endpoint = EtcdEndpoint(clientURL) else { throw NotStarted(description: clientURL) }
        let tls = certificate.map { ["--cert-file", $0.certificate, "--key-file", $0.key] } ?? []
        let mutual = clients.map { ["--client-cert-auth", "--trusted-ca-file", $0.certificate] } ?? []
        let log = "\(directory)/log"
        try Data().write(to: URL(fileURLWithPath: log))
        let fifo = "\(directory)/held"
        guard unsafe mkfifo(fifo, 0o600) == 0 else { throw NotStarted(description: "mkfifo \(fifo)") }
        pipe = unsafe open(fifo, O_RDWR | O_CLOEXEC)
        guardian = try ChildProcess(
            "/bin/sh",
            ["-c", #""$@" & echo $! > "$0/pid"; read -r _; kill -KILL $!; wait $!; rm -rf "$0""#, directory, Self.program]
                + [
                    "--name", "t", "--data-dir", "\(directory)/data", "--listen-client-urls", clientURL,
                    "--advertise-client-urls", clientURL, "--listen-peer-urls", peerURL, "--initial-advertise-peer-urls", peerURL,
                    "--initial-cluster", "t=\(peerURL)", "--unsafe-no-fsync", "--log-level", "error",
                ] + tls + mutual + options,
            input: fifo, output: log, errors: log)
        (self.endpoint, self.directory, self.ports, self.options) = (endpoint, directory, ports, options)
    }

    private func waitUntilReady(_ access: (@Sendable (EtcdEndpoint) -> EtcdAccess)?) async throws {
        let gateway = try EtcdGateway(access?(endpoint) ?? EtcdAccess(endpoints: [endpoint]), clock: MonotonicClock.nanoseconds)
        var report: EtcdEndpointReport?
        for _ in 0..<600 {
            report = await gateway.examine().first
            if let report, report.version != nil,
                report.trouble == nil ? report.leader != 0 : report.trouble?.code != .unreachable
            {
                return await gateway.close()
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        await gateway.close()
        let log = (try? String(contentsOfFile: "\(directory)/log", encoding: .utf8)) ?? ""
        throw NotStarted(description: "etcd does not answer: \(report?.trouble?.message ?? ""): \(log.suffix(2_000))")
    }

    /// Ends it, and starts one at the same place that has no data: a cluster of the same id, at a younger revision. Without TLS.
    public func madeAnew() async throws -> EtcdServer {
        await stop()
        let server = try EtcdServer(options, nil, nil, at: ports)
        do {
            try await server.waitUntilReady(nil)
            return server
        } catch {
            await server.stop()
            throw error
        }
    }

    /// Ends it at once and removes its data.
    public func stop() async {
        let isOver = isStopped.withLock { isStopped in
            defer { isStopped = true }
            return isStopped
        }
        if !isOver { close(pipe) }
        _ = await guardian.status
    }

    /// Has the member stand still, connections and all, and returns when every thread of it does.
    public func pause() async throws {
        try signal(SIGSTOP)
        let tasks = "/proc/\(try processIdentifier())/task"
        while true {
            let states = try FileManager.default.contentsOfDirectory(atPath: tasks).map { task in
                try String(contentsOfFile: "\(tasks)/\(task)/stat", encoding: .utf8)
            }
            if states.allSatisfy({ $0.contains(") T ") }) { return }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    public func resume() throws { try signal(SIGCONT) }

    private func signal(_ number: Int32) throws {
        guard kill(try processIdentifier(), number) == 0 else { throw NotStarted(description: "kill: \(errno)") }
    }

    private func processIdentifier() throws -> Int32 {
        let text = try String(contentsOfFile: "\(directory)/pid", encoding: .utf8)
        guard let pid = Int32(text.filter(\.isNumber)) else { throw NotStarted(description: "the pid is \(text)") }
        return pid
    }

    private static func freePort() throws -> UInt16 {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(number) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let failure = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(number, address, length) | getsockname(number, address, &length)
            }
        }
        guard failure == 0 else { throw NotStarted(description: "no free port") }
        return UInt16(bigEndian: address.sin_port)
    }
}
