import AgentClient
import AgentProtocol
import EtcdStore
import EtcdSupport
import Foundation
import ProtocolSupport
import Testing

@Suite("Metrics")
struct MetricsTests {
    @Test("of the agent are the ones that protocol.md shows, with the labels it shows")
    func documented() async throws {
        let shown = try #require(
            try ProtocolDocument().blocks.first { $0.section == .metrics && $0.value["result"] != nil }?
                .value["result"]?["text"]?.string)
        try await Installation.with { site in
            _ = try await site.startAgent()
            let client = try await site.connect()
            let text = try await client.call(MetricsParameters()).text
            #expect(withoutValues(text) == withoutValues(shown))
            await client.close()
        }
    }

    @Test(
        "of an agent that shares its store are these and the gauges of the table in protocol.md, and the store is confirmed",
        .enabled(if: EtcdServer.isInstalled, "etcd-server is not installed; the gauges of a shared store are left out"))
    func ofAFleet() async throws {
        let document = try ProtocolDocument()
        let shown = try #require(
            document.blocks.first { $0.section == .metrics && $0.value["result"] != nil }?.value["result"]?["text"]?.string)
        let table = try #require(document.sections[.metrics]?.components(separatedBy: "| gauge | |").last)
        let gauges = table.matches(of: /\| `(privyseal_\w+)` \|/).map { String($0.output.1) }
        #expect(gauges.count > 5)
        let server = try await EtcdServer.shared()
        try await Installation.with { site in
            let etcd =
                "store: { etcd: { endpoints: [\"\(server.endpoint.url)\"], prefix: \(EtcdGateway.prefix()) }, "
                + "memory: \(site.directory)/fleet.json }"
            try site.writeAgentConfiguration(replacing: ["store: { sqlite: \(site.directory)/store.db }": etcd])
            let made = try await Programs.run("privyseald", ["init", "--config", site.agentConfiguration])
            #expect(made.status == 0, "\(made)")
            _ = try await site.startAgent()
            let client = try await site.connect()
            var text = ""
            // Once it has looked who takes part.
            let isTold = await poll("the gauges") {
                text = try await client.call(MetricsParameters()).text
                return text.contains("\nprivyseal_fleet_agents 1\n")
            }
            #expect(isTold, "\(text)")
            let expected = names(shown).union(gauges)
            #expect(names(text) == expected, "\(names(text).symmetricDifference(expected))")
            #expect(!text.contains("\nprivyseal_store_confirmed_seconds_ago -1\n"))
            #expect(text.contains("\nprivyseal_fleet_agents_away 0\n"))
            await client.close()
        }
    }

    private func names(_ text: String) -> Set<String> {
        Set(text.split(separator: "\n").filter { $0.hasPrefix("# TYPE ") }.map { String($0.split(separator: " ")[2]) })
    }

    /// The lines, those of values without the value.
    private func withoutValues(_ text: String) -> [Substring] {
        text.split(separator: "\n").map { $0.hasPrefix("#") ? $0 : $0.prefix { $0 != " " } }
    }
}
