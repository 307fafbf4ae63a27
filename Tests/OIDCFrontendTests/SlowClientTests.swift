import NIOCore
import NIOEmbedded
import NIOHTTP1
import Platform
import TestSupport
import Testing

@testable import OIDCFrontend

@Suite("Clients that are slow, idle or many")
struct SlowClientTests {
    private let uptime = TestUptime()
    private let pauses = ManualPause()

    @Test("connections that send a byte now and then keep nobody out, however many they are")
    func slow() async throws {
        try await withServer(ConnectionLimits(total: 20)) { server in
            try await withClients(60, server.port) { clients in
                // Some are closed by now.
                for (index, client) in clients.enumerated() where index % 2 == 0 { try? await client.send("GET /hea") }
                #expect(try await server.request("GET", "/readyz").status == 200)
                #expect(try await server.request("GET", jwksPath("a")).status == 200)
                // All but as many as there may be, those that came first.
                try await eventually("forty closed") { clients.count(where: \.isClosed) >= 40 }
            }
            #expect(try await server.request("GET", "/readyz").status == 200)
        }
    }

    @Test("connections that are kept alive and idle make room for a newcomer, the longest idle first")
    func idle() async throws {
        try await withServer(ConnectionLimits(total: 20)) { server in
            try await withClients(20, server.port) { clients in
                for client in clients.reversed() { try await client.request() }
                // The last one is the first that went idle, and has begun another request since.
                try await clients[19].send("GET /hea")
                try await clients[19].send("lthz HTTP/1.1\r\n")
                let newcomer = try await RawClient(server.port)
                defer { newcomer.close() }
                try await newcomer.request()
                try await eventually("one closed") { clients.contains(where: \.isClosed) }
                #expect(clients[0..<18].allSatisfy { !$0.isClosed })
            }
        }
    }

    @Test("a server that is to end does so with requests that have only begun")
    func shutdown() async throws {
        var clients: [RawClient] = []
        defer { clients.forEach { $0.close() } }
        try await withServer(ConnectionLimits()) { server in
            for text in ["", "G", "GET /healthz HTTP/1.1\r\n", "nonsense\r\n"] {
                clients.append(try await RawClient(server.port))
                try await clients.last!.send(text)
            }
            try await clients[0].request()
            try await eventually("an answer") { clients[3].received.hasPrefix("HTTP/1.1 400 ") }
        }
        for client in clients { try await eventually("closed") { client.isClosed } }
    }

    @Test("a request has ten seconds from the first byte on, an idle connection longer than load balancers keep theirs")
    func times() async throws {
        try await withServer(ConnectionLimits()) { server in
            try await withClients(3, server.port) { clients in
                let (silent, slow, idle) = (clients[0], clients[1], clients[2])
                try await slow.send("GET /healthz HTTP/1.1\r\n")
                try await idle.request()
                uptime.pass(.seconds(9))
                try await slow.send("Host")
                try await look()
                #expect(clients.allSatisfy { !$0.isClosed })
                uptime.pass(.seconds(1))
                try await look()
                try await eventually("both closed") { silent.isClosed && slow.isClosed }
                uptime.pass(.seconds(64))
                try await look()
                try await idle.request()
                uptime.pass(.seconds(74))
                try await look()
                #expect(!idle.isClosed)
                uptime.pass(.seconds(1))
                try await look()
                try await eventually("closed") { idle.isClosed }
            }
            #expect(pauses.durations(.connections).allSatisfy { $0 == .seconds(1) })
        }
    }

    @Test("an idle connection is kept as long as its limit says", arguments: [5, 300])
    func idleLimit(seconds: Int) async throws {
        try await withServer(ConnectionLimits(idle: .seconds(seconds))) { server in
            try await withClients(1, server.port) { clients in
                try await clients[0].request()
                uptime.pass(.seconds(seconds - 1))
                try await look()
                try await clients[0].request()
                uptime.pass(.seconds(seconds))
                try await look()
                try await eventually("closed") { clients[0].isClosed }
            }
        }
    }

