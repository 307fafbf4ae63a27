import AgentProtocol
import Logging
import Platform
import Testing

@testable import Agent

@Suite("From a request to its record and its reply")
struct FunnelTests {
    @Test("what the access rules deny is not carried out, and is recorded as denied")
    func denied() async throws {
        try await Funnel.with { funnel in
            let reply = await funnel.ask(.metrics, as: Caller(uid: 7, gid: 7, pid: 1))
            #expect(reply["error"]?["data"]?["reason"]?.string == "PERMISSION_DENIED")
            #expect(funnel.deeds == ["replied after 1 record"])
            #expect(funnel.records == ["metrics denied PERMISSION_DENIED"])
        }
    }

    @Test("parameters that cannot be read are not carried out, and are recorded as failed")
    func malformed() async throws {
        try await Funnel.with { funnel in
            let reply = await funnel.ask(.metrics, #"{"more":1}"#)
            #expect(reply["error"]?["data"]?["reason"]?.string == "INVALID_PARAMS")
            #expect(funnel.deeds == ["replied after 1 record"])
            #expect(funnel.records == ["metrics failed INVALID_PARAMS"])
        }
    }

    @Test("what the operation itself does not let its caller do is not carried out, and is recorded with what was named")
    func unchecked() async throws {
        try await Funnel.with { funnel in
            funnel.script.set { $0.refusal = ProtocolError(.keyNotFound, "there is none", hint: "look") }
            let reply = await funnel.ask(.storeSave)
            #expect(reply["error"]?["data"]?["reason"]?.string == "KEY_NOT_FOUND")
            #expect(funnel.deeds == ["replied after 1 record"])
            #expect(funnel.records == ["store-save issuer=demo kid=k failed KEY_NOT_FOUND"])
        }
    }

    @Test("what changes nothing is recorded once, before its reply")
    func reading() async throws {
        try await Funnel.with { funnel in
            let reply = await funnel.ask(.metrics)
            #expect(reply["result"]?["text"]?.string == "done")
            #expect(funnel.deeds == ["ran after 0 records", "replied after 1 record", "after the reply"])
            #expect(funnel.records == ["metrics allowed"])
        }
    }

    @Test("what fails is recorded with its reason before its reply", arguments: [Method.metrics, .storeSave])
    func failing(_ method: Method) async throws {
        try await Funnel.with { funnel in
            funnel.script.set { $0.failure = ProtocolError(.issuerNotFound, "there is none", hint: "look") }
            let reply = await funnel.ask(method)
            #expect(reply["error"]?["data"]?["reason"]?.string == "ISSUER_NOT_FOUND")
            let last =
                method == .metrics ? "metrics failed ISSUER_NOT_FOUND" : "store-save issuer=demo kid=k failed ISSUER_NOT_FOUND"
            #expect(funnel.records.last == last)
            #expect(funnel.deeds.last == (method == .metrics ? "replied after 1 record" : "replied after 2 records"))
        }
    }

    @Test("what is exempt leaves no record when it is done or fails, and one when it is denied")
    func exempt() async throws {
        try await Funnel.with { funnel in
            let parameters = #"{"issuers":[]}"#
            #expect(await funnel.ask(.acknowledge, parameters)["result"] != nil)
            funnel.script.set { $0.failure = ProtocolError(.invalidRequest, "not now", hint: "later") }
            #expect(await funnel.ask(.acknowledge, parameters)["error"] != nil)
            #expect(funnel.records == [])
            _ = await funnel.ask(.acknowledge, parameters, as: Caller(uid: 7, gid: 7, pid: 1))
            #expect(funnel.records == ["acknowledge denied PERMISSION_DENIED"])
        }
    }

    @Test("a change is recorded before it is made and after, and its second record has what came of it")
    func change() async throws {
        try await Funnel.with { funnel in
            let reply = await funnel.ask(.storeSave)
            #expect(reply["result"]?["saved"] == true)
            #expect(funnel.deeds == ["ran after 1 record", "replied after 2 records", "after the reply"])
            #expect(
                funnel.records == [
                    "store-save issuer=demo kid=k attempted", "store-save issuer=demo kid=k effect=saved allowed",
                ])
        }
    }

