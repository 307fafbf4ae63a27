import NIOCore
import NIOPosix
import Platform

/// A way from somebody who connects to somebody who listens, which can be cut, held up, and made to lose what is on it.
package final class CuttableProxy: Sendable {
    package enum Place: Sendable, Equatable {
        /// On 127.0.0.1.
        case port(Int)
        case socket(String)
    }

    package enum Behaviour: Sendable, Equatable {
        case open
        /// What comes is handed on so many milliseconds later, either way.
        case delayed(Int)
        /// Connections end, and new ones end as soon as they are made.
        case cut
        /// Connections are taken, and nothing that comes on them goes anywhere.
        case silent
        /// What is asked is handed on, and no answer comes back.
        case losesAnswers

        /// What has been lost on a connection can never be put right.
        fileprivate var isLossy: Bool { self == .silent || self == .losesAnswers }
    }

    private struct State {
        var behaviour = Behaviour.open
        var connections: [ObjectIdentifier: any Channel] = [:]
    }

    /// Where it listens.
    package let place: Place
    private let target: Place
    private let listener: any Channel
    private let state: Locked<State>

    /// - Parameter place: where to listen, a port of the system's choice for 0.
    package static func start(listeningAt place: Place, to target: Place) async throws -> CuttableProxy {
        let state = Locked(State())
        let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 64)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in accept(channel, target, state) }
        let listener: any Channel
        let bound: Place
        switch place {
        case .port(let port):
            listener = try await bootstrap.bind(host: "127.0.0.1", port: port).get()
            bound = .port(listener.localAddress?.port ?? port)
        case .socket(let path):
            listener = try await bootstrap.bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
            bound = place
        }
        return CuttableProxy(bound, target, listener, state)
    }

    private init(_ place: Place, _ target: Place, _ listener: any Channel, _ state: Locked<State>) {
        (self.place, self.target, self.listener, self.state) = (place, target, listener, state)
    }

    package var behaviour: Behaviour { state.withLock { $0.behaviour } }

    /// From now on. Connections on which something has been lost end.
    package func set(_ behaviour: Behaviour) {
        let ended = state.withLock { state in
            let before = state.behaviour
            state.behaviour = behaviour
            return behaviour == .cut || before.isLossy && before != behaviour ? Array(state.connections.values) : []
        }
        for channel in ended { channel.close(promise: nil) }
    }

    package func close() async {
        set(.cut)
        try? await listener.close()
    }

    private static func accept(_ channel: any Channel, _ target: Place, _ state: Locked<State>) -> EventLoopFuture<Void> {
        let loop = channel.eventLoop
        guard state.withLock({ $0.behaviour }) != .cut else {
            channel.close(promise: nil)
            return loop.makeSucceededVoidFuture()
        }
        // Nothing is read before there is somebody to hand it to.
        let held = channel.setOption(.autoRead, value: false)
        let client = ClientBootstrap(group: loop)
        let connected =
            switch target {
            case .port(let port): client.connect(host: "127.0.0.1", port: port)
            case .socket(let path): client.connect(unixDomainSocketPath: path)
            }
        return held.flatMap { connected }.flatMapThrowing { other in
            for (one, another, isAnswer) in [(channel, other, false), (other, channel, true)] {
                state.withLock { $0.connections[ObjectIdentifier(one)] = one }
                one.closeFuture.whenComplete { _ in
                    state.withLock { $0.connections[ObjectIdentifier(one)] = nil }
                    another.close(promise: nil)
                }
                try one.pipeline.syncOperations.addHandler(
                    Relay(to: another, isAnswer: isAnswer) { state.withLock { $0.behaviour } })
            }
        }.flatMap { channel.setOption(.autoRead, value: true) }.flatMapError { error in
            channel.close(promise: nil)
            return loop.makeFailedFuture(error)
        }
    }
}

/// Hands on what comes in on one side. Both sides are of one event loop.
private final class Relay: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let other: any Channel
    private let isAnswer: Bool
    private let behaviour: () -> CuttableProxy.Behaviour
    /// When what came last goes on: nothing overtakes it.
    private var lastDue = NIODeadline.distantPast

    init(to other: any Channel, isAnswer: Bool, behaviour: @escaping () -> CuttableProxy.Behaviour) {
        (self.other, self.isAnswer, self.behaviour) = (other, isAnswer, behaviour)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        var due = NIODeadline.now()
        switch behaviour() {
        case .open: break
        case .delayed(let milliseconds): due = due + .milliseconds(Int64(milliseconds))
        case .silent, .cut: return
        case .losesAnswers: if isAnswer { return }
        }
        guard due > .now() || lastDue > .now() else { return other.writeAndFlush(bytes, promise: nil) }
        lastDue = max(lastDue, due)
        context.eventLoop.assumeIsolated().scheduleTask(deadline: lastDue) { [other] in other.writeAndFlush(bytes, promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
