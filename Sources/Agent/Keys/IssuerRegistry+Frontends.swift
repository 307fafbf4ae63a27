import IssuerStore
import Logging

/// How many frontends there are, remembered so that the next start of the agent can wait for them.
extension IssuerRegistry {
    /// Looks, about a second apart, before one that is away counts as gone.
    private static let patience = 60

    /// From now on, changes wait for the frontends of before the restart.
    func expectFrontends() {
        feed.expect(notedFrontends)
    }

    /// How many there are now, where the store should be told.
    ///
    /// To be called about once a second.
    func frontendsToNote() -> Int? {
        let count = feed.frontendCount
        if count > notedFrontends { return count }
        looksWithFewerFrontends = count < notedFrontends ? looksWithFewerFrontends + 1 : 0
        return looksWithFewerFrontends >= Self.patience ? count : nil
    }

    /// What cannot be written is tried again at the next look.
    func noteFrontends() async {
        let count = feed.frontendCount
        do {
            try await store.noteFrontends(count)
            (notedFrontends, looksWithFewerFrontends) = (count, 0)
        } catch {
            log.debug("how many frontends there are could not be noted", metadata: ["reason": "\(error)"])
        }
    }
}
