import Foundation
import Platform

/// The very beginning of a daemon's process, and of every other command of its program.
public enum ProcessStart {
    /// Lets go of what the process inherited and hardens it, or ends it with two lines on standard error.
    ///
    /// The first thing that `main` does, on the main thread: see ``ProcessHardening``.
    @MainActor
    public static func harden() {
        do {
            try ProcessHardening.closeInheritedDescriptors()
            try ProcessHardening.apply()
        } catch {
            let failure = StartupFailure(error)
            failure.report()
            exit(failure.exitCode)
        }
    }
}