    @Test("an address that has as many connections as it may have makes room among its own")
    func perAddress() async throws {
        try await withServer(ConnectionLimits(perAddress: 3, trustedProxies: [])) { server in
            let other = try await RawClient(server.port, from: "127.0.0.2")
            defer { other.close() }
            try await other.request()
            try await withClients(3, server.port) { clients in
                for client in clients { try await client.request() }
                let fourth = try await RawClient(server.port)
                defer { fourth.close() }
                try await fourth.request()
                // Which one depends on whose answer the server knows to be taken by then.
                try await eventually("one closed") { clients.contains(where: \.isClosed) }
                try await look()
                #expect(clients.count(where: \.isClosed) == 1 && !other.isClosed)
            }
        }
    }

    @Test("proxies that are trusted, loopback unless the configuration says otherwise, may have all there are")
    func trustedProxy() async throws {
        try await withServer(ConnectionLimits(perAddress: 3)) { server in
            try await withClients(12, server.port) { clients in
                for client in clients { try await client.request() }
                #expect(clients.allSatisfy { !$0.isClosed })
            }
        }
    }

    @Test("health is answered on the admin listener, and nothing else is")
    func admin() async throws {
        try await withTemporaryDirectory { directory in
            let (ports, port) = AsyncStream.makeStream(of: Int.self)
            let (adminPorts, adminPort) = AsyncStream.makeStream(of: Int.self)
            let frontend = try Frontend(
                FrontendSettings(
                    host: "127.0.0.1", port: 0, cacheDirectory: directory, staleAfter: 3600,
                    admin: .init(host: "127.0.0.1", port: 0)),
                agents: [ScriptedSource([discovery(of: "demo", [url("a")])])], clock: TestClock().reading, uptime: uptime.reading,
                logger: silent,
                listening: { port.yield($0) }, adminListening: { adminPort.yield($0) })
            try await withRunning(frontend.services, ports, finishing: port) { server in
                let admin = RunningServer(port: try #require(await adminPorts.first { _ in true }))
                defer { admin.end() }
                try await eventually("ready") { try await admin.request("GET", "/readyz").status == 200 }
                #expect(try await server.request("GET", jwksPath("a")).status == 200)
                #expect(try await admin.request("GET", "/healthz").status == 200)
                #expect(try await admin.request("GET", jwksPath("a")).status == 404)
            }
        }
    }

    @Test("a client that takes no answers gets no more of them, and each in its turn once it takes them again")
    func deaf() throws {
        try withHandler { channel, connection in
            channel.isWritable = false
            for _ in 0..<3_000 { try receive("/healthz", channel) }
            channel.pipeline.fireChannelReadComplete()
            #expect(try channel.readOutbound(as: HTTPServerResponsePart.self) == nil)
            channel.isWritable = true
            channel.pipeline.fireChannelWritabilityChanged()
            #expect(try answers(channel) == 3_000)
            #expect(!connection.isClosed)
        }
    }

    @Test("the last answer goes out before the end, with further requests behind it")
    func last() throws {
        try withHandler { channel, connection in
            channel.isWritable = false
            try receive("/healthz", channel)
            try receive("/healthz", channel, ["Connection": "close"])
            for _ in 0..<3 { try receive("/healthz", channel) }
            channel.isWritable = true
            channel.pipeline.fireChannelWritabilityChanged()
            connection.passes(.zero, channel)
            #expect(try answers(channel) == 2)
            #expect(connection.isClosed)
        }
    }

    @Test("a client that takes nothing of its answer for a minute is closed")
    func deafForLong() throws {
        try withHandler { channel, connection in
            channel.isWritable = false
            try receive("/healthz", channel)
            channel.pipeline.fireChannelReadComplete()
            connection.passes(.seconds(59), channel)
            #expect(!connection.isClosed)
            connection.passes(.seconds(1), channel)
            #expect(connection.isClosed)
        }
    }

    @Test("bytes of a request that has begun do not give it more time")
    func trickle() throws {
        try withHandler(decoding: true) { channel, connection in
            for byte in "GET /heal" {
                try channel.writeInbound(ByteBuffer(string: String(byte)))
                connection.passes(.seconds(1), channel)
                #expect(!connection.isClosed)
            }
            connection.passes(.seconds(1), channel)
            #expect(connection.isClosed)
        }
    }

    @Test("a second request has its own time, from its first byte")
    func second() throws {
        try withHandler(decoding: true) { channel, connection in
            connection.passes(.seconds(9), channel)
            try channel.writeInbound(ByteBuffer(string: "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"))
            connection.passes(.seconds(50), channel)
            try channel.writeInbound(ByteBuffer(string: "G"))
            connection.passes(.seconds(9), channel)
            try channel.writeInbound(ByteBuffer(string: "E"))
            #expect(!connection.isClosed)
            connection.passes(.seconds(1), channel)
            #expect(connection.isClosed)
        }
    }

    // MARK: A server

    private func withServer(_ limits: ConnectionLimits, _ body: (RunningServer) async throws -> Void) async throws {
        let publication = LivePublication(
            Publication(results: [discovery(of: "demo", [url("a")])], confirmedAt: wire(0)), clock: moment(0).reading,
            uptime: { 0 })
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let server = DocumentServer(
            responder: DocumentResponder(publication: publication), host: "127.0.0.1", port: 0,
            limits: limits, uptime: uptime.reading, pause: pauses.pause, logger: silent
        ) { port.yield($0) }
        try await withRunning([server], ports, finishing: port, body)
    }

    /// Lets the server look at its connections, and returns when it has.
    private func look() async throws {
        let before = pauses.durations(.connections).count
        try await eventually("a pause") { pauses.end(.connections) }
        try await eventually("the next pause") { pauses.durations(.connections).count > before }
    }

    // MARK: A handler alone

    private final class Watched {
        let connections: Connections
        let uptime: TestUptime
        var isClosed = false

        init(_ uptime: TestUptime) {
            self.uptime = uptime
            connections = Connections(ConnectionLimits(), uptime: uptime.reading)
        }

        func passes(_ time: Duration, _ channel: EmbeddedChannel) {
            uptime.pass(time)
            connections.closeOverdue()
            channel.embeddedEventLoop.run()
            isClosed = isClosed || !channel.isActive
        }
    }

    private func withHandler(decoding: Bool = false, _ body: (EmbeddedChannel, Watched) throws -> Void) throws {
        let watched = Watched(uptime)
        let publication = LivePublication(clock: moment(0).reading, uptime: { 0 })
        let documents = DocumentChannel(
            responder: DocumentResponder(publication: publication), connections: watched.connections)
        let channel = EmbeddedChannel()
        try channel.connect(to: SocketAddress(ipAddress: "192.0.2.1", port: 80)).wait()
        if decoding {
            _ = documents.setup(channel: channel, logger: silent)
        } else {
            let pipeline = channel.pipeline.syncOperations
            let connection = try watched.connections.admit(channel)
            try pipeline.addHandlers([HTTPServerPipelineHandler()])
            try pipeline.addHandler(
                DocumentHandler(responder: documents.responder, connection: connection, arrivals: Arrivals()))
        }
        try body(channel, watched)
        _ = try? channel.finish(acceptAlreadyClosed: true)
    }

    private func receive(_ path: String, _ channel: EmbeddedChannel, _ fields: HTTPHeaders = [:]) throws {
        var fields = fields
        fields.add(name: "Host", value: "a")
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: path, headers: fields)
        channel.pipeline.fireChannelRead(HTTPServerRequestPart.head(head))
        channel.pipeline.fireChannelRead(HTTPServerRequestPart.end(nil))
    }

    private func answers(_ channel: EmbeddedChannel) throws -> Int {
        var count = 0
        while let part = try channel.readOutbound(as: HTTPServerResponsePart.self) {
            if case .end = part { count += 1 }
        }
        return count
    }
}

/// A clock that goes on only as a test says.
final class TestUptime: Sendable {
    private let nanoseconds = Locked(Int64(0))

    func pass(_ time: Duration) {
        nanoseconds.withLock { $0 += time.components.seconds * 1_000_000_000 + time.components.attoseconds / 1_000_000_000 }
    }

    var reading: @Sendable () -> Int64 {
        { [nanoseconds] in nanoseconds.withLock { $0 } }
    }
}
