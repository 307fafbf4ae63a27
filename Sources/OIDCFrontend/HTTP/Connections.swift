import NIOCore
import Platform

/// The open connections of one listener, for all event loops.
final class Connections: Sendable {
    typealias Table = ConnectionTable<Exit.Handle>

    private let table: Locked<Table>
    /// Nanoseconds of a clock that nobody sets.
    private let uptime: @Sendable () -> Int64

    init(_ limits: ConnectionLimits, uptime: @escaping @Sendable () -> Int64) {
        table = Locked(Table(limits))
        self.uptime = uptime
    }

    /// Lets a connection in, and closes the one whose place it takes, if any. On the channel's event loop.
    func admit(_ channel: any Channel) throws -> OpenConnection {
        let exit = Exit()
        try channel.pipeline.syncOperations.addHandler(exit, position: .first)
        let address = channel.remoteAddress?.ipAddress.flatMap { IPAddress($0) }
        let (handle, time) = (Exit.Handle(exit, of: channel), uptime())
        let (id, displaced) = table.withLock { $0.admit(handle, from: address, at: time) }
        displaced?.close()
        channel.closeFuture.whenComplete { [table] _ in table.withLock { $0.remove(id) } }
        return OpenConnection(id: id, connections: self)
    }

    /// Closes the connections whose time is over.
    func closeOverdue() {
        let time = uptime()
        for exit in table.withLock({ $0.overdue(at: time) }) { exit.close() }
    }

    fileprivate func enter(_ phase: Table.Phase, _ id: Table.ID) {
        let time = uptime()
        table.withLock { $0.enter(phase, id, at: time) }
    }
}

/// One of them, as whoever serves it knows it.
struct OpenConnection {
    fileprivate let id: Connections.Table.ID
    fileprivate let connections: Connections

    /// Notes what it is in the middle of from now on.
    func enter(_ phase: Connections.Table.Phase) { connections.enter(phase, id) }
}

/// The way to close a connection at once, with TLS as well, which would wait for its client to agree.
final class Exit: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    /// For any thread.
    struct Handle: Sendable {
        private let eventLoop: any EventLoop
        private let exit: NIOLoopBound<Exit>

        init(_ exit: Exit, of channel: any Channel) {
            eventLoop = channel.eventLoop
            self.exit = NIOLoopBound(exit, eventLoop: eventLoop)
        }

        func close() {
            eventLoop.execute { [exit] in exit.value.context?.close(promise: nil) }
        }
    }
}