    @Test("a dry run changes nothing and is recorded once, as such")
    func dryRun() async throws {
        try await Funnel.with { funnel in
            funnel.script.set { $0.isDryRun = true }
            _ = await funnel.ask(.storeSave)
            #expect(funnel.deeds == ["ran after 0 records", "replied after 1 record", "after the reply"])
            #expect(funnel.records == ["store-save issuer=demo kid=k dryRun allowed"])
        }
    }

    @Test("a change that cannot be recorded is not made")
    func unrecordableChange() async throws {
        try await Funnel.with { funnel in
            funnel.file.setRoom(0)
            let reply = await funnel.ask(.storeSave)
            #expect(reply["error"]?["data"]?["reason"]?.string == "AUDIT_UNAVAILABLE")
            #expect(funnel.deeds == ["replied after 0 records"])
        }
    }

    @Test("a change that was made and cannot be recorded as made is told, with a warning")
    func unrecordedChange() async throws {
        try await Funnel.with { funnel in
            funnel.script.set { $0.meanwhile = { funnel.file.setRoom(0) } }
            let reply = await funnel.ask(.storeSave)
            #expect(reply["result"]?["warnings"]?[0]?.string?.hasPrefix("it is done, but the audit log") == true)
            #expect(funnel.records == ["store-save issuer=demo kid=k attempted"])
        }
    }

    @Test("what was read and cannot be recorded is taken back, and its caller is not told it")
    func unrecordedReading() async throws {
        try await Funnel.with { funnel in
            funnel.script.set { $0.meanwhile = { funnel.file.setRoom(0) } }
            let reply = await funnel.ask(.metrics)
            #expect(reply["error"]?["data"]?["reason"]?.string == "AUDIT_UNAVAILABLE")
            #expect(funnel.deeds == ["ran after 0 records", "taken back", "replied after 0 records"])
        }
    }
}

/// Three fake operations, with rules that allow one user everything, and an audit log in memory.
private final class Funnel: Sendable {
    let file = MemoryAuditFile()
    let script = Script()
    private let gate: Gate
    private let audit: AuditLog
    private let operations: OperationTable

    static func with(_ body: (Funnel) async throws -> Void) async throws {
        let funnel = try Funnel()
        do {
            try await body(funnel)
        } catch {
            await funnel.audit.close()
            throw error
        }
        await funnel.audit.close()
    }

    private init() throws {
        let (clock, log) = (TestClock().agentClock, Logger(label: "funnel") { _ in SwiftLogNoOpLogHandler() })
        gate = Gate(policy: .ownUser(1), clock: clock, log: log)
        audit = try AuditLog(
            AuditConfiguration(path: "/nowhere/audit.log", headInterval: nil), clock: clock, log: log
        ) { [file] _ in file }
        script.set { [file] in $0.records = { file.lines.count - 1 } }
        var operations = OperationTable(gate: gate, audit: audit, log: log)
        operations.add(FakeReading(script: script))
        operations.add(FakeExempt(script: script))
        operations.add(FakeChange(script: script))
        self.operations = operations
    }

    /// What was done, in its order.
    var deeds: [String] { script.state.withLock { $0.deeds } }

    /// The records of requests, without what is the same in all.
    var records: [String] {
        file.lines.compactMap { line in
            guard let record = try? JSONValue(parsing: Array(line.utf8)), let method = record["method"]?.string else {
                return nil
            }
            let named = ["issuer", "kid", "effect"].compactMap { name in record[name]?.string.map { "\(name)=\($0)" } }
            let end = [record["outcome"]?.string, record["reason"]?.string].compactMap(\.self)
            return ([method] + named + (record["dryRun"] == true ? ["dryRun"] : []) + end).joined(separator: " ")
        }
    }

