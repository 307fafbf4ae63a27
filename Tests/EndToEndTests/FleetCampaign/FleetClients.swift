import AgentClient
import AgentProtocol
import FleetHistory
import FleetSupport
import Foundation
import Platform
import TestSupport

/// Those who use a fleet and write down what they are told: who signs, who changes, who looks, who fetches.
///
/// Each request is noted with the moment before it was sent and the one after its answer was read.
struct FleetClients: Sendable {
    let fleet: Fleet
    let history: History
    let issuers = KnownIssuers()

    /// The issuers that there are from the start to the end.
    static let lasting = ["busy-1", "busy-2", "calm-1", "calm-2"]

    private static func now() -> Moment { MonotonicClock.nanoseconds() }

    /// Everybody, until the task is cancelled.
    func run(_ generator: inout SeededGenerator) async {
        let generators = (0..<fleet.agents.count * 4).map { _ in generator.fork() }
        await withTaskGroup(of: Void.self) { group in
            for (index, agent) in fleet.agents.enumerated() {
                for place in 0..<2 {
                    group.addTask { await sign(agent, generators[index * 4 + place]) }
                }
                group.addTask { await change(agent, generators[index * 4 + 2]) }
                group.addTask { await look(agent, generators[index * 4 + 3]) }
            }
            for frontend in fleet.frontends { group.addTask { await fetch(frontend) } }
            if fleet.etcd != nil {
                let duels = generators[0]
                group.addTask { await duel(duels) }
            }
        }
    }

    /// Makes the issuers that there are from the start, those that are not there yet.
    func prepare() async throws {
        let client = try await AgentConnection.connect(socketPath: fleet.agents[0].socket)
        let there = issuers.all.map(\.name)
        for name in Self.lasting where !there.contains(name) {
            guard await create(name, fleet.agents[0], client) else { throw CampaignError("\(name) cannot be made") }
        }
        await client.close()
    }

    // Connections

    /// Calls again and again with a connection to an agent, a new one when it has ended.
    private func keepAsking(
        _ agent: FleetAgent, every pause: Duration, _ body: (AgentConnection) async throws -> Void
    ) async {
        while !Task.isCancelled {
            if let client = try? await AgentConnection.connect(socketPath: agent.socket, patience: .seconds(1)) {
                do {
                    while !Task.isCancelled {
                        try await body(client)
                        try await Task.sleep(for: pause)
                    }
                } catch {
                    // It has ended, or the campaign has.
                }
                await client.close()
            }
            try? await Task.sleep(for: .milliseconds(200))
        }
    }

    /// Asks for something, and notes why it was not given. Throws only when the connection is of no more use.
    private func ask<P: RequestParameters>(
        _ parameters: P, _ agent: FleetAgent, _ client: AgentConnection
    ) async throws -> (value: P.Result, begin: Moment, end: Moment)? {
        let begin = Self.now()
        do {
            let value = try await client.call(parameters)
            return (value, begin, Self.now())
        } catch let error as ProtocolError {
            refused(P.method.rawValue, agent, error.reason.rawValue, begin)
            return nil
        } catch {
            if !Task.isCancelled { refused(P.method.rawValue, agent, Self.text(error), begin) }
            throw error
        }
    }

    private static func text(_ error: any Error) -> String {
        (error as? AgentUnreachable)?.code.rawValue ?? (error as? ProtocolError)?.reason.rawValue ?? "\(type(of: error))"
    }

    private func refused(_ method: String, _ agent: FleetAgent, _ reason: String, _ begin: Moment) {
        history.add(begin, Self.now(), .refusal(Refusal(by: agent.name, method: method, reason: reason)))
    }

    // Signatures

    private func sign(_ agent: FleetAgent, _ generator: SeededGenerator) async {
        var generator = generator
        await keepAsking(agent, every: .milliseconds(120)) { client in
            guard let name = issuers.pick(&generator) else { return }
            let parameters = SignParameters(issuer: name, claims: ["aud": "api", "sub": "soak"])
            guard let (result, begin, end) = try await ask(parameters, agent, client) else { return }
            history.add(begin, end, .signature(try Signature(agent: agent.name, issuer: name, result)))
        }
    }

    // Changes

    private func change(_ agent: FleetAgent, _ generator: SeededGenerator) async {
        var generator = generator
        await keepAsking(agent, every: .milliseconds(900)) { client in
            guard let name = issuers.pick(&generator) else { return }
            // The calm ones are rotated when nothing of theirs is retiring, and lose no key but to time.
            if name.hasPrefix("calm") {
                if generator.chance(20) { try await rotate(name, agent, client, isGentle: true) }
                return
            }
            switch Int.random(in: 0..<20, using: &generator) {
            case 0..<7: try await rotate(name, agent, client, isGentle: generator.chance(20))
            case 7..<10: try await duel(name, agent, client, &generator)
            case 10: try await revoke("standby", of: name, agent, client)
            case 11, 12: try await revoke("active", of: name, agent, client)
            case 13: try await revoke("retiring", of: name, agent, client)
            case 14, 15: try await update(name, agent, client, &generator)
            case 16 where issuers.count < 7: _ = await create("passing-\(generator.next() % 0xFFFFFF)", agent, client)
            case 17 where name.hasPrefix("passing"): try await delete(name, agent, client)
            default: break
            }
        }
    }

