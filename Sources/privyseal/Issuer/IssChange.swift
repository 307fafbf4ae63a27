import AgentProtocol

/// A change of the `iss` of every new JWT, and what it means to those who use them.
struct IssChange: Equatable {
    let name: String
    let former: String
    /// Nil when the agent has yet to mint it.
    let new: String?
    /// How long JWTs with the former `iss` still verify, in seconds; nil when the former one has no documents to keep.
    let keptSeconds: Int?
    let immediately: Bool

    /// Nil when an update leaves `iss` as it is: the profile is so already, or the default issuer is not in use.
    init?(
        of status: IssuerStatus, _ profile: IssuerUpdateCommand.ProfileChange?, immediately: Bool, _ defaultIssuer: String?
    ) {
        let isEnabled = status.oidcIssuerProfile.enabled
        switch profile {
        case .enable where isEnabled: return nil
        // Refused by the agent, which says why.
        case .renew where !isEnabled: return nil
        case .enable, .renew: new = nil
        case nil where isEnabled: return nil
        case .disable, nil:
            let fallback = defaultIssuer ?? status.defaultIssuer
            guard fallback != status.issuer else { return nil }
            new = fallback
        }
        name = status.name
        former = status.issuer
        keptSeconds = isEnabled ? status.overlapSeconds : nil
        self.immediately = immediately
    }

    /// What is said before it is asked whether to go on.
    var consequences: String {
        """
        This changes the iss of every new JWT of issuer \(name):
          from  \(former)
          to    \(new ?? "a fresh URL")
        Relying parties must be told the new issuer, and workloads may need a restart to get new JWTs.
        \(fate)
        """
    }

    private var fate: String {
        if immediately {
            return "IMMEDIATELY: every former URL of the issuer is dropped at once. JWTs issued under it stop verifying now."
        }
        guard let keptSeconds else { return "JWTs issued so far carry the former iss until they expire." }
        return "JWTs issued so far keep verifying under the former URL for \(Elapsed.exact(seconds: Int64(keptSeconds)))."
    }
}
