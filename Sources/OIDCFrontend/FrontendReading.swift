import AgentProtocol

/// What a frontend has to tell in numbers.
public struct FrontendReading: Sendable, Equatable {
    /// A TLS certificate.
    public struct Certificate: Sendable, Equatable {
        /// Whether the files could be used when they were last read.
        public let isLoaded: Bool
        /// When the certificate in force ends, in seconds since 1970.
        public let endsAt: Int64
    }

    /// When the agents last vouched for the documents, in seconds since 1970; nil before they have.
    public let confirmedAt: Int64?
    /// How old the word of each agent is, where several are followed or they share their store.
    public let agents: [AgentAge]
    /// Nil where somebody else terminates TLS.
    public let certificate: Certificate?

    init(_ publication: LivePublication, _ certificate: LiveCertificate?) {
        confirmedAt = publication.current.confirmedAt?.seconds
        agents = publication.ages
        self.certificate = certificate.map {
            Certificate(isLoaded: $0.failure == nil, endsAt: $0.current.endsAt.seconds)
        }
    }
}

extension LiveCertificate {
    /// What whoever asks for readiness is told of files that cannot be used. They are named in the log alone.
    var notice: String? {
        failure == nil
            ? nil
            : "the TLS certificate on disk cannot be used, and the next start would fail; the one in force is valid until \(current.endsAt.text)"
    }
}