    private func operate<P: RequestParameters>(
        _ kind: Change.Kind, _ parameters: P, of issuer: String, _ agent: FleetAgent, _ client: AgentConnection,
        kid: String? = nil, if condition: Int? = nil, isGentle: Bool = false
    ) async throws -> AgentReply? {
        let begin = Self.now()
        func note(_ outcome: Change.Outcome) {
            let change = Change(
                kind, agent: agent.name, issuer: issuer, kid: kid, ifGeneration: condition, isGentle: isGentle, outcome)
            history.add(begin, Self.now(), .change(change))
        }
        do {
            let raw = try await client.callRaw(P.method, params: JSONSlice(try JSONValue(encoding: parameters)))
            let reply = try JSONDecoder().decode(AgentReply.self, from: Data(raw.bytes))
            note(.done(reply.reply))
            return reply
        } catch let error as ProtocolError {
            let isUndecided = [.deadlineExceeded, .storeUnavailable, .internalError, .shuttingDown].contains(error.reason)
            note(isUndecided ? .unknown(error.reason.rawValue) : .refused(error.reason.rawValue))
            return nil
        } catch {
            // Whatever was sent may still be carried out.
            let isUnsent = (error as? AgentUnreachable).map { !$0.isOutcomeUnknown } ?? false
            note(isUnsent ? .refused(Self.text(error)) : .unknown(Self.text(error)))
            throw error
        }
    }

    private func create(_ name: String, _ agent: FleetAgent, _ client: AgentConnection) async -> Bool {
        let settings = IssuerSettingsPatch(
            algorithm: "ES256", lifetimeSeconds: 600, maximumLifetimeSeconds: 600, overlapSeconds: 600, jwksMaxAgeSeconds: 10)
        let parameters = IssuerCreateParameters(issuer: name, enableOIDCIssuer: true, settings: settings)
        guard let reply = try? await operate(.create, parameters, of: name, agent, client), let status = reply.status,
            let url = status.jwksUri.flatMap({ URL(string: $0) })
        else { return false }
        issuers.add(name, url.path)
        return true
    }

    private func rotate(
        _ name: String, _ agent: FleetAgent, _ client: AgentConnection, if condition: Int? = nil, isGentle: Bool = false
    ) async throws {
        let parameters = RotateParameters(issuer: name, ifGeneration: condition, noRevoke: isGentle ? true : nil)
        _ = try await operate(.rotate, parameters, of: name, agent, client, if: condition, isGentle: isGentle)
    }

    /// Two agents rotate the same issuer at once, on the same condition.
    private func duel(
        _ name: String, _ agent: FleetAgent, _ client: AgentConnection, _ generator: inout SeededGenerator
    ) async throws {
        let others = fleet.agents.filter { $0.name != agent.name }
        guard !others.isEmpty, let (status, _, _) = try await ask(IssuerStatusParameters(issuer: name), agent, client) else {
            return
        }
        let other = generator.pick(others)
        async let theirs: Void = {
            guard let second = try? await AgentConnection.connect(socketPath: other.socket, patience: .seconds(1)) else { return }
            try? await rotate(name, other, second, if: status.generation)
            await second.close()
        }()
        let ours = await Result { try await rotate(name, agent, client, if: status.generation) }
        await theirs
        try ours.get()
    }

    /// Two agents or all of them rotate an issuer of nobody else's at once, again and again.
    private func duel(_ generator: SeededGenerator) async {
        var (generator, clients): (SeededGenerator, [Int: AgentConnection]) = (generator, [:])
        var (name, count, number) = ("", 0, 0)
        while !Task.isCancelled {
            for (index, agent) in fleet.agents.enumerated() where clients[index] == nil {
                clients[index] = try? await AgentConnection.connect(socketPath: agent.socket, patience: .milliseconds(100))
            }
            let there = clients.keys.sorted().shuffled(using: &generator)
            let sides = there.prefix(generator.chance(30) ? 3 : 2)
            if let first = sides.first, let client = clients[first] {
                // Ended keys stay: an issuer that has too many of them makes way for another one.
                if count % 100 == 0 {
                    if !name.isEmpty { try? await delete(name, fleet.agents[first], client) }
                    (name, number) = ("duel-\(number + 1)", number + 1)
                    if await create(name, fleet.agents[first], client) { count += 1 }
                } else if let status = try? await ask(IssuerStatusParameters(issuer: name), fleet.agents[first], client)?.value {
                    count += 1
                    let asked = sides.compactMap { side in clients[side].map { (side, fleet.agents[side], $0) } }
                    let failed = await rotateAtOnce(name, asked, if: status.generation)
                    for side in failed { await clients.removeValue(forKey: side)?.close() }
                } else {
                    await clients.removeValue(forKey: first)?.close()
                }
            }
            try? await Task.sleep(for: .milliseconds(50))
        }
        for client in clients.values { await client.close() }
    }

