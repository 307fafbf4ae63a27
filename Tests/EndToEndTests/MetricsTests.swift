import AgentClient
import AgentProtocol
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

    /// The lines, those of values without the value.
    private func withoutValues(_ text: String) -> [Substring] {
        text.split(separator: "\n").map { $0.hasPrefix("#") ? $0 : $0.prefix { $0 != " " } }
    }
}
