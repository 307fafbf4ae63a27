import IssuerStore
import KeyLifecycle

/// What the registry knows at one moment: what `health` is made of.
struct RegistryReading: Sendable {
    let standing: TokenStanding
    /// The token as it names itself.
    let token: TokenIdentity
    /// Counts how often the module was initialised.
    let tokenGeneration: Int
    let hasIssuers: Bool
    /// Why the store is out of use, if it is.
    let storeTrouble: StoreError?
    /// Why the wall clock may not be acted on, if it may not.
    let clockDoubt: ClockGuard.Doubt?
    /// Work on the token that is to be tried again.
    let failures: [IssuerName: RetrySchedule.Failure]
    /// The issuers whose URL is not under the origin that URLs are minted under, by name.
    let issuersElsewhere: [IssuerName]
    /// The fleet, where the store is shared; `nil` where it is this agent's alone.
    let fleet: FleetStanding?
}

extension IssuerRegistry {
    var reading: RegistryReading {
        get async { reading(await fleet?.standing) }
    }

    private func reading(_ fleet: FleetStanding?) -> RegistryReading {
        RegistryReading(
            standing: standing, token: custody.tokenIdentity, tokenGeneration: custody.tokenGeneration,
            hasIssuers: !issuers.isEmpty, storeTrouble: storeTrouble, clockDoubt: clockDoubt,
            failures: retries.failures, issuersElsewhere: urls.elsewhere(among: allIssuers), fleet: fleet)
    }
}