    /// - Returns: those whose connections are of no more use.
    private func rotateAtOnce(
        _ name: String, _ sides: [(Int, FleetAgent, AgentConnection)], if generation: Int
    ) async -> [Int] {
        await withTaskGroup(of: Int?.self) { group in
            for (side, agent, client) in sides {
                group.addTask {
                    do {
                        try await rotate(name, agent, client, if: generation)
                        return nil
                    } catch { return side }
                }
            }
            var failed: [Int] = []
            for await side in group { if let side { failed.append(side) } }
            return failed
        }
    }

    private func revoke(_ state: String, of name: String, _ agent: FleetAgent, _ client: AgentConnection) async throws {
        guard let (list, _, _) = try await ask(ListKeysParameters(issuer: name, limit: 500), agent, client),
            let kid = list.keys.first(where: { $0.state == state })?.kid
        else { return }
        _ = try await operate(.revoke, RevokeKeyParameters(kid: kid), of: name, agent, client, kid: kid)
    }

    private func update(
        _ name: String, _ agent: FleetAgent, _ client: AgentConnection, _ generator: inout SeededGenerator
    ) async throws {
        let settings = IssuerSettingsPatch(notBeforeSkewSeconds: Int.random(in: 0...30, using: &generator))
        _ = try await operate(.update, IssuerUpdateParameters(issuer: name, settings: settings), of: name, agent, client)
    }

    private func delete(_ name: String, _ agent: FleetAgent, _ client: AgentConnection) async throws {
        issuers.forget(name)
        _ = try await operate(.delete, IssuerDeleteParameters(issuer: name), of: name, agent, client)
    }

    // Looks

    private func look(_ agent: FleetAgent, _ generator: SeededGenerator) async {
        var generator = generator
        await keepAsking(agent, every: .milliseconds(1_500)) { client in
            guard let name = issuers.pick(&generator) else { return }
            try await look(at: name, agent, client)
        }
    }

    /// Notes an issuer's keys, if it stayed at one generation meanwhile.
    func look(at name: String, _ agent: FleetAgent, _ client: AgentConnection) async throws {
        guard let before = try await ask(IssuerStatusParameters(issuer: name), agent, client),
            let list = try await ask(ListKeysParameters(issuer: name, limit: 500), agent, client),
            let after = try await ask(IssuerStatusParameters(issuer: name), agent, client),
            before.value.generation == after.value.generation, list.value.nextCursor == nil
        else { return }
        let ring = Ring(
            agent: agent.name, issuer: name, generation: after.value.generation, activeKid: after.value.activeKid,
            keys: try list.value.keys.map { try Ring.Key($0) })
        history.add(before.begin, after.end, .ring(ring))
    }

    // Documents

    private func fetch(_ frontend: FleetFrontend) async {
        var turn = 0
        while !Task.isCancelled {
            let all = issuers.all
            if !all.isEmpty {
                turn += 1
                await fetch(all[turn % all.count].name, all[turn % all.count].path, frontend)
            }
            try? await Task.sleep(for: .milliseconds(500))
        }
    }

    func fetch(_ issuer: String, _ path: String, _ frontend: FleetFrontend) async {
        let begin = Self.now()
        do {
            let before = try await HTTPFetch.get("/readyz", port: frontend.port)
            let document = try await HTTPFetch.get(path, port: frontend.port)
            let after = try await HTTPFetch.get("/readyz", port: frontend.port)
            let end = Self.now()
            let keySet = document.status == 200 ? history.keySet(document.body, at: end) : nil
            history.add(
                begin, end,
                .document(
                    DocumentFetch(
                        frontend: frontend.name, issuer: issuer, status: document.status,
                        isFresh: before.status == 200 && after.status == 200, maxAge: document.maxAge, keySet: keySet)))
        } catch {
            if Task.isCancelled { return }
            history.add(begin, Self.now(), .refusal(Refusal(by: frontend.name, method: "GET", reason: "\(type(of: error))")))
        }
    }
}

/// The issuers that somebody has been told of, and where their key sets are.
final class KnownIssuers: Sendable {
    private let known = Locked<[(name: String, path: String)]>([])

    var all: [(name: String, path: String)] { known.withLock { $0 } }
    var count: Int { known.withLock { $0.count } }

    func add(_ name: String, _ path: String) { known.withLock { $0.append((name, path)) } }
    func forget(_ name: String) { known.withLock { $0.removeAll { $0.name == name } } }
    func pick(_ generator: inout SeededGenerator) -> String? {
        let all = all
        return all.isEmpty ? nil : generator.pick(all.map(\.name))
    }
}

extension Result where Failure == any Error {
    /// What comes of something that waits.
    fileprivate init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
