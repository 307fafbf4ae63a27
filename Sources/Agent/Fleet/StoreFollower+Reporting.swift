import IssuerStore
import Logging

/// What the other agents are told of this one.
extension StoreFollower {
    /// Has the others told what has changed, once there is something to tell.
    func reportSoon() {
        isReportWanted = true
        guard !isReporting else { return }
        isReporting = true
        Task {
            while self.takeReportWish() {
                await self.settleBriefly()
                await self.report()
            }
        }
    }

    private func takeReportWish() -> Bool {
        defer { isReportWanted = false }
        if !isReportWanted || isEnding { isReporting = false }
        return isReporting
    }

    /// Most of what a new view leaves to do is done in a moment: it is told in one word then.
    private func settleBriefly() async {
        tryKeys()
        for _ in 0..<5 {
            let report = progress.report(view.revision)
            if !report.isBehindMuch, report.draining.isEmpty, report.unserved.isEmpty, report.unusable.isEmpty { return }
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    private func report() async {
        let report = progress.report(view.revision)
        guard report != lastReport, expulsion == nil, !isEnding else { return }
        do {
            try await store.report(report)
            lastReport = report
        } catch {
            log.debug("the fleet could not be told how far this agent has come", metadata: ["reason": "\(error)"])
        }
    }

    /// What was not done in a moment, or could not be told.
    func reportIfNeeded() {
        tryKeys()
        var report = progress.report(view.revision)
        guard let lastReport else { return reportSoon() }
        // A revision that nothing has changed by is not worth a word.
        report.revision = lastReport.revision
        if report != lastReport || view.revision > lastReport.revision { reportSoon() }
    }

    /// A former key has been replaced: its last signature is waited for.
    nonisolated func drain(_ key: KeyReference, of issuer: String) {
        Task {
            await key.use.drained()
            self.progress.drained(key, of: issuer)
            await self.reportSoon()
        }
    }

    private func tryKeys() {
        guard !isTrying else { return }
        let keys = progress.takeUntried(8)
        guard !keys.isEmpty else { return }
        isTrying = true
        Task {
            await withTaskGroup(of: Void.self) { group in
                for key in keys {
                    group.addTask { [tryKey, progress, log] in
                        do {
                            try await tryKey(key)
                            progress.tried(key, nil)
                        } catch {
                            progress.tried(key, error as? HSMError ?? HSMError(signing: error))
                            log.warning(
                                "a published key cannot be used by this agent",
                                metadata: ["kid": "\(key.kid)", "reason": "\(error)"])
                        }
                    }
                }
            }
            self.triedKeys()
        }
    }

    private func triedKeys() {
        isTrying = false
        reportSoon()
        tryKeys()
    }

    /// Tries keys again that could not be used.
    func tryKeysAgain() {
        progress.tryAgain()
        tryKeys()
    }
}
