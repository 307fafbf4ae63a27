import CPlatform
import Foundation

/// Threads that top(1) and debuggers show by a name, which Foundation's do not have on Linux.
public enum NamedThread {
    /// Starts a thread. Of its name 15 bytes are shown (`PR_SET_NAME`, prctl(2)).
    public static func start(_ name: String, _ body: @escaping @Sendable () -> Void) {
        Thread.detachNewThread {
            unsafe privyseal_name_thread(name)
            body()
        }
    }
}
