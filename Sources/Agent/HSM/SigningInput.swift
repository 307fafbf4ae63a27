import Platform

/// What a JWS signs, made when it is first wanted, by whoever signs: the event loop has other things to do.
final class SigningInput: Sendable {
    private enum State {
        case due(@Sendable () -> [UInt8])
        case made([UInt8])
    }

    private let state: Locked<State>

    init(_ make: @escaping @Sendable () -> [UInt8]) {
        state = Locked(.due(make))
    }

    var bytes: [UInt8] {
        state.withLock { state in
            switch state {
            case .made(let bytes): return bytes
            case .due(let make):
                let bytes = make()
                state = .made(bytes)
                return bytes
            }
        }
    }
}
