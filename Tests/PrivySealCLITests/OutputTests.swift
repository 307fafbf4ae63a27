import AgentProtocol
import Testing

@testable import privyseal

@Suite("output")
struct OutputTests {
    static let now = CommandLineRun.now

    @Test("a table has upper-case headers and columns two spaces apart")
    func table() {
        #expect(
            Layout.table(headers: ["Name", "State"], rows: [["a", "active"], ["longer", "x"]]) == """
                NAME    STATE
                a       active
                longer  x

                """)
    }

    @Test("a table without rows is its headers")
    func emptyTable() {
        #expect(Layout.table(headers: ["Name", "State"], rows: []) == "NAME  STATE\n")
    }

    @Test("a single resource is lines with the values in one column")
    func card() {
        #expect(Layout.card([("Name", "demo"), ("Generation", "3")]) == "Name:        demo\nGeneration:  3\n")
    }

    @Test("how a revocation came to count is a line for each agent and each frontend that is named")
    func settlement() {
        let served = FrontendSettlementView(pid: 70, uid: 33, user: "web", outcome: "served", milliseconds: 20)
        let pending = FrontendSettlementView(pid: 71, uid: 33, outcome: "pending", staleForSeconds: 119)
        let gone = FrontendSettlementView(count: 5, outcome: "gone", staleForSeconds: 60)
        let agent = AgentSettlementView(
            agent: "b", host: "h", outcome: "acknowledged", milliseconds: 12, frontends: [pending, gone])
        let lines = SettlementText.lines(
            SettlementView(settled: true, agents: [agent], keysDestroyed: true, frontends: [served]))
        #expect(
            Layout.card(lines) == """
                Private keys:   destroyed
                Settled:        no agent signs by what was before
                Frontend:       pid 70 (web): serves what holds now (after 20ms)
                Agent b:        signs by it (after 12ms)
                Frontend of b:  pid 71 (uid 33): has not answered; what was before may be gone by for 1m59s
                Frontend of b:  5 more: follows no more; what was before may be gone by for 1m

                """)
        for (stops, text) in [
            (true, "destroyed, which stops every agent that has used them"),
            (false, "destroyed; with this token an agent that has used them could go on"),
        ] {
            let lines = SettlementText.lines(
                SettlementView(settled: true, agents: [agent], keysDestroyed: true, destroyedKeysStop: stops))
            #expect(lines.first?.value == text)
        }
        let own = SettlementText.lines(SettlementView(settled: true, agents: [], frontends: [served]))
        #expect(Layout.card(own) == "Frontend:  pid 70 (web): serves what holds now (after 20ms)\n")
        #expect(
            Layout.card(SettlementText.lines(SettlementView(settled: true, agents: [])))
                == "Settled:  no other agent takes part\n")
    }

    @Test("the agents that share a store are lines below the health of the one that was asked")
    func fleet() throws {
        var health = Samples.health("ok")
        func agent(_ name: String, present: Bool = true, own: Bool = false, revision: Int64? = 12, behind: Bool = false)
            -> AgentHealth
        {
            AgentHealth(
                agent: name, host: "host-\(name)", release: "1", present: present, own: own, staleAfterSeconds: 60,
                revision: revision, behind: behind, frontends: name == "a" ? 1 : 0)
        }
        let agents = [
            agent("a", own: true), agent("b", behind: true), agent("c", present: false), agent("d", revision: nil),
        ]
        health.fleet = FleetHealth(revision: 12, confirmedSecondsAgo: 2, signsForSeconds: 58, agents: agents)
        #expect(
            Layout.card(FleetText.lines(try JSONValue(encoding: health))) == """
                View:     revision 12, confirmed 2s ago; signs for 58s without another confirmation
                Agent a:  on host-a, the one that was asked, release 1, revision 12, 1 frontend
                Agent b:  on host-b, release 1, revision 12, not all of that counts for it yet, 0 frontends
                Agent c:  on host-c, release 1, has not said for 30 s that it is there
                Agent d:  on host-d, release 1, has not said yet what it goes by, 0 frontends

                """)
        health.fleet = FleetHealth(revision: 0, confirmedSecondsAgo: nil, signsForSeconds: 0, agents: nil)
        #expect(FleetText.lines(try JSONValue(encoding: health)).map(\.value) == ["revision 0, never confirmed; signs nothing"])
        #expect(FleetText.lines(try JSONValue(encoding: Samples.health("ok"))).isEmpty)
    }

    @Test("control characters reach no terminal")
    func control() {
        #expect(Layout.printable("a\u{1B}[31mb\u{9B}") == #"a\u{1B}[31mb\u{009B}"#)
        #expect(Layout.printable("grün") == "grün")
    }

    @Test(
        "tsv is values only, and no value breaks its row",
        arguments: [
            ("text", "text\n"), (3, "3\n"), (true, "true\n"), (nil, ""), ([], ""), (["a", "b"], "a\nb\n"),
            (["x": "a", "y": nil, "z": 1], "a\t\t1\n"), ([["x": "a\tb\nc\\"], ["x": "d"]], "a\\tb\\nc\\\\\nd\n"),
            (["x": ["y": [1, 2]]], "{\"y\":[1,2]}\n"), ("line\nbreak", "line\nbreak\n"),
        ] as [(JSONValue, String)])
    func tsv(value: JSONValue, text: String) {
        #expect(TSV.text(value) == text)
    }

    @Test("json keeps the members' order and the numbers' text")
    func json() throws {
        let value = try JSONValue(parsing: Array(#"{"b":1.0,"a":[]}"#.utf8))
        #expect(View.generic.text(value, .json, now: Self.now) == "{\n  \"b\": 1.0,\n  \"a\": []\n}\n")
    }

    @Test(
        "a result without a view of its own is a line, a card or a table",
        arguments: [
            ("text", "text\n"), (nil, ""), (["a": 1, "bb": nil], "a:   1\nbb:  <none>\n"),
            ([["a": 1], ["b": "x"]], "A       B\n1       <none>\n<none>  x\n"), (["x", "y"], "x\ny\n"),
        ] as [(JSONValue, String)])
    func generic(value: JSONValue, text: String) {
        #expect(View.generic.text(value, .table, now: Self.now) == text)
    }

    @Test(
        "spans of time are as coarse as kubectl's",
        arguments: [
            (-5, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (330, "5m30s"), (600, "10m"), (10_799, "179m"),
            (10_800, "3h"), (12_000, "3h20m"), (28_800, "8h"), (172_799, "47h"), (172_800, "2d"), (183_600, "2d3h"),
            (691_200, "8d"), (63_072_000, "2y"), (63_158_400, "2y1d"), (315_360_000, "10y"),
        ] as [(Int64, String)])
    func elapsed(seconds: Int64, text: String) {
        #expect(Elapsed.rounded(seconds: seconds) == text)
    }

    @Test("a moment says how far off it is")
    func moment() {
        #expect(Column.moment("2026-11-24T09:55:00Z", Self.now) == "2026-11-24T09:55:00Z (5m ago)")
        #expect(Column.moment("2026-11-25T09:00:00Z", Self.now) == "2026-11-25T09:00:00Z (in 23h)")
        #expect(Column.remaining("2026-11-24T09:00:00Z", Self.now) == "passed")
        #expect(Column.moment(nil, Self.now) == "<none>")
    }

    @Test("every column finds its value in a reply that has everything")
    func columns() throws {
        var whole = Samples.issuer()
        whole.quarantine = "the store is a copy"
        let issuer = try JSONValue(encoding: whole)
        for column in IssuerColumns.settings + IssuerColumns.status + IssuerColumns.list {
            #expect(column.path.part(of: issuer) != .null, "\(column.label)")
        }
        let key = try JSONValue(encoding: Samples.key("k", "retiring", expires: "2026-11-25T10:00:00Z"))
        for column in KeysListCommand.columns {
            #expect(column.path.part(of: key) != .null, "\(column.label)")
        }
        let health = try JSONValue(encoding: Samples.health("ok"))
        for column in HealthCommand.columns {
            #expect(column.path.part(of: health) != .null, "\(column.label)")
        }
    }
}
