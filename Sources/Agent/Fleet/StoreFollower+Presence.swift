import IssuerStore
import Logging

/// That this agent is there, and what the store makes of it.
extension StoreFollower {
    func renew() async {
        guard expulsion == nil else { return }
        let began = clock.monotonic()
        do {
            try await store.renew(clock: clock.wallMilliseconds())
            notePace(clock.monotonic() - began)
            await noteSilence(nil)
        } catch let error as StoreError where error.code == .occupied {
            expel(error)
        } catch {
            log.debug("the fleet could not be told that this agent is there", metadata: ["reason": "\(error)"])
            await noteSilence(StoreError(following: error))
        }
    }

    /// A store that cannot be read either is said to be so, and nothing of this.
    private func noteSilence(_ error: StoreError?) async {
        if error != nil { await poll() }
        guard !isEnding else { return }
        let before = silence
        silence = trouble == nil ? error : nil
        guard (silence == nil) != (before == nil) else { return }
        // Which part of the store it is, is said at once then, and not in a minute.
        await lookForTroubles()
        if let silence {
            log.error(
                "the store takes nothing from this agent, neither a change nor that it is there",
                metadata: ["reason": "\(silence)", "hint": "\(silence.hint)"])
        } else if error == nil {
            log.notice("the store takes again what this agent says")
        }
    }

    private func notePace(_ nanoseconds: Int64) {
        let before = pace.trouble
        pace.take(nanoseconds)
        switch (before, pace.trouble) {
        case (nil, let trouble?):
            log.warning("the store is slow", metadata: ["reason": "\(trouble)", "hint": "\(trouble.hint)"])
        case (.some, nil): log.notice("the store is not slow any more")
        default: break
        }
    }
}
