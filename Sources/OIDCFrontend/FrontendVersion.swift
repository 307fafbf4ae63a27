import AgentProtocol

/// The release of this frontend.
public enum FrontendVersion {
    /// `major.minor.patch`; agent and frontend are released together.
    public static let current = ProtocolVersion.agent
}