    func ask(
        _ method: Method, _ parameters: String = "{}", as caller: Caller = Caller(uid: 1, gid: 1, pid: 1)
    ) async -> JSONValue {
        let line = #"{"jsonrpc":"2.0","id":1,"method":"\#(method.rawValue)","params":\#(parameters)}"#
        guard let request = try? Request.decode(Array(line.utf8)), let handler = operations[method] else { return .null }
        let replies = Locked([[UInt8]]())
        await handler.handle(
            PendingRequest(request, caller, at: 0) { [script] reply in
                script.noteCounting("replied")
                replies.withLock { $0.append(reply) }
            }, OperationContext(caller: caller, connection: ConnectionID(number: 1), notifications: NoNotifications()))
        let all = replies.withLock { $0 }
        #expect(all.count == 1, "a request has one reply")
        return (try? JSONValue(parsing: all.first ?? [])) ?? .null
    }
}

/// What the fake operations are to do, and what they have done.
private final class Script: Sendable {
    struct State: Sendable {
        var refusal: ProtocolError?
        var failure: ProtocolError?
        var isDryRun = false
        var meanwhile: @Sendable () -> Void = {}
        var records: @Sendable () -> Int = { 0 }
        var deeds: [String] = []
    }

    let state = Locked(State())

    func set(_ change: (inout State) -> Void) { state.withLock { change(&$0) } }

    func note(_ deed: String) { state.withLock { $0.deeds.append(deed) } }

    /// Notes a deed with the number of records that there are of the request by then.
    func noteCounting(_ deed: String) {
        let count = state.withLock { $0.records }()
        note("\(deed) after \(count) \(count == 1 ? "record" : "records")")
    }

    func check() throws(ProtocolError) {
        if let refusal = state.withLock({ $0.refusal }) { throw refusal }
    }

    func run() throws {
        noteCounting("ran")
        let (failure, meanwhile) = state.withLock { ($0.failure, $0.meanwhile) }
        meanwhile()
        if let failure { throw failure }
    }
}

private struct FakeReading: Agent.Operation {
    let script: Script

    func run(_ admission: Admission<MetricsParameters>, _ context: OperationContext) async throws -> MetricsResult {
        try script.run()
        return MetricsResult(text: "done")
    }

    func replied(_ result: MetricsResult, _ context: OperationContext) { script.note("after the reply") }

    func unrecorded(_ context: OperationContext) { script.note("taken back") }
}

private struct FakeExempt: Agent.Operation {
    let script: Script

    func run(_ admission: Admission<AcknowledgeParameters>, _ context: OperationContext) async throws -> AcknowledgeResult {
        try script.run()
        return AcknowledgeResult()
    }
}

private struct FakeChange: ChangeOperation {
    let script: Script

    func issuer(of parameters: StoreSaveParameters) -> String? { "demo" }

    func kid(of parameters: StoreSaveParameters) -> String? { "k" }

    func isDryRun(_ parameters: StoreSaveParameters) -> Bool { script.state.withLock { $0.isDryRun } }

    func check(_ parameters: StoreSaveParameters, _ context: OperationContext) async throws(ProtocolError) { try script.check() }

    func complete(_ record: inout AuditRecord, with result: StoreSaveResult) { record.effect = "saved" }

    func run(_ admission: Admission<StoreSaveParameters>, _ context: OperationContext) async throws -> StoreSaveResult {
        try script.run()
        return StoreSaveResult(saved: true, path: nil)
    }

    func replied(_ result: StoreSaveResult, _ context: OperationContext) { script.note("after the reply") }
}

private struct NoNotifications: NotificationSink {
    func notify(_ changes: IssuerChanges, written: @escaping @Sendable () -> Void) {}
}
