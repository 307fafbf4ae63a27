import IssuerStore
import Logging

/// How many frontends there are, remembered so that the next start of the agent can wait for them.
extension IssuerRegistry {
    /// From now on, changes wait for the frontends of before the restart.
    func expectFrontends() {
        feed.expect(frontends.count)
    }

    /// Whether the store should be told how many there are now. To be called about once a second.
    func lookForFrontends() -> Bool {
        frontends.look(feed.frontendCount)
    }

    /// What cannot be written is tried again at the next look.
    func noteFrontends() async {
        let count = feed.frontendCount
        do {
            try await store.noteFrontends(count)
            frontends.note(count)
        } catch {
            log.debug("how many frontends there are could not be noted", metadata: ["reason": "\(error)"])
        }
    }
}
