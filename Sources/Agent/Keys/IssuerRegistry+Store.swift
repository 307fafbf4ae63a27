import IssuerStore
import Logging

extension IssuerRegistry {
    /// Finds out whether the store is still where the next start will look for it, and whether one that failed works again.
    func lookAfterStore() async {
        do {
            try await noting(reading: true) { try await store.checkPlace() }
            if storeTrouble != nil { try await noting { try await store.probe() } }
        } catch {
            // It is in `health`, and looked at again in a second.
            return
        }
    }

    /// Has a store that is not where it belongs written anew, so that changes are possible again.
    ///
    /// - Returns: the new file; `nil` when the store is where it belongs.
    /// - Throws: `StoreError`; nothing is replaced.
    func saveStore() async throws -> String? {
        let file: String?
        do {
            file = try await store.save()
        } catch {
            // Why it cannot be written is not why it is out of use.
            await lookAfterStore()
            throw error
        }
        if let file { log.notice("wrote the store anew", metadata: ["store": "\(file)"]) }
        await lookAfterStore()
        return file
    }
}
