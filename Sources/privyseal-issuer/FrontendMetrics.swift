import CoreMetrics
import DaemonKit
import OIDCFrontend

/// The frontend's metrics, for its admin listener.
struct FrontendMetrics: Sendable {
    private let registry = PrometheusRegistry(help: [
        isLoaded: "Whether the TLS certificate on disk could be used when it was last read.",
        endsAt: "When the TLS certificate in force ends, in seconds since 1970.",
        confirmedAt: "When the agents last vouched for the documents, in seconds since 1970.",
        agentAge: "Seconds since what the agent says was confirmed: by the store that it shares, or by its last answer.",
    ])

    private static let isLoaded = "privyseal_issuer_last_reload_successful"
    private static let endsAt = "privyseal_issuer_certificate_end_timestamp_seconds"
    private static let agentAge = "privyseal_issuer_agent_confirmation_age_seconds"
    private static let confirmedAt = "privyseal_issuer_agent_word_timestamp_seconds"

    /// What there is nothing to say about is left out.
    func text(_ reading: FrontendReading) -> String {
        if let certificate = reading.certificate {
            set(Self.isLoaded, certificate.isLoaded ? 1 : 0)
            set(Self.endsAt, certificate.endsAt)
        }
        if let confirmedAt = reading.confirmedAt { set(Self.confirmedAt, confirmedAt) }
        for agent in reading.agents {
            if case .confirmed(let secondsAgo) = agent.word { set(Self.agentAge, secondsAgo, of: agent.name) }
        }
        return registry.render()
    }

    private func set(_ name: String, _ value: Int64, of agent: String? = nil) {
        registry.makeMeter(label: name, dimensions: agent.map { [("agent", $0)] } ?? []).set(Double(value))
    }
}
