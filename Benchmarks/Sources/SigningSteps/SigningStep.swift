/// A step of what the agent does for a `sign` request, as the agent itself does it, to be done again and again.
public struct SigningStep: Sendable {
    public let name: String
    /// What it is, in a line.
    public let summary: String
    /// Whether all of it happens on the thread that asks for it.
    public let isOnOneThread: Bool
    private let make: @Sendable () async throws -> PreparedStep

    init(
        _ name: String, _ summary: String, isOnOneThread: Bool = true,
        prepare: @escaping @Sendable () async throws -> PreparedStep
    ) {
        self.name = name
        self.summary = summary
        self.isOnOneThread = isOnOneThread
        make = prepare
    }

    /// Makes what the step needs, and does it once.
    public func prepared() async throws -> PreparedStep {
        let step = try await make()
        do {
            _ = try step.repeated(1)
        } catch {
            await step.end()
            throw error
        }
        return step
    }
}

/// A step with what it needs. `end()` is to be called once.
public struct PreparedStep: Sendable {
    /// Does the step once; returns something that depends on what came of it, so that it is not optimised away.
    private let work: @Sendable () throws -> Int
    private let clean: @Sendable () async -> Void

    init(_ work: @escaping @Sendable () throws -> Int, end: @escaping @Sendable () async -> Void = {}) {
        self.work = work
        clean = end
    }

    /// Does the step so many times. What is counted is what happens in here: the counting finds the function by its name.
    @inline(never)
    public func repeated(_ count: Int) throws -> Int {
        var sum = 0
        for _ in 0..<count { sum &+= try work() }
        return sum
    }

    public func end() async {
        await clean()
    }
}

/// A step cannot be prepared, or did not do what it is to do.
struct StepError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

func required<Value>(_ value: Value?) throws -> Value {
    guard let value else { throw StepError("a sample value of \(Value.self) is not taken") }
    return value
}
