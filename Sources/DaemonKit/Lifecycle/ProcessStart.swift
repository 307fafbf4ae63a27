import Foundation
import Platform

/// The very beginning of a daemon's process, and of every other command of its program.
public enum ProcessStart {
    /// Lets go of what the process inherited, hardens it and raises its limit of descriptors, or ends it with two lines on
    /// standard error.
    ///
    /// The first thing that `main` does, on the main thread: see ``ProcessHardening``.
    @MainActor
    public static func harden() {
        do {
            try ProcessHardening.closeInheritedDescriptors()
            try ProcessHardening.apply()
            DescriptorLimit.raise()
        } catch {
            let failure = StartupFailure(error)
            failure.report()
            exit(failure.exitCode)
        }
    }
}
